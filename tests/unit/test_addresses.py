from ipaddress import IPv4Network, IPv6Address

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


RANGE6 = addresses.range_of(SUBNET)


def test_range_of_a_subnet_is_a_unique_local_64_and_always_the_same() -> None:
    assert addresses.range_of(IPv4Network("10.64.16.0/20")) == RANGE6
    assert addresses.range_of(IPv4Network("10.64.32.0/20")) != RANGE6
    assert (RANGE6.prefixlen, str(RANGE6)[:2]) == (64, "fd")
    assert addresses.gateway6(RANGE6) == str(RANGE6.network_address + 1)


def test_follower_of_an_address_ends_in_it() -> None:
    followed = addresses.follower(RANGE6, "10.64.16.2")

    assert followed.endswith("::a40:1002")
    assert IPv6Address(followed) in RANGE6


def test_link_local_address_is_the_one_of_the_mac() -> None:
    # The example of RFC 4291, appendix A, with a universal MAC.
    assert addresses.link_local("34:56:78:9a:bc:de") == "fe80::3656:78ff:fe9a:bcde"


@pytest.mark.parametrize("offset", ["80", "1:0:0:2", "a40:f"])
def test_further_ipv6_address_is_one_of_the_range_as_it_is_written_normally(offset: str) -> None:
    wanted = str(RANGE6.network_address).removesuffix("::") + f"::{offset}"

    assert addresses.check_further(wanted.upper(), SUBNET, RANGE6) == str(IPv6Address(wanted))


def test_further_ipv4_address_is_one_of_the_subnet() -> None:
    assert addresses.check_further("10.64.16.9", SUBNET, RANGE6) == "10.64.16.9"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fd::x", f"'fd::x' is not an IP address; choose one of 10.64.16.0/20 or {RANGE6}"),
        ("fe80::1", f"address fe80::1 is not ours; choose one of 10.64.16.0/20 or {RANGE6}"),
        (
            "fe80::1%eth0",
            f"address fe80::1%eth0 is not ours; choose one of 10.64.16.0/20 or {RANGE6}",
        ),
        (
            f"{RANGE6.network_address + 1}",
            f"address {RANGE6.network_address + 1} belongs to the network itself; choose another of "
            f"{RANGE6}",
        ),
        (
            addresses.follower(RANGE6, "10.64.16.7"),
            f"address {addresses.follower(RANGE6, '10.64.16.7')} is that of whoever has 10.64.16.7; "
            f"choose another of {RANGE6}, such as {RANGE6.network_address + 0x80}",
        ),
    ],
)
def test_further_address_that_cannot_be_had_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        addresses.check_further(text, SUBNET, RANGE6)

    assert str(caught.value) == message
