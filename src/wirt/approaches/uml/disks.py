"""Further disks of a User-Mode Linux guest: the same on its command line as put in while it runs.

A disk is a UBD device at its place, so that ``/dev/ubdb`` is always the first further one; its name is the device's serial
number. Without the flag ``d`` the kernel looks whether a file is a copy-on-write layer, and opens whatever file that names: a guest
could write one into its disk.
"""

import time

from wirt.approaches.uml import mconsole
from wirt.errors import Failed, InvalidInput
from wirt.model.disk import letter_of
from wirt.model.presence import Presence, present_if
from wirt.model.resources import Drive

_OPEN_SECONDS, _LOOK_SECONDS = 3.0, 0.1


def argument(drive: Drive) -> str:
    """Return the argument, or what the management console is told, that makes a disk.

    Raises:
        InvalidInput: its path holds what separates arguments; User-Mode Linux has no way to quote it.
    """
    check_path(drive.path)
    flags = "rd" if drive.read_only else "d"
    return f"ubd{drive.unit}{flags}={drive.path},,{drive.name}"


def check_path(path: str) -> None:
    """Check that User-Mode Linux can be given a path.

    Raises:
        InvalidInput: it holds what separates arguments.
    """
    if set(path) & set(" ,:\t\n"):
        raise InvalidInput(
            f"User-Mode Linux cannot be given the path {path!r}",
            hint="choose a place without spaces, commas and colons in its path",
        )


def path_in_guest(drive: Drive) -> str:
    """Return the name that the guest's kernel gives a disk."""
    return f"/dev/ubd{letter_of(drive.unit)}"


def attach(directory: str, drive: Drive) -> None:
    """Put a disk into a running guest; no error if it is in it.

    Raises:
        Failed: its kernel did not take it; says why.
    """
    if probe(directory, drive) is Presence.ABSENT:
        mconsole.ask(directory, f"config {argument(drive)}")


def detach(directory: str, drive: Drive) -> None:
    """Take a disk out of a running guest.

    Raises:
        Failed: something in the guest has it open.
    """
    deadline = time.monotonic() + _OPEN_SECONDS
    while True:
        try:
            mconsole.ask(directory, f"remove ubd{drive.unit}")
            return
        except Failed as error:
            if "currently open" not in error.message:
                raise
            # Whoever unmounts or writes a disk makes the guest's udev look at it, which has it open for that long.
            if time.monotonic() > deadline:
                raise Failed(
                    f"the guest uses disk {drive.name}", hint="unmount in it what is on the disk"
                ) from error
        time.sleep(_LOOK_SECONDS)


def probe(directory: str, drive: Drive) -> Presence:
    """Ask the guest's kernel whether it has a disk at that place: it answers with its file."""
    has = mconsole.ask(directory, f"config ubd{drive.unit}")
    return present_if(has)
