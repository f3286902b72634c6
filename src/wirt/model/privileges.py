"""What root in a guest may do beside the usual: rights of the kernel over what is the guest's own, and devices of the node."""

import re

import msgspec

from wirt.errors import InvalidInput

RIGHTS = (
    "audit_control",
    "audit_write",
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "ipc_lock",
    "ipc_owner",
    "kill",
    "lease",
    "linux_immutable",
    "mac_admin",
    "mac_override",
    "mknod",
    "net_admin",
    "net_bind_service",
    "net_broadcast",
    "net_raw",
    "setfcap",
    "setgid",
    "setpcap",
    "setuid",
    "sys_admin",
    "sys_boot",
    "sys_chroot",
    "sys_module",
    "sys_nice",
    "sys_pacct",
    "sys_ptrace",
    "sys_rawio",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "syslog",
    "wake_alarm",
)
"""Names of capabilities(7) as LXC has them."""
ACCESSES = ("r", "w", "rw")
_DEVICE = re.compile(r"/dev/[A-Za-z0-9_+.:-]+(/[A-Za-z0-9_+.:-]+)*")
MOST_DEVICES = 32


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device of the node that a guest has too, by the same name."""

    path: str
    """Below /dev."""
    access: str = "rw"

    def __str__(self) -> str:
        """Return it as a person writes it."""
        return f"{self.path}:{self.access}"


class Privileges(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from the usual."""

    dropped: tuple[str, ...] = ()
    """Rights that its root has not."""
    kept: tuple[str, ...] = ()
    """Rights that its root has, though it usually has not."""
    devices: tuple[Device, ...] = ()


def parse_device(text: str) -> Device:
    """Return the device that ``text`` ("/dev/fuse", "/dev/sdb:r") names.

    Raises:
        InvalidInput: it names none.
    """
    path, colon, access = text.partition(":")
    path = path if path.startswith("/") else f"/dev/{path}"
    access = access if colon else "rw"
    if not _DEVICE.fullmatch(path) or ".." in path.split("/") or access not in ACCESSES:
        raise InvalidInput(
            f"{text!r} is no device",
            hint="write its path and, if it is not to be rw, what it may be used for: /dev/fuse:r",
        )
    return Device(path=path, access=access)


def parse_right(text: str) -> tuple[str, bool]:
    """Return the right that ``text`` ("sys_time:on") names, and whether it is to be there.

    Raises:
        InvalidInput: it names none.
    """
    name, _, state = text.lower().partition(":")
    name = name.removeprefix("cap_")
    if name not in RIGHTS or state not in ("on", "off"):
        raise InvalidInput(
            f"{text!r} is no right of a guest", hint="write a capability and on or off: sys_time:on"
        )
    return name, state == "on"


def with_rights(privileges: Privileges, changes: dict[str, bool]) -> Privileges:
    """Return the privileges with rights given or taken."""
    dropped = {*privileges.dropped, *(name for name, on in changes.items() if not on)}
    kept = {*privileges.kept, *(name for name, on in changes.items() if on)}
    return Privileges(
        dropped=tuple(sorted(dropped - {name for name, on in changes.items() if on})),
        kept=tuple(sorted(kept - {name for name, on in changes.items() if not on})),
        devices=privileges.devices,
    )


def check_devices(devices: tuple[Device, ...]) -> None:
    """Check that a guest can be given these together.

    Raises:
        InvalidInput: they are too many, or one is there twice.
    """
    paths = [device.path for device in devices]
    if len(paths) > MOST_DEVICES:
        raise InvalidInput(f"a guest has at most {MOST_DEVICES} devices of the node")
    for path in paths:
        if paths.count(path) > 1:
            raise InvalidInput(f"device {path} is named twice", hint="name it once")
