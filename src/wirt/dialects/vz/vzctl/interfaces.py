"""A container's interfaces as ``--netif_add``, ``--veth_add``, ``--ifname`` and the key NETIF write them, read and written; nothing is done."""

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.configfile import ConfigFile
from wirt.dialects.vz.settings import Bad

CHANGING = ("mac", "host_ifname", "host_mac", "bridge", "mac_filter")
"""Options that say of the interface of the last ``--ifname`` what it is to have."""
_SAID = ("ifname", "mac", "host_ifname", "host_mac", "bridge")
"""What ``--netif_add`` takes, in that order."""


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """One interface; what is empty is chosen."""

    ifname: str
    mac: str = ""
    host_ifname: str = ""
    host_mac: str = ""
    bridge: str = ""
    mac_filter: str = ""
    others: tuple[str, ...] = ()
    """What else a file says of it, which is kept."""

    def __str__(self) -> str:
        """Render it as NETIF holds it."""
        said = ((key, getattr(self, key)) for key in (*_SAID, "mac_filter"))
        return ",".join([*(f"{key}={value}" for key, value in said if value), *self.others])


def interfaces_in(config: ConfigFile) -> dict[str, Interface]:
    """Return the interfaces that a file has, by their names: those of NETIF, and those that VETH of 2006 has beside them."""
    found = {}
    for entry in (config.get("VETH") or "").split():
        # What nobody can read of a file is passed over, as in NETIF.
        with suppress(Refused):
            one = read_veth(entry)
            found[one.ifname] = one
    for entry in filter(None, map(str.strip, (config.get("NETIF") or "").split(";"))):
        said: dict[str, str] = {}
        others = []
        for part in map(str.strip, entry.split(",")):
            key, _, value = part.partition("=")
            if key in _SAID or key == "mac_filter":
                said[key] = value
            else:
                others.append(part)
        if said.get("ifname"):
            found[said["ifname"]] = msgspec.convert({**said, "others": others}, Interface)
    return found


def says_something(config: ConfigFile) -> bool:
    """Return whether a file says which interfaces there are, be it none."""
    return config.get("NETIF") is not None or config.get("VETH") is not None


def write(config: ConfigFile, entries: Sequence[str]) -> ConfigFile:
    """Return a file that has these interfaces, all in NETIF."""
    if config.get("VETH"):
        config = config.replace("VETH", "")
    return config.replace("NETIF", ";".join(entries))


def read_interface(value: str) -> Interface:
    """Read what ``--netif_add`` is given.

    Raises:
        Refused: it cannot be.
    """
    fields = value.split(",")
    if not fields[0] or len(fields) > len(_SAID):
        raise Bad("netif_add", value, hint="give ifname[,mac,host_ifname,host_mac,bridge]")
    return msgspec.convert(dict(zip(_SAID, fields, strict=False)), Interface)


def read_veth(value: str) -> Interface:
    """Read what ``--veth_add`` of 2006 is given: the node's end first, and all of it.

    Raises:
        Refused: it cannot be.
    """
    fields = value.split(",")
    if len(fields) != 4 or not all(fields):
        raise Bad("veth_add", value, hint="give dev_name,mac,dev_name_in_vps,mac_in_vps")
    host_ifname, host_mac, ifname, mac = fields
    return Interface(ifname=ifname, mac=mac, host_ifname=host_ifname, host_mac=host_mac)


def read_changes(options: Sequence[tuple[str, str]]) -> list[tuple[str, dict[str, str]]]:
    """Return what ``--ifname`` and the options behind each say.

    Raises:
        Refused: it cannot be.
    """
    found: list[tuple[str, dict[str, str]]] = []
    for option, value in options:
        if option == "ifname":
            found.append((value, {}))
        elif option in CHANGING:
            if not found:
                raise Refused(
                    Code.SYNTAX,
                    f"--{option} does not say of which interface",
                    hint="pass --ifname before it",
                )
            if option == "mac_filter" and value != "on":
                if value != "off":
                    raise Bad(option, value, hint="give on or off")
                raise Refused(
                    Code.VETH,
                    "--mac_filter off cannot be done: what a container sends under another MAC than its "
                    "own is always dropped",
                    hint="give on, or leave it out",
                )
            found[-1][1][option] = value
    return found
