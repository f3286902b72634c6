"""What a home's packet filter says, made from values alone: one nft table of the bridge family for one bridge.

Every port of the bridge that carries a guest's name is closed but for what the two sets let through, so a card is open
only while it is in them, and a crash at any point leaves a card that is closed. The rules are the same for every guest:
to add a guest is to add two elements, whatever else runs.

- From a guest comes only IPv4 with its own MAC and address, and ARP that says nothing else of its sender. The rest is
  dropped where a frame enters the bridge, before the bridge learns from it: IPv6, of which no guest has an address,
  DHCP, tagged frames.
- To a guest goes only what is for its own MAC, and broadcasts: never a frame that the bridge floods because it does not
  know whose it is.

A tag is asked for by its place in the frame: the kernel has taken it off and shows the protocol behind it. Frames to the
bridge group address 01:80:c2:00:00:02 pass by these rules on their way to the node; they are dropped there, and the bridge
is made so that it learns nothing from them (``no_linklocal_learn``) and treats the other group addresses as any
(``group_fwd_mask``). Syntax: nft(8) of nftables 1.0.
"""

from collections.abc import Iterable

from wirt.host.nftset import Element
from wirt.model.resources import Nic

PORTS = "ports"
"""The set of the cards that are let through."""


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
	chain from-guest {{
		@ll,96,16 {{ 0x8100, 0x88a8 }} drop
		iifname . ether saddr . ip saddr @cards accept
		iifname . ether saddr . arp saddr ip @cards iifname . arp saddr ether . arp saddr ip @cards accept
		drop
	}}
	chain from-guests {{
		type filter hook prerouting priority -300; policy accept;
		iifname "{ports}*" jump from-guest
	}}
	chain to-node {{
		type filter hook input priority -200; policy accept;
		iifname "{ports}*" ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 drop
	}}
	chain to-guests {{
		type filter hook postrouting priority 300; policy accept;
		oifname "{ports}*" ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 oifname . ether daddr != @{PORTS} drop
	}}
}}
""" + "".join(build_admission(table, card) for card in cards)


def build_admission(table: str, card: Nic) -> str:
    """Return the commands that let a card through; again is no error."""
    return "".join(
        f"add element bridge {table} {name} {{ {element} }}\n" for name, element in elements(card)
    )


def build_removal(table: str) -> str:
    """Return the commands that take the table away; no error if it is gone."""
    return f"add table bridge {table}\ndelete table bridge {table}\n"


def elements(card: Nic) -> list[Element]:
    """Return what the sets hold of a card that is let through, ``PORTS`` first."""
    port = f'"{card.interface}" . {card.mac}'
    return [(PORTS, port), ("cards", f"{port} . {card.address}")]
