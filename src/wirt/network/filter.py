"""What a home's packet filter says, made from values alone: one nft table of the bridge family for one bridge.

Every port of the bridge that carries a guest's name is closed but for what the sets let through, so a card is open
only while it is in them, and a crash at any point leaves a card that is closed. The rules are the same for every guest:
to add a guest is to add a few elements, whatever else runs.

- From a guest comes only IPv4 and IPv6 with its own MAC and addresses, and ARP and neighbour discovery that say nothing else
  of their sender. The rest is dropped where a frame enters the bridge, before the bridge learns from it: what only a router
  says, DHCP, tagged frames.
- Of a guest with several cards on one bridge, each may also send from the addresses of the others: its kernel answers by
  whichever of them its routes name, which is the first. It says of itself in ARP and neighbour discovery only what is its own.
- To a guest goes only what is for its own MAC, and broadcasts: never a frame that the bridge floods because it does not
  know whose it is.

Of IPv6, a card has the addresses that it was given and the link-local one that follows from its MAC, from which its kernel
asks whether neighbours are still there. Neighbour discovery (RFC 4861) is let through in the two forms in which kernels send
it: without an option, and with the one that holds the sender's MAC. That option and the address that an advertisement is
about are compared by their places in the packet: nft has no names for them before 1.0.9.

A tag is asked for by its place in the frame: the kernel has taken it off and shows the protocol behind it. Frames to the
bridge group address 01:80:c2:00:00:02 pass by these rules on their way to the node; they are dropped there, and the bridge
is made so that it learns nothing from them (``no_linklocal_learn``) and treats the other group addresses as any
(``group_fwd_mask``). Syntax: nft(8) of nftables 1.0; ICMPv6 is the number 58, because its name is in a file that not every node has.

Cards on private networks are in a set more: what comes from them to the node itself is dropped, which would take packets for
any of its addresses. Routed cards are in another: between them the bridge carries nothing, and the node does not tell one of them,
as it would, that another is its neighbour.

A guest whose memory is about to be written is sent nothing. What it sends is let through, for it would not be sent again before the
guest runs elsewhere; but not once the guest stands still. Its kernel goes on sending again what nobody acknowledges, with the time of
day (RFC 7323), and who has heard that takes what the guest says elsewhere, going on from the time that was written, for old.

A second table of the same name, of the ip6 family, keeps IPv6 from being forwarded out of the bridge or into it: of IPv4 the
bridge's own ``forwarding`` does that, but of IPv6 the kernel asks one switch for all interfaces.
"""

from collections.abc import Iterable
from ipaddress import IPv6Address

from wirt.host.nftset import Element
from wirt.model.resources import Nic
from wirt.network import addresses

PORTS = "ports"
"""The set of the cards that are let through."""
SETTLING, CLOSED, SILENT = "settling", "closed", "silent"
"""The sets of the cards to which no new connection goes, to which nothing goes, and from which nothing comes."""

_SOURCE_LINK, _TARGET_LINK = "0101", "0201"
"""Type and length of the options of neighbour discovery that hold a MAC."""


