"""``copy_in``: files of the node into a running guest."""

import os
import tarfile
import tempfile

from wirt.approaches.base import HasFiles
from wirt.errors import Failed
from wirt.host.archive import owned_by_root
from wirt.host.run import Streams
from wirt.model.guest import Guest
from wirt.ops import execute
from wirt.ops.context import Context

_SAID = 65536
"""Bytes of what the guest's tar has to say that are kept."""


def copy_in(context: Context, guest: Guest, source: str, target: str) -> None:
    """Copy the files of the directory ``source`` into the directory ``target`` of a running guest, owned by its root.

    The guest's own ``tar`` unpacks them: no path of the guest is ever resolved on the node, so a link planted in it
    leads nowhere else.

    Raises:
        Failed: it could not be done.
    """
    assert guest.handle is not None
    approach = context.approach(guest.approach)
    if isinstance(approach, HasFiles):
        approach.copy_in(context.home.place(guest.id), guest.handle, source, target)
        return
    with tempfile.TemporaryFile() as archive, execute.listening(_SAID, last=True) as (said, heard):
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(source, arcname=".", filter=owned_by_root)
        archive.seek(0)
        script = 'mkdir -p "$1" && exec tar -x -f - -C "$1"'
        status = execute.execute_in(
            context,
            guest,
            ["/bin/sh", "-c", script, "sh", target],
            streams=Streams(stdin=archive.fileno(), stdout=said, stderr=said),
        )
    if status != 0:
        reason = heard.content.decode(errors="replace").strip() or f"exit status {status}"
        raise Failed(f"cannot copy {os.path.basename(source)} into {guest.name}: {reason}")
