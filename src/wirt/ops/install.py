"""``install``: packages of the guest's distribution into a guest that needs no network, no sources and no keys for it.

The guest says which packages it has, the node's apt finds out what it lacks and fetches it, the files go in by the guest's
own ``tar`` and are installed by its own ``apt`` or ``dpkg``. So nothing of the guest is opened by a path on the node, what
is installed belongs to the guest's own ids, and of the node's configuration nothing stays behind.
"""

import errno
import os
import tempfile
from collections.abc import Callable, Sequence

from wirt.errors import Failed, InvalidInput, Unsupported
from wirt.host import interrupts
from wirt.host.run import Streams
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.ops import briefly, execute, guests
from wirt.ops.context import Context
from wirt.ops.copy_in import copy_in
from wirt.storage.base import Packages
from wirt.units import MIB

_PLACE = "/var/cache/wirt-packages"
"""Where the files lie in the guest while they are being installed."""

_MOST = {"/etc/os-release": MIB, "/var/lib/dpkg/status": 64 * MIB}
"""Bytes of what is read of a guest: it may say anything, and as much as it likes."""

_INSTALL = """
set -e
place=$1
trap 'cd /; rm -rf "$place"' EXIT
cd "$place"
export DEBIAN_FRONTEND=noninteractive
dpkg --configure -a
set -- *.deb
if command -v apt-get >/dev/null; then
    known=$(dpkg-query -W -f '${Package} ')
    apt-get --yes --quiet=2 --no-install-recommends --allow-downgrades \\
        -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=/dev/null \\
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \\
        install $(printf './%s ' "$@")
    for file; do
        name=${file%%_*}
        case " $known $WANTED " in *" $name "*) ;; *) apt-mark auto "$name" >/dev/null ;; esac
    done
else
    dpkg --force-confdef --force-confold --install "$@"
fi
"""
"""Run in the guest with the directory of the files; takes it away at its end, however it ends.

Files that are given by name count as wanted for ever: apt is told which of them only came along.
"""


def install(
    context: Context,
    packages: Packages,
    name: str,
    wanted: Sequence[str],
    *,
    progress: Callable[[str], None],
) -> list[str]:
    """Install packages in a guest, or upgrade those it has, and return the names of the files that were installed.

    A stopped guest is started for it and stopped again.

    Args:
        context: the home.
        packages: where they come from.
        name: the guest.
        wanted: the packages; none: whatever can be upgraded.
        progress: is told what goes on.

    Raises:
        NotFound, WrongState, Busy, InvalidInput, Unsupported: nothing was changed.
        Failed: they could not be fetched, or the guest could not install them; the detail is what was said.
    """
    with guests.held(context, name) as guest:
        if guest.state is State.STOPPED:
            progress(f"starting {guest.name}")
            with briefly.running(context, guest, "install") as begun:
                done = _in_running(context, packages, begun, wanted, progress)
                progress(f"stopping {guest.name}")
            return done
        next_state(guest.state, "exec", guest.name)
        with interrupts.allowed():
            return _in_running(context, packages, guest, wanted, progress)


def _in_running(
    context: Context,
    packages: Packages,
    guest: Guest,
    wanted: Sequence[str],
    progress: Callable[[str], None],
) -> list[str]:
    release = _read(context, guest, "/etc/os-release")
    status = _read(context, guest, "/var/lib/dpkg/status")
    if not status:
        raise Unsupported(
            f"guest {guest.name} has no packages of dpkg",
            hint="its own package manager is reached by wirt exec",
        )
    with tempfile.TemporaryDirectory(prefix="wirt-packages-") as directory:
        progress("fetching packages")
        try:
            files = packages.fetch(status, release, wanted, directory)
        except InvalidInput:
            raise
        except Failed as error:
            error.args = (message := f"nothing was installed in {guest.name}: {error.message}",)
            error.message = message
            raise
        if files:
            progress(f"installing {len(files)} in {guest.name}")
            # What a command that was killed has left there would be installed as well.
            _run(context, guest, ["rm", "-rf", _PLACE])
            copy_in(context, guest, directory, _PLACE)
            _run(context, guest, ["/bin/sh", "-c", _INSTALL, "sh", _PLACE], wanted)
    return files


def _run(context: Context, guest: Guest, argv: list[str], wanted: Sequence[str] = ()) -> None:
    """Run a command in the guest that must succeed."""
    with execute.listening(MIB, last=True) as (said, heard):
        status = execute.execute_in(
            context,
            guest,
            argv,
            streams=Streams(stdout=said, stderr=said),
            environment={**execute.default_environment(), "WANTED": " ".join(wanted)},
        )
    if status != 0:
        lines = heard.content.decode(errors="replace").split("\n")
        words = [line for line in lines if line.strip()]
        detail = "\n".join(words[-30:])
        more = "look at"
        if os.strerror(errno.EAGAIN) in detail:
            more = f"allow it more than {guest.limits.processes} processes, look at"
        raise Failed(
            f"guest {guest.name} could not install the packages: "
            f"{words[-1].strip() if words else f'exit status {status}'}",
            detail=detail,
            hint=f"{more} wirt exec {guest.name} -- dpkg --audit, and install again",
        )


def _read(context: Context, guest: Guest, path: str) -> bytes:
    """Return what the guest says is in one of its files, no more than is sensible; nothing if there is none."""
    with execute.listening(_MOST[path]) as (writer, heard):
        execute.execute_in(context, guest, ["cat", path], streams=Streams(stdout=writer))
    if not heard.is_whole:
        raise Failed(f"{path} of guest {guest.name} is larger than {heard.most} bytes")
    return heard.content