def build_table(table: str, ports: str, cards: Iterable[Nic]) -> str:
    """Return the commands that make the table, in the place of one that may be there.

    Args:
        table: its name, which is the bridge's.
        ports: what the names of the guests' interfaces begin with, and no other interface's does.
        cards: whom it lets through.
    """
    return f"""\
add table bridge {table}
flush table bridge {table}
table bridge {table} {{
	set {PORTS} {{
		type ifname . ether_addr
	}}
	set cards {{
		type ifname . ether_addr . ipv4_addr
	}}
	set cards6 {{
		type ifname . ether_addr . ipv6_addr
	}}
	set shared {{
		type ifname . ether_addr . ipv4_addr
	}}
	set shared6 {{
		type ifname . ether_addr . ipv6_addr
	}}
	set targets {{
		typeof iifname . @th,64,128
	}}
	set private {{
		type ifname
	}}
	set routed {{
		type ifname
	}}
	set links {{
		typeof iifname . @th,192,64
	}}
	set {SETTLING} {{
		type ifname
	}}
	set {CLOSED} {{
		type ifname
	}}
	set {SILENT} {{
		type ifname
	}}
	chain from-guest {{
		@ll,96,16 {{ 0x8100, 0x88a8 }} drop
		iifname . ether saddr . ip saddr @cards accept
		iifname . ether saddr . ip6 saddr @cards6 goto ipv6-from-guest
		iifname . ether saddr . ip saddr @shared accept
		iifname . ether saddr . ip6 saddr @shared6 goto ipv6-from-guest
		iifname . ether saddr . arp saddr ip @cards iifname . arp saddr ether . arp saddr ip @cards accept
		drop
	}}
	chain ipv6-from-guest {{
		icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} goto discovery
		icmpv6 type {{ nd-router-solicit, nd-router-advert, nd-redirect }} drop
		accept
	}}
	chain discovery {{
		ip6 nexthdr != 58 drop
		icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @targets drop
		ip6 length 24 accept
		ip6 length 32 iifname . @th,192,64 @links accept
		drop
	}}
	chain from-guests {{
		type filter hook prerouting priority -300; policy accept;
		iifname @{SILENT} drop
		iifname "{ports}*" jump from-guest
	}}
	chain to-node {{
		type filter hook input priority -200; policy accept;
		iifname @private drop
		iifname "{ports}*" ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 drop
	}}
	chain between {{
		type filter hook forward priority 0; policy accept;
		iifname @routed drop
		oifname @routed drop
	}}
	chain to-guests {{
		type filter hook postrouting priority 300; policy accept;
		oifname @{CLOSED} drop
		oifname @{SETTLING} tcp flags & (syn | ack) == syn drop
		oifname @routed icmp type redirect drop
		oifname @routed icmpv6 type nd-redirect drop
		oifname "{ports}*" ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 oifname . ether daddr != @{PORTS} drop
	}}
}}
""" + "".join(build_admission(table, card) for card in cards)


def build_confinement(table: str) -> str:
    """Return the commands that make the second table, on a node whose kernel has IPv6; again is no error."""
    inside = build_inside(table)
    return f"""\
add table ip6 {table}
flush table ip6 {table}
table ip6 {table} {{
	chain through {{
		type filter hook forward priority 0; policy accept;
		iifname {inside} oifname {inside} accept
		iifname {inside} drop
		oifname {inside} drop
	}}
}}
"""


def build_inside(table: str) -> str:
    """Return the bridges between which the node forwards a home's packets, as nft takes them, there or not."""
    return f'{{ "{table}", "{table}.r" }}'


def build_admission(table: str, card: Nic) -> str:
    """Return the commands that let a card through; again is no error."""
    return "".join(
        f"add element bridge {table} {name} {{ {element} }}\n" for name, element in elements(card)
    )


def build_removal(table: str, *, ipv6: bool) -> str:
    """Return the commands that take the table away, and the second one; no error if they are gone."""
    return "".join(
        f"add table {family} {table}\ndelete table {family} {table}\n"
        for family in ("bridge", *(["ip6"] if ipv6 else []))
    )


def cut_elements(card: Nic) -> list[Element]:
    """Return what the sets hold of a card that is cut off, ``SETTLING`` first."""
    return [(name, f'"{card.interface}"') for name in (SETTLING, CLOSED)]


def silent_element(card: Nic) -> Element:
    """Return what the sets hold of a card from which nothing comes."""
    return (SILENT, f'"{card.interface}"')


def elements(card: Nic) -> list[Element]:
    """Return what the sets hold of a card that is let through, ``PORTS`` first."""
    interface = f'"{card.interface}"'
    port = f"{interface} . {card.mac}"
    bare = [address.partition("/")[0] for address in card.addresses]
    found = [(PORTS, port), *(("cards", f"{port} . {one}") for one in bare if ":" not in one)]
    of_others = [address.partition("/")[0] for address in card.shared]
    found += [("shared", f"{port} . {one}") for one in of_others if ":" not in one]
    if card.is_private:
        found.append(("private", interface))
    if card.is_routed:
        found.append(("routed", interface))
    if card.has_ipv6:
        for one in (addresses.link_local(card.mac), *(one for one in bare if ":" in one)):
            found.append(("cards6", f"{port} . {one}"))
            found.append(("targets", f"{interface} . 0x{int(IPv6Address(one)):032x}"))
        found += [("shared6", f"{port} . {one}") for one in of_others if ":" in one]
        digits = card.mac.replace(":", "")
        options = (_SOURCE_LINK, _TARGET_LINK)
        found += [("links", f"{interface} . 0x{option}{digits}") for option in options]
    return found
