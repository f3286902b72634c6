from ipaddress import IPv4Network
from pathlib import Path

import pytest

from wirt.model.forward import parse_forward
from wirt.network import nat

GOLDEN = Path(__file__).parents[1] / "golden" / "nat"
FORWARDS = {
    "10.64.16.2": [parse_forward("8080:80"), parse_forward("7000-7002:53-55/udp")],
    "10.64.16.3": [parse_forward("192.0.2.2:443:443")],
}


@pytest.mark.parametrize("outbound", [True, False])
def test_table_is_the_golden_one(outbound: bool) -> None:
    text = nat.build_table(
        "wirt-abcd",
        IPv4Network("10.64.16.0/20"),
        outbound=outbound,
        switched=["eth0", "eth1"],
        proxied=["203.0.113.9"],
    )

    assert text == (GOLDEN / f"{'open' if outbound else 'closed'}.nft").read_text()


def test_opening_and_withdrawal_are_the_golden_ones() -> None:
    text = nat.build_opening("wirt-abcd", FORWARDS) + nat.build_withdrawal("wirt-abcd", FORWARDS)

    assert text == (GOLDEN / "forwards.nft").read_text()


def test_removal_is_no_error_if_there_is_no_table() -> None:
    text = nat.build_removal("wirt-abcd")

    assert text == "add table ip wirt-abcd\ndelete table ip wirt-abcd\n"
