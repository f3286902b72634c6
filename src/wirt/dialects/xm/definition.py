"""A domain's definition: its variables, from a file in Python's syntax or from an S-expression, and as such a one."""

from collections.abc import Mapping, Sequence

import msgspec

from wirt.dialects.xm import sxp
from wirt.dialects.xm.devices import Card, Disk, parse_card, parse_disk
from wirt.dialects.xm.pyfile import Value
from wirt.dialects.xm.variables import VARIABLES, Kind, checked
from wirt.errors import InvalidInput
from wirt.model.macs import read_mac
from wirt.units import parse_cpus

BUILDERS = ("linux", "hvm")
_ACTIONS = ("destroy", "restart", "preserve", "rename-restart")
_TOP = (
    "name",
    "memory",
    "maxmem",
    "shadow_memory",
    "restart",
    "on_poweroff",
    "on_reboot",
    "on_crash",
    "vcpus",
    "features",
    "uuid",
    "cpu",
    "cpus",
    "cpu_weight",
    "cpu_cap",
    "localtime",
    "template",
)
"""What stands at the top of a domain's expression, in that order."""
_HVM = (
    "device_model",
    "serial",
    "boot",
    "usb",
    "usbdevice",
    "soundhw",
    "stdvga",
    "isa",
    "nographic",
    "pae",
    "acpi",
    "apic",
    "vnc",
    "sdl",
)
_IMAGE = {"kernel": "kernel", "ramdisk": "ramdisk", "root": "root", "args": "extra"}
_NETWORK = ("ip", "nfs_server", "gateway", "netmask", "hostname", "interface", "dhcp")
"""The fields of the kernel's ``ip=``, in its order."""
NO_SERVER = "1.2.3.4"
"""What xm writes for a server that there is none of."""
_CARD_ORDER = (
    "backend",
    "bridge",
    "ip",
    "mac",
    "script",
    "type",
    "vifname",
    "model",
    "rate",
    "accel",
)


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One domain, as it was written."""

    values: dict[str, Value]
    """Every variable."""
    disks: tuple[Disk, ...]
    cards: tuple[Card, ...]

    def text(self, key: str) -> str | None:
        """Return a string; None if it is not set or empty."""
        value = self.values[key]
        return value if isinstance(value, str) and value else None

    def number(self, key: str) -> int | None:
        """Return a whole number; None if it is not set."""
        value = self.values[key]
        return value if isinstance(value, int) else None

    @property
    def name(self) -> str:
        """Return what it is called."""
        return self.text("name") or ""

    @property
    def builder(self) -> str:
        """Return ``linux`` or ``hvm``."""
        return self.text("builder") or BUILDERS[0]

    @property
    def all_cards(self) -> tuple[Card, ...]:
        """Return its cards: those that were written, and as many as ``nics`` says; at least one."""
        least = max(1, self.number("nics") or 0)
        return (*self.cards, *[Card(options={})] * (least - len(self.cards)))

    @property
    def pin(self) -> tuple[int, ...]:
        """Return the node's CPUs that it runs on; none: all."""
        if (cpus := self.text("cpus")) is not None:
            return read_cpus(cpus)
        cpu = self.number("cpu")
        return () if cpu is None or cpu < 0 else (cpu,)

    @property
    def weight(self) -> float | None:
        """Return its weight for the credit scheduler, of which 256 is usual; None: that."""
        value = self.values["cpu_weight"]
        return float(value) if isinstance(value, int | float) else None


def define(values: Mapping[str, Value], *, name: str) -> Definition:
    """Return the definition that variables make; ``name`` is what errors call where they come from.

    Raises:
        InvalidInput: one cannot be, or not beside another.
    """
    every = checked(values, name=name)
    definition = Definition(
        values=every,
        disks=tuple(parse_disk(text) for text in _texts(every["disk"])),
        cards=tuple(parse_card(text) for text in _texts(every["vif"])),
    )
    if not definition.name:
        raise InvalidInput(f"{name}: the domain has no name", hint='set it: name = "..."')
    if definition.builder not in BUILDERS:
        raise InvalidInput(
            f"{name}: there is no builder {definition.builder}",
            hint=f"choose one of {', '.join(BUILDERS)}",
        )
    for key in ("on_poweroff", "on_reboot", "on_crash"):
        if definition.text(key) not in (None, *_ACTIONS):
            raise InvalidInput(
                f"{name}: {key} cannot be {definition.text(key)}",
                hint=f"choose one of {', '.join(_ACTIONS)}",
            )
    for key in ("memory", "vcpus"):
        if (definition.number(key) or 0) < 1:
            raise InvalidInput(f"{name}: {key} cannot be {definition.number(key)}")
    macs = [read_mac(mac) for card in definition.cards if (mac := card.get("mac"))]
    for place, mac in enumerate(macs):
        if mac in macs[:place]:
            raise InvalidInput(f"{name}: there are two cards with the MAC {mac}", hint="change one")
    seen: set[str] = set()
    for disk in definition.disks:
        if disk.name in seen:
            raise InvalidInput(f"{name}: there are two disks {disk.name}", hint="rename one")
        seen.add(disk.name)
    _ = definition.pin  # or it cannot be read
    return definition


