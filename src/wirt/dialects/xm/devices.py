"""The disks and network cards of a domain's configuration: ``phy:DEV,VDEV,MODE`` and ``mac=MAC,bridge=BRIDGE``."""

import re

import msgspec

from wirt.errors import InvalidInput
from wirt.model.macs import read_mac
from wirt.model.rates import Rates

MODES = ("r", "w", "w!")
_CARD_KEYS = frozenset(
    {"accel", "backend", "bridge", "ip", "mac", "model", "rate", "script", "type", "vifname"}
)
_RATE = re.compile(r"(\d{1,12})([KMG]?)([Bb])/s(?:@\d+[mu]?s)?")
_THOUSANDS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3}
_DEVICE = re.compile(r"(?:(?P<kind>sd|hd|xvd)(?P<letter>[a-z])(?P<partition>\d{0,2}))")
_MAJORS = {"sd": 8, "xvd": 202}
_HD_MAJORS = (3, 22, 33, 34)


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """One disk: what it is on the node, and what the domain calls it."""

    uname: str
    """As it was written: ``phy:VolGroup00/root``, ``file:/srv/disk.img``, ``tap:qcow:/srv/disk.qcow``."""
    device: str
    """``sda1``, ``xvda``, ``hdc:cdrom``."""
    mode: str
    backend: str | None = None

    @property
    def kind(self) -> str:
        """Return xend's class of the device."""
        return "tap" if self.uname.startswith("tap:") else "vbd"

    @property
    def name(self) -> str:
        """Return the device's name in the domain."""
        return self.device.removeprefix("/dev/").partition(":")[0]

    @property
    def is_cdrom(self) -> bool:
        """Return whether the domain is to see a CD-ROM drive."""
        return self.device.endswith(":cdrom")

    @property
    def is_writable(self) -> bool:
        """Return whether the domain may write to it."""
        return self.mode != "r"

    @property
    def path(self) -> str:
        """Return where it is on the node; a device without a directory is in ``/dev``."""
        kind, _, rest = self.uname.partition(":")
        if kind == "tap":
            rest = rest.partition(":")[2]
        if kind == "phy" and not rest.startswith("/"):
            return f"/dev/{rest}"
        return rest

    @property
    def driver(self) -> str:
        """Return how the bytes on the node are read: ``raw``, or what ``tap:`` names."""
        if self.kind != "tap":
            return "raw"
        name = self.uname.split(":")[1]
        return "raw" if name in ("aio", "sync", "ram") else name

    def written(self) -> str:
        """Return the disk as a configuration file has it."""
        parts = [self.uname, self.device, self.mode, *([self.backend] if self.backend else [])]
        return ",".join(parts)


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One network card: what was said of it, by key."""

    options: dict[str, str]

    def get(self, key: str) -> str | None:
        """Return what was said; None if nothing was."""
        return self.options.get(key) or None

    @property
    def rates(self) -> Rates:
        """Return how fast it may send, which is all that is said of it: bytes or bits (``10MB/s``, ``80Mb/s``).

        The time that may stand behind, in which a burst is given out (``@20ms``), is the node's own.

        Raises:
            InvalidInput: it is said in no such way.
        """
        said = self.get("rate")
        if said is None:
            return Rates()
        match = _RATE.fullmatch(said)
        if match is None:
            raise InvalidInput(f"{said} is not a rate", hint="such as rate=10MB/s or rate=80Mb/s")
        bits = int(match[1]) * _THOUSANDS[match[2]] * (8 if match[3] == "B" else 1)
        return Rates(outward=bits)

    def written(self) -> str:
        """Return the card as a configuration file has it."""
        return ",".join(f"{key}={value}" for key, value in self.options.items())


def parse_disk(text: str) -> Disk:
    """Take a disk apart.

    Raises:
        InvalidInput: it is not written as disks are.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (3, 4):
        raise InvalidInput(f"Invalid disk specifier: {text}")
    uname, device, mode = parts[:3]
    kind, is_whole, rest = uname.partition(":")
    is_known = kind in ("phy", "file") or (kind == "tap" and rest.count(":") == 1)
    if not is_whole or not rest or not is_known:
        raise InvalidInput(
            f"Invalid disk specifier: {text}", hint="begin it with phy:, file: or tap:DRIVER:"
        )
    if mode not in MODES:
        raise InvalidInput(
            f"Invalid disk specifier: {text}", hint=f"the mode is one of {', '.join(MODES)}"
        )
    name = device.removeprefix("/dev/").partition(":")[0]
    if not _DEVICE.fullmatch(name) or device.partition(":")[2] not in ("", "cdrom", "disk"):
        raise InvalidInput(
            f"Invalid disk specifier: {text}", hint="call it sda1, xvda or hdc:cdrom, for example"
        )
    return Disk(
        uname=uname, device=device, mode=mode, backend=parts[3] if len(parts) == 4 else None
    )


def parse_card(text: str) -> Card:
    """Take a network card apart; an empty text is a card of which nothing is said.

    Raises:
        InvalidInput: it is not written as cards are.
    """
    options: dict[str, str] = {}
    for part in text.split(",") if text.strip() else []:
        key, _, value = (word.strip() for word in part.partition("="))
        if key not in _CARD_KEYS:
            raise InvalidInput(f"Invalid vif option: {key}")
        options[key] = value
    mac = options.get("mac")
    if mac and read_mac(mac) is None:
        raise InvalidInput(f"{mac} is not a MAC address", hint="such as 00:16:3e:01:02:03")
    return Card(options=options)


def device_number(name: str) -> int:
    """Return the number of a block device as Linux has it, which is its id for xm: 2049 for sda1, 51712 for xvda.

    Source: Linux, Documentation/admin-guide/devices.txt; an IDE disk has 64 minors, others 16.
    """
    match = _DEVICE.fullmatch(name)
    if match is None:
        return 0
    letter, partition = ord(match["letter"]) - ord("a"), int(match["partition"] or 0)
    if match["kind"] == "hd":
        return (_HD_MAJORS[min(letter // 2, 3)] << 8) + letter % 2 * 64 + partition
    return (_MAJORS[match["kind"]] << 8) + letter * 16 + partition
