"""Further disks of a domain: the same in its configuration as put in while it runs.

A disk has the number of its place, so that ``/dev/xvdb`` is always the first further one, whatever was taken out before.

Source: xl-disk-configuration(5) of Xen 4.17, and docs/misc/vbd-interface.txt for the numbers.
"""

from wirt.approaches.xen import control
from wirt.errors import Failed
from wirt.model.disk import letter_of
from wirt.model.presence import Presence, present_if
from wirt.model.resources import Drive

_FIRST_NUMBER, _NUMBERS_EACH = 51712, 16
"""That of xvda, and how far those of two disks are from each other: a disk's partitions are between."""


def specification(drive: Drive) -> str:
    """Return how xl is told of a disk; its path is last, for it may hold commas."""
    access = "ro" if drive.read_only or drive.is_cdrom else "rw"
    told = f"format={drive.format},vdev={_name(drive)},access={access},backendtype=qdisk"
    return f"{told},target={drive.path}"


def path_in_guest(drive: Drive) -> str:
    """Return the name that the guest's kernel gives a disk."""
    return f"/dev/{_name(drive)}"


def attach(domain: str, drive: Drive) -> None:
    """Put a disk into a running domain; no error if it is in it.

    Raises:
        Failed: xl refused; says why.
    """
    if probe(domain, drive) is Presence.ABSENT:
        control.tell("block-attach", domain, specification(drive))


def detach(domain: str, drive: Drive) -> None:
    """Take a disk out of a running domain.

    Raises:
        Failed: its kernel does not let go of it.
    """
    if probe(domain, drive) is Presence.ABSENT:
        return
    try:
        control.tell("block-detach", domain, _name(drive))
    except Failed as error:
        raise Failed(
            f"the guest uses disk {drive.name}",
            detail=error.detail,
            hint="unmount in it what is on the disk",
        ) from error


def probe(domain: str, drive: Drive) -> Presence:
    """Ask Xen's store whether a domain has a disk at that place."""
    number = _FIRST_NUMBER + _NUMBERS_EACH * drive.unit
    return present_if(number in control.disk_numbers(domain))


def _name(drive: Drive) -> str:
    return f"xvd{letter_of(drive.unit)}"