def to_sxp(definition: Definition, *, head: Sequence[sxp.Written] = ("vm",)) -> list[sxp.Written]:
    """Return a domain's expression; ``head`` is what it begins with."""
    top: list[sxp.Written] = [
        [key, _written(definition.values[key])] for key in _TOP if definition.values[key]
    ]
    devices: list[sxp.Written] = []
    for disk in definition.disks:
        backend: list[sxp.Written] = [["backend", disk.backend]] if disk.backend else []
        words: list[sxp.Written] = [
            disk.kind,
            ["uname", disk.uname],
            ["dev", disk.device],
            ["mode", disk.mode],
        ]
        devices.append(["device", [*words, *backend]])
    for card in definition.cards:
        said = [[key, card.options[key]] for key in _CARD_ORDER if card.get(key)]
        devices.append(["device", ["vif", *said]])
    return [*head, *top, ["image", _image(definition)], *devices]


def from_sxp(expression: sxp.Node, *, name: str) -> dict[str, Value]:
    """Return the variables of a domain's expression, as ``to_sxp`` and xm write it.

    Raises:
        InvalidInput: it is not a domain's.
    """
    if not isinstance(expression, list) or expression[:1] not in (["vm"], ["domain"]):
        raise InvalidInput(f"{name}: this is no domain", hint="it begins with (vm")
    values: dict[str, Value] = {}
    for key in _TOP:
        _take(values, key, sxp.value(expression, key))
    for rest in sxp.children(expression, "image"):
        image = rest[0] if rest else None
        if not isinstance(image, list) or not image or not isinstance(image[0], str):
            raise InvalidInput(f"{name}: the image has no builder", hint="such as (image (linux))")
        values["builder"] = image[0]
        for word, key in _IMAGE.items():
            _take(values, key, sxp.value(image, word))
        for key in _HVM:
            _take(values, key, sxp.value(image, key))
        fields = (sxp.value(image, "ip") or "").split(":")
        values |= dict(zip(_NETWORK, fields, strict=False)) if any(fields) else {}
        if values.get("nfs_server") == NO_SERVER:
            values["nfs_server"] = ""
    disks: list[Value] = []
    cards: list[Value] = []
    for rest in sxp.children(expression, "device"):
        device = rest[0] if rest else None
        match device:
            case ["vbd" | "tap", *_]:
                parts = [sxp.value(device, key) for key in ("uname", "dev", "mode", "backend")]
                disks.append(",".join(part for part in parts if part is not None))
            case ["vif", *_]:
                said = {key: sxp.value(device, key) for key in _CARD_ORDER}
                cards.append(",".join(f"{k}={v}" for k, v in said.items() if v is not None))
            case _:
                raise InvalidInput(f"{name}: a device is neither a vbd nor a vif")
    return {**values, "disk": disks, "vif": cards}


def read_cpus(text: str) -> tuple[int, ...]:
    """Return the CPUs of a list as xm writes it: ``0,2-4,^3``; ``all``, and nothing, is none in particular.

    Raises:
        InvalidInput: it is no such list.
    """
    if text.strip() in ("", "all"):
        return ()
    words = [word.strip() for word in text.split(",")]
    wanted = ",".join(word for word in words if not word.startswith("^"))
    unwanted = ",".join(word[1:] for word in words if word.startswith("^"))
    kept = set(parse_cpus(wanted)) if wanted else set()
    found = kept - set(parse_cpus(unwanted) if unwanted else ())
    if not found:
        raise InvalidInput(f"{text!r} leaves no CPU", hint="such as 0,2-4,^3")
    return tuple(sorted(found))


def _image(definition: Definition) -> list[sxp.Written]:
    words: list[sxp.Written] = [definition.builder]
    for word, key in _IMAGE.items():
        if key == "root" and (network := _network(definition)):
            words.append(["ip", network])
        if (value := definition.text(key)) is not None:
            words.append([word, value.strip() if key == "root" else value])
    if definition.builder == "hvm":
        words += [[key, _written(definition.values[key])] for key in _HVM if definition.values[key]]
    return words


def _network(definition: Definition) -> str:
    """Return the kernel's ``ip=``; nothing if neither an address is given nor DHCP asked for."""
    if definition.text("ip") is None and definition.text("dhcp") in (None, "off"):
        return ""
    fields = {key: definition.text(key) or "" for key in _NETWORK}
    return ":".join((fields | {"nfs_server": fields["nfs_server"] or NO_SERVER}).values())


def _take(values: dict[str, Value], key: str, text: str | None) -> None:
    if text is None:
        return
    is_number = VARIABLES[key].kind in (Kind.NUMBER, Kind.FLOAT)
    values[key] = text if not is_number else (int(text) if text.isdigit() else text)


def _written(value: Value) -> str | int | float:
    assert isinstance(value, str | int | float)
    return value


def _texts(value: Value) -> list[str]:
    assert isinstance(value, list)
    return [str(text) for text in value]
