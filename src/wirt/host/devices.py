"""Device files: what they stand for, and others that stand for the same."""

import os
import stat

import msgspec

from wirt.errors import NotFound
from wirt.host import files


class DeviceNumber(msgspec.Struct, frozen=True, kw_only=True):
    """What a device file stands for."""

    kind: str
    """"c" or "b"."""
    major: int
    minor: int

    def __str__(self) -> str:
        """Return it as the kernel's device controller writes it."""
        return f"{self.kind} {self.major}:{self.minor}"


def find_number(path: str) -> DeviceNumber:
    """Return what a device file stands for; links are followed.

    Raises:
        NotFound: there is none, or it is no device.
    """
    try:
        seen = os.stat(path)
    except OSError:
        raise NotFound(f"the node has no device {path}", hint="look for it in /dev") from None
    kinds = {stat.S_IFCHR: "c", stat.S_IFBLK: "b"}
    kind = kinds.get(stat.S_IFMT(seen.st_mode))
    if kind is None:
        raise NotFound(f"{path} is no device", hint="look for one in /dev")
    return DeviceNumber(kind=kind, major=os.major(seen.st_rdev), minor=os.minor(seen.st_rdev))


def make(path: str, number: DeviceNumber, *, owner: int, mode: int) -> None:
    """Make a device file; one that is there is replaced.

    Raises:
        NotPermitted, Failed: the kernel refused.
    """
    kind = stat.S_IFCHR if number.kind == "c" else stat.S_IFBLK
    with files.translated(f"make the device file {path}"):
        if os.path.lexists(path):
            os.unlink(path)
        os.mknod(path, kind | mode, os.makedev(number.major, number.minor))
        os.chown(path, owner, owner)
        # Whatever the mask of this process is.
        os.chmod(path, mode)


def find_path(kind: str, major: int, minor: int) -> str | None:
    """Return the path below /dev of the device of a number; None if the node has none.

    Args:
        kind: "c" or "b".
        major: as the kernel counts drivers.
        minor: as the driver counts its devices.
    """
    directory = {"c": "char", "b": "block"}[kind]
    try:
        with open(f"/sys/dev/{directory}/{major}:{minor}/uevent") as file:
            said = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    except OSError:
        return None
    name = said.get("DEVNAME")
    return None if name is None else f"/dev/{name}"
