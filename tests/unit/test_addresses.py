from ipaddress import IPv4Network

import pytest

from wirt.errors import Failed, InvalidInput
from wirt.network import addresses

SUBNET = IPv4Network("10.64.16.0/20")
OURS = "choose one of 10.64.16.0/20 or leave it out"
OTHER = "choose another of 10.64.16.0/20 or leave it out"


def test_choose_subnet_of_one_home_is_always_the_same() -> None:
    assert addresses.choose_subnet("abcd", []) == addresses.choose_subnet("abcd", [])
    assert addresses.choose_subnet("abcd", []) != addresses.choose_subnet("abce", [])


def test_choose_subnet_that_is_taken_takes_the_next() -> None:
    first = addresses.choose_subnet("abcd", [])
    second = addresses.choose_subnet("abcd", [first])

    assert int(second.network_address) == int(first.network_address) + 4096


def test_choose_subnet_avoids_a_route_inside_and_one_around() -> None:
    first = addresses.choose_subnet("abcd", [])
    inside = IPv4Network((int(first.network_address) + 256, 24))
    around = first.supernet(4)

    assert not addresses.choose_subnet("abcd", [inside]).overlaps(inside)
    assert not addresses.choose_subnet("abcd", [around]).overlaps(around)


def test_choose_subnet_goes_round_at_the_end() -> None:
    first = IPv4Network("10.64.0.0/20")
    rest = [net for net in IPv4Network("10.64.0.0/10").subnets(new_prefix=20) if net != first]

    assert addresses.choose_subnet("abcd", rest) == first


def test_choose_subnet_when_all_is_taken_fails() -> None:
    with pytest.raises(Failed) as caught:
        addresses.choose_subnet("abcd", [IPv4Network("10.0.0.0/8")])

    assert str(caught.value) == "every subnet of 10.64.0.0/10 has a route on this node"


def test_check_address_of_ours_returns_it() -> None:
    assert addresses.check_address("10.64.31.254", SUBNET) == "10.64.31.254"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.64.16", f"'10.64.16' is not an IPv4 address; {OURS}"),
        ("::1", f"'::1' is not an IPv4 address; {OURS}"),
        ("10.64.16.02", f"'10.64.16.02' is not an IPv4 address; {OURS}"),
        ("10.64.32.0", f"address 10.64.32.0 is not ours; {OURS}"),
        ("10.64.16.0", f"address 10.64.16.0 belongs to the network itself; {OTHER}"),
        ("10.64.16.1", f"address 10.64.16.1 belongs to the network itself; {OTHER}"),
        ("10.64.31.255", f"address 10.64.31.255 belongs to the network itself; {OTHER}"),
    ],
)
def test_check_address_of_none_of_ours_says_why(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        addresses.check_address(text, SUBNET)

    assert str(caught.value) == message


def test_free_address_begins_at_the_id_and_skips_what_is_taken() -> None:
    assert addresses.free_address(SUBNET, set(), "000000") == "10.64.16.2"
    assert addresses.free_address(SUBNET, set(), "000100") == "10.64.17.2"
    assert addresses.free_address(SUBNET, {"10.64.16.2", "10.64.16.3"}, "000000") == "10.64.16.4"
    assert addresses.free_address(SUBNET, {"10.64.31.254"}, "000ffc") == "10.64.16.2"


def test_free_address_when_all_are_taken_says_what_to_do() -> None:
    taken = {str(address) for address in SUBNET.hosts()}
    with pytest.raises(Failed) as caught:
        addresses.free_address(SUBNET, taken, "00ab12")

    assert str(caught.value) == (
        "every address of 10.64.16.0/20 is taken; destroy a guest that is not needed"
    )
    assert len(taken) - 1 == 4093


def test_mac_is_local_single_and_differs_by_home_and_guest() -> None:
    macs = {
        addresses.mac_of(tag, guest) for tag in ("abcd", "zzzz") for guest in ("12ab34", "ffffff")
    }

    assert len(macs) == 4
    assert all(int(mac[:2], 16) & 3 == 2 for mac in macs)
    assert all(len(mac) == 17 for mac in macs)
