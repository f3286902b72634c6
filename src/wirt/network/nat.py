"""What leads out of a home's bridge and into it, made from values alone: for one bridge an nft table of the ip family, one of ip6.

The table is there only while guests may reach outside or a port is forwarded to one, or while cards are routed. Without it the
node forwards nothing that comes from the bridge: its ``forwarding`` is off.

- Out: with ``outbound``, guests send to everywhere but to other homes' guests, under the node's address. Else nothing of
  theirs leaves the bridge but answers.
- In: what two maps lead to a guest, and answers. From a neighbour on the bridge such a packet comes back to the bridge; then it
  gets the node's address, because an answer that goes straight to the neighbour would be nobody's.
- Between a home's bridge and that of its routed cards: everything.
- Routed cards that the node answers for (``proxied``) are met outside under their own addresses, and meet everybody there.
- Interfaces of the node on which forwarding had to be switched on (``switched``) forward for guests alone: before that, they
  forwarded nothing.

In the ip6 family the table takes the place of the filter's confinement (see ``filter``), which says what is left without it.

Syntax: nft(8) of nftables 1.0.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network

import msgspec

from wirt.model.forward import Forward
from wirt.model.names import BRIDGES
from wirt.network import uplinks
from wirt.network.filter import build_inside

FAMILIES = ("ip", "ip6")
SWITCHED = "switched"
"""The set of the interfaces on which forwarding was off."""
PROXIED = "proxied"
"""The set of the addresses of guests that are met outside under them."""
OF_ALL = "forwards"
"""The map of the ports of every address of the node."""
OF_ONE = "forwards-of-one"
"""The map of the ports of one address."""

Forwards = Mapping[str, Sequence[Forward]]
"""A guest's address -> what leads there; a guest with IPv6 is in it twice."""


class _Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a family of the filter calls things."""

    address: str
    own: str
    """What only the node itself reaches."""


_WORDS = {
    "ip": _Words(address="ipv4_addr", own="127.0.0.0/8"),
    "ip6": _Words(address="ipv6_addr", own="::1"),
}


def build_table(
    family: str,
    table: str,
    subnet: IPv4Network | IPv6Network,
    *,
    outbound: bool,
    switched: Sequence[str],
    proxied: Iterable[str] = (),
) -> str:
    """Return the commands that make a table, or give it other rules; what its maps hold stays.

    Args:
        family: "ip" or "ip6".
        table: its name, which is the bridge's.
        subnet: where the guests' addresses are from.
        outbound: whether guests reach outside.
        switched: interfaces whose forwarding was off, or ``uplinks.ALL``.
        proxied: addresses of guests that are reached from outside under them, and reach it; of either family.
    """
    inside, routed = build_inside(table), f"{table}.r"
    ip, words = family, _WORDS[family]
    lead = f"""\
dnat {ip} to {ip} daddr . meta l4proto . th dport map @{OF_ONE}
		fib daddr type local dnat {ip} to meta l4proto . th dport map @{OF_ALL}"""
    masquerade = ""
    if outbound:
        others = f"{ip} saddr != @{PROXIED} oifname != {inside}"
        masquerade = (
            f"{ip} saddr {subnet} {others} masquerade\n\t\t"
            f'iifname "{routed}" {others} masquerade\n\t\t'
        )
    kept_in = f' oifname "{BRIDGES}*"' if outbound else ""
    if uplinks.ALL in switched:
        whence, switched = f'iifname != "{BRIDGES}*"', ()
    else:
        whence = f"iifname @{SWITCHED}"
    elements = (
        *((SWITCHED, f'"{one}"') for one in switched),
        *((PROXIED, one) for one in proxied if _is_of(family, one)),
    )
    return f"""\
add table {ip} {table}
flush table {ip} {table}
table {ip} {table} {{
	set {SWITCHED} {{
		type ifname
	}}
	map {OF_ALL} {{
		type inet_proto . inet_service : {words.address} . inet_service
	}}
	map {OF_ONE} {{
		type {words.address} . inet_proto . inet_service : {words.address} . inet_service
	}}
	set {PROXIED} {{
		type {words.address}
	}}
	chain arriving {{
		type nat hook prerouting priority -100; policy accept;
		{lead}
	}}
	chain from-node {{
		type nat hook output priority -100; policy accept;
		{ip} daddr {words.own} return
		{lead}
	}}
	chain leaving {{
		type nat hook postrouting priority 100; policy accept;
		{masquerade}{ip} saddr {subnet} oifname "{table}" ct status dnat masquerade
	}}
	chain through {{
		type filter hook forward priority 0; policy accept;
		{whence} oifname != "{BRIDGES}*" drop
		iifname {inside} oifname {inside} accept
		iifname "{routed}" oifname != "{BRIDGES}*" {ip} saddr @{PROXIED} accept
		oifname "{routed}" {ip} daddr @{PROXIED} accept
		ct state established,related accept
		ct status dnat accept
		oifname {inside} drop
		iifname {inside}{kept_in} drop
	}}
}}
flush set {ip} {table} {SWITCHED}
flush set {ip} {table} {PROXIED}
""" + "".join(f"add element {ip} {table} {name} {{ {one} }}\n" for name, one in elements)


def build_opening(table: str, forwards: Forwards) -> str:
    """Return the commands that lead ports to guests; again is no error."""
    return _change("add", table, forwards)


def build_withdrawal(table: str, forwards: Forwards) -> str:
    """Return the commands that take forwards away; no error if they were not there."""
    # There is no deleting of what may not be there before nftables 1.0.7 and Linux 6.3.
    return build_opening(table, forwards) + _change("delete", table, forwards)


def build_removal(table: str, family: str = "ip") -> str:
    """Return the commands that take a table away; no error if it is gone."""
    return f"add table {family} {table}\ndelete table {family} {table}\n"


def _change(act: str, table: str, forwards: Forwards) -> str:
    return "".join(
        f"{act} element {family} {table} {name} {{ {', '.join(elements)} }}\n"
        for family in FAMILIES
        for name, elements in _elements(family, forwards).items()
        if elements
    )


def _elements(family: str, forwards: Forwards) -> dict[str, list[str]]:
    """Return the elements of each map of a family's table."""
    found: dict[str, list[str]] = {OF_ALL: [], OF_ONE: []}
    for guest, its in forwards.items():
        for one in its if _is_of(family, guest) else ():
            if one.address and not _is_of(family, one.address):
                continue
            name, of = (OF_ONE, f"{one.address} . ") if one.address else (OF_ALL, "")
            found[name] += [
                f"{of}{one.protocol} . {one.port + n} : {guest} . {one.guest_port + n}"
                for n in range(one.count)
            ]
    return found


def _is_of(family: str, address: str) -> bool:
    return (":" in address) == (family == "ip6")
