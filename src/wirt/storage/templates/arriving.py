"""A template that comes from another node: its packed root and metadata, checked before they have a name.

Forms are made where they are needed; only an image goes along, because guests' disks rest on its blocks.
"""

import os
from contextlib import suppress

import msgspec

from wirt.errors import Corrupt
from wirt.host.files import sync_directory
from wirt.host.run import check
from wirt.model.template import Template
from wirt.storage.templates.archive import sha256_of

_PARTS = ("template.json", "root.tar.zst")
_IMAGE = "root.img"


def parts_in(directory: str, *, with_image: bool) -> list[str]:
    """Return the names of the files of a template that go along."""
    wanted = [*_PARTS, *([_IMAGE] if with_image else [])]
    return [name for name in wanted if os.path.exists(os.path.join(directory, name))]


def find_lacking(directory: str | None, *, with_image: bool) -> list[str]:
    """Return the names of those that a template lacks; None: it is not there at all."""
    lacking = [] if directory is not None else [*_PARTS]
    is_there = directory is not None and os.path.exists(os.path.join(directory, _IMAGE))
    return [*lacking, *([_IMAGE] if with_image and not is_there else [])]


def adopt(work: str, final: str, name: str, sha256: str) -> None:
    """Give a template that has come its name, if it is what was announced; or one that is there what it lacks.

    Raises:
        Corrupt: it is not.
    """
    if os.path.isdir(final):
        _add(work, final)
        return
    try:
        with open(f"{work}/template.json", "rb") as file:
            template = msgspec.json.decode(file.read(), type=Template)
    except (OSError, msgspec.MsgspecError) as error:
        raise Corrupt(f"template {name} came without its metadata: {error}") from error
    packed = sha256_of(f"{work}/root.tar.zst")
    if (template.name, template.sha256, packed) != (name, sha256, sha256):
        raise Corrupt(f"template {name} is not what was sent", hint="try again")
    os.chmod(work, 0o700)
    check(["sync", "-f", work])
    os.rename(work, final)
    sync_directory(os.path.dirname(final))


def _add(work: str, final: str) -> None:
    """Give a template that is there what has come of it and it lacks; what it has stays, for guests' disks may rest on it."""
    check(["sync", "-f", work])
    for name in parts_in(work, with_image=True):
        with suppress(FileExistsError):
            os.link(os.path.join(work, name), os.path.join(final, name))
    sync_directory(final)
