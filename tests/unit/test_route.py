"""Routes: how they are written, and which a card can have."""

from pathlib import Path

import pytest
from tests import fakes

from wirt.errors import InvalidInput, Unsupported
from wirt.model.route import Route, check_reachable, read_network, read_route
from wirt.ops.create import CreateRequest, create
from wirt.ops.routes import RoutesRequest, set_routes
from wirt.state.memory import MemoryStore

WAY = Route(to="192.0.2.0/24", via="10.64.16.9")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.0/24=10.64.16.9", WAY),
        ("192.0.2.7=10.64.16.9", Route(to="192.0.2.7/32", via="10.64.16.9")),
        ("2001:DB8::/32=FD00::1", Route(to="2001:db8::/32", via="fd00::1")),
    ],
)
def test_route_is_read_as_it_is_written_normally(text: str, expected: Route) -> None:
    assert read_route(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "192.0.2.0/24",
            "'192.0.2.0/24' is not a route; "
            "write it as NETWORK=GATEWAY, such as 192.0.2.0/24=10.64.16.9",
        ),
        (
            "192.0.2.0/24=node",
            "'node' is not the address of a gateway; "
            "write it as NETWORK=GATEWAY, such as 192.0.2.0/24=10.64.16.9",
        ),
        (
            "192.0.2.1/24=10.64.16.9",
            "'192.0.2.1/24' is not a network; write one such as 192.0.2.0/24, or one address",
        ),
        (
            "2001:db8::/32=10.64.16.9",
            "10.64.16.9 cannot lead to 2001:db8::/32: one is IPv6; "
            "write it as NETWORK=GATEWAY, such as 192.0.2.0/24=10.64.16.9",
        ),
        (
            "0.0.0.0/0=10.64.16.9",
            "the way to everywhere is that of the guest's first card; "
            "give two halves, which come before it, such as 0.0.0.0/1 and 128.0.0.0/1",
        ),
    ],
)
def test_what_is_no_route_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_route(text)

    assert str(caught.value) == message


def test_network_of_a_route_is_written_normally() -> None:
    assert read_network("2001:DB8:0::/48") == "2001:db8::/48"


HAS = ("10.64.16.5/20", "fd00::5/64")


@pytest.mark.parametrize("via", ["10.64.16.9", "10.64.31.254", "fd00::9"])
def test_gateway_on_a_network_of_the_card_is_reached(via: str) -> None:
    check_reachable("eth0", Route(to="192.0.2.0/24", via=via), HAS, [])


def test_gateway_that_the_card_is_told_of_is_reached() -> None:
    check_reachable("venet0", Route(to="192.0.2.0/24", via="169.254.1.1"), HAS, ["169.254.1.1"])


@pytest.mark.parametrize(
    ("via", "has", "message"),
    [
        (
            "10.64.32.1",
            HAS,
            "card eth0 does not reach the gateway 10.64.32.1; choose one of 10.64.16.1, 10.64.16.0/20",
        ),
        (
            "10.64.16.5",
            HAS,
            "10.64.16.5 is an address of card eth0 itself; name another as the gateway",
        ),
        (
            "fd01::1",
            ("10.64.16.5/20",),
            "card eth0 does not reach the gateway fd01::1; give it an address first",
        ),
    ],
)
def test_gateway_that_is_not_reached_is_refused(
    via: str, has: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_reachable("eth0", Route(to="192.0.2.0/24", via=via), has, ["10.64.16.1"])

    assert str(caught.value) == message


def test_guest_of_an_approach_that_keeps_its_own_routes_is_given_none(tmp_path: Path) -> None:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, CreateRequest(name="web", template="tiny", approach="fake"))
    with pytest.raises(Unsupported) as caught:
        set_routes(context, "web", "eth0", RoutesRequest(add=(WAY,)))

    assert str(caught.value) == (
        "guest web cannot be given routes: under fake they are its own system's; "
        "give it the approach lxc, or do it there"
    )
    assert context.store.find("web").routes == ()
