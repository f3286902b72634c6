"""``--capability``, ``--devices``, ``--devnodes`` and ``--features``: lists of names, each with what is to be of it.

What a command line gives is merged into what the file has. A container has it from its next start on, as it has its rights under
OpenVZ.
"""

import re
from collections.abc import Iterator, Mapping

from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.configfile import ConfigFile
from wirt.errors import InvalidInput
from wirt.host.devices import find_path
from wirt.model.privileges import Device, parse_device, parse_right
from wirt.ops.privileges import PrivilegesRequest

CODES: Mapping[str, Code] = {
    "CAPABILITY": Code.CAPABILITY,
    "DEVICES": Code.DEVICES,
    "DEVNODES": Code.DEVICES,
    "FEATURES": Code.ENVIRONMENT,
}
"""The keys, and what vzctl ends with when it cannot do what they say."""

_SEPARATOR = re.compile(r"[,\s]+")
_NUMBERS = re.compile(r"([bc]):([0-9]{1,4}):([0-9]{1,7}|all)")
_ACCESS = re.compile(r"r?w?q?")
_ALWAYS = ("bridge", "ipgre", "ipip", "sit", "sysfs")
"""Features that every container has in its own network and tree, if the node's kernel has them."""
_NEVER = ("nfs", "nfsd")
"""Features that the kernel has for nobody but the node's own root."""
_PPP = "/dev/ppp"


def merged(key: str, had: str, given: str) -> str:
    """Return the value of a key: what it had, with what is given now in the place of what it says of the same.

    Raises:
        Refused: what is given cannot be read, or not be done.
    """
    entries = dict(_entries(had))
    for name, wanted in _entries(given):
        _check(key, name, wanted)
        entries[name] = wanted
    return ",".join(
        f"{name}:{wanted}"
        for name, wanted in entries.items()
        if not (key in ("DEVICES", "DEVNODES") and wanted == "none")
    )


def privileges_of(config: ConfigFile) -> PrivilegesRequest:
    """Return what a file says of rights and devices.

    Raises:
        Refused: it cannot be read, or not be done.
    """
    for key in CODES:
        for name, wanted in _entries(config.get(key) or ""):
            _check(key, name, wanted)
    rights = dict(
        parse_right(f"{name}:{wanted}") for name, wanted in _entries(config.get("CAPABILITY") or "")
    )
    devices = [
        _device(name, wanted)
        for key in ("DEVNODES", "DEVICES")
        for name, wanted in _entries(config.get(key) or "")
    ]
    if dict(_entries(config.get("FEATURES") or "")).get("ppp") == "on":
        devices.append(Device(path=_PPP))
    by_path = {device.path: device for device in devices}
    return PrivilegesRequest(rights=rights or None, devices=tuple(by_path.values()))


def _entries(value: str) -> Iterator[tuple[str, str]]:
    for entry in filter(None, _SEPARATOR.split(value)):
        name, _, wanted = entry.rpartition(":")
        yield name.lower() if name.isupper() else name, wanted


def _check(key: str, name: str, wanted: str) -> None:
    option, text = key.lower(), f"{name}:{wanted}" if name else wanted
    match key:
        case "CAPABILITY":
            try:
                parse_right(text)
            except InvalidInput as error:
                raise _bad(option, text, error.hint) from None
        case "FEATURES":
            _check_feature(option, name, wanted)
        case _:
            if not name or not (wanted == "none" or (wanted and _ACCESS.fullmatch(wanted))):
                raise _bad(option, text, "give what it may be used for: r, w or rw, or none")
            if wanted != "none":
                _device(name, wanted)


def _check_feature(option: str, name: str, wanted: str) -> None:
    if name not in (*_ALWAYS, *_NEVER, "ppp") or wanted not in ("on", "off"):
        known = ", ".join(sorted((*_ALWAYS, *_NEVER, "ppp")))
        raise _bad(option, f"{name}:{wanted}", f"give on or off of {known}")
    if wanted == "off" and name in _ALWAYS:
        raise Refused(
            CODES["FEATURES"],
            f"{name} cannot be switched off: a container has it in its own network and tree",
            hint="leave it out",
        )
    if wanted == "on" and name in _NEVER:
        raise Refused(
            CODES["FEATURES"],
            f"{name} cannot be switched on: the kernel has it for root of the node alone",
            hint="mount it on the node, and show it in the container",
        )


def _device(name: str, wanted: str) -> Device:
    """Return the device that is named by its path below /dev, or by its kind and number."""
    access = wanted.replace("q", "") or "rw"
    numbers = _NUMBERS.fullmatch(name)
    path: str | None = name
    if numbers is not None:
        kind, major, minor = numbers.groups()
        if minor == "all":
            raise Refused(
                Code.DEVICES,
                f"{name} cannot be given: an unprivileged container cannot make device files",
                hint="name each device by --devnodes",
            )
        path = find_path(kind, int(major), int(minor))
        if path is None:
            raise Refused(Code.DEVICES, f"the node has no device {name}", hint="see /sys/dev")
    try:
        return parse_device(f"{path}:{access}")
    except InvalidInput as error:
        raise _bad("devnodes", f"{name}:{wanted}", error.hint) from None


def _bad(option: str, value: str, hint: str | None) -> Refused:
    return Refused(Code.VALUE, f"Bad parameter for --{option}: {value}", hint=hint)
