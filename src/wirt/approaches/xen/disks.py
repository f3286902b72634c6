"""Further disks of a domain, as its configuration and Xen's store have them.

A disk has the number of its place, so that ``/dev/xvdb`` is always the first further one, whatever was taken out before.

Source: xl-disk-configuration(5) of Xen 4.17, and docs/misc/vbd-interface.txt for the numbers.
"""

from wirt.approaches.xen import control
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


def probe(domain: str, drive: Drive) -> Presence:
    """Ask Xen's store whether a domain has a disk at that place."""
    number = _FIRST_NUMBER + _NUMBERS_EACH * drive.unit
    return present_if(number in control.disk_numbers(domain))


def _name(drive: Drive) -> str:
    return f"xvd{letter_of(drive.unit)}"
