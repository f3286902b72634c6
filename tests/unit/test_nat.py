from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from wirt.model.forward import parse_forward
from wirt.network import nat, uplinks

GOLDEN = Path(__file__).parents[1] / "golden" / "nat"
FORWARDS = {
    "10.64.16.2": [parse_forward("8080:80"), parse_forward("7000-7002:53-55/udp")],
    "10.64.16.3": [parse_forward("192.0.2.2:443:443")],
    "fd12:3456:789a::a40:1002": [
        parse_forward("8080:80"),
        parse_forward("192.0.2.2:80:80"),
        parse_forward("[2001:db8::2]:443:443"),
    ],
}
SUBNETS: dict[str, IPv4Network | IPv6Network] = {
    "ip": IPv4Network("10.64.16.0/20"),
    "ip6": IPv6Network("fd12:3456:789a::/64"),
}


@pytest.mark.parametrize("family", nat.FAMILIES)
@pytest.mark.parametrize("outbound", [True, False])
def test_table_is_the_golden_one(family: str, outbound: bool) -> None:
    text = nat.build_table(
        family,
        "wirt-abcd",
        SUBNETS[family],
        outbound=outbound,
        switched=["eth0", "eth1"],
        proxied=["203.0.113.9", "2001:db8::9"],
    )
    name = f"{'open' if outbound else 'closed'}{'6' if family == 'ip6' else ''}.nft"

    assert text == (GOLDEN / name).read_text()


def test_node_that_forwards_all_ipv6_for_guests_forwards_none_for_others() -> None:
    text = nat.build_table(
        "ip6", "wirt-abcd", SUBNETS["ip6"], outbound=True, switched=[uplinks.ALL]
    )

    assert 'iifname != "wirt-*" oifname != "wirt-*" drop' in text


def test_opening_and_withdrawal_are_the_golden_ones() -> None:
    text = nat.build_opening("wirt-abcd", FORWARDS) + nat.build_withdrawal("wirt-abcd", FORWARDS)

    assert text == (GOLDEN / "forwards.nft").read_text()


def test_removal_is_no_error_if_there_is_no_table() -> None:
    text = nat.build_removal("wirt-abcd")

    assert text == "add table ip wirt-abcd\ndelete table ip wirt-abcd\n"
