"""Routes of real containers: changed while they run, there again after each start, and seen to lead somewhere."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import homes
from tests.cli.test_ended_inside import reboot
from tests.cli.test_migrate import Pair
from tests.conftest import TINY
from tests.homes import HomeUnderTest
from tests.netns import other_network
from tests.reach import is_reached, pings

NET, NET6, FAR = "198.51.100.0/24", "2001:db8::/32", "203.0.113.1"


@pytest.fixture
def web(home: HomeUnderTest) -> HomeUnderTest:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    return home


def ways(home: HomeUnderTest) -> list[str]:
    """Return the routes of the container that lead to elsewhere, but for the default ones."""
    said = "".join(
        home.wirt("exec", "web", "--", "ip", family, "route", status=0).stdout
        for family in ("-4", "-6")
    )
    return [
        " ".join(line.split()[:5])
        for line in said.splitlines()
        if " via " in line and not line.startswith("default")
    ]


def gateways(home: HomeUnderTest) -> tuple[str, str]:
    """Return an IPv4 and an IPv6 address that the container's first card reaches."""
    said = home.wirt("exec", "web", "--", "ip", "-6", "route", "show", "default").stdout
    return f"{home.guests()[0].address.rpartition('.')[0]}.77", said.split()[2]


def test_routes_are_there_at_once_and_after_every_start(web: HomeUnderTest) -> None:
    four, six = gateways(web)
    added = web.wirt(
        "set", "web", "--route-add", f"{NET}={four}", "--route-add", f"{NET6}={six}", status=0
    ).stdout
    expected = [f"{NET} via {four} dev eth0", f"{NET6} via {six} dev eth0"]
    found = [ways(web)]
    shown = web.wirt("show", "web", status=0).stdout
    web.wirt("restart", "web", status=0)
    found.append(ways(web))
    reboot(web, "web", "reboot", "-f")
    found.append(ways(web))
    web.wirt("checkpoint", "web", status=0)
    web.wirt("resume", "web", status=0)
    found.append(ways(web))
    web.wirt("clone", "web", "twin", status=0)
    cloned = web.wirt("show", "twin", status=0).stdout
    gone = web.wirt("set", "web", "--route-remove", NET, status=0).stdout
    left = ways(web)
    web.wirt("set", "web", "--route-remove", "all", status=0)

    assert added == f"guest web has the routes {NET} via {four}, {NET6} via {six} now\n"
    assert found == [expected] * 4
    assert all(f"route        {one}\n" in said for said in (shown, cloned) for one in expected)
    assert gone == f"guest web has the routes {NET6} via {six} now\n"
    assert left == expected[1:]
    assert ways(web) == []


def test_route_by_another_gateway_takes_the_place_of_the_one_before(web: HomeUnderTest) -> None:
    four, _ = gateways(web)
    other = f"{four.rpartition('.')[0]}.78"
    web.wirt("set", "web", "--route-add", f"{NET}={four}", status=0)
    web.wirt("set", "web", "--route-remove", NET, "--route-add", f"{NET}={other}", status=0)

    assert ways(web) == [f"{NET} via {other} dev eth0"]


def test_route_leads_by_a_device_to_who_is_behind_its_gateway(web: HomeUnderTest) -> None:
    device = f"d{web.home.tag}"
    with other_network() as netns:
        pid = netns.split("/")[2]
        enter = ["nsenter", f"--net={netns}", "ip"]
        for argv in (
            ["ip", "link", "add", device, "type", "veth", "peer", "name", "p0", "netns", pid],
            [*enter, "address", "add", "192.0.2.1/24", "dev", "p0"],
            [*enter, "address", "add", f"{FAR}/32", "dev", "lo"],
            [*enter, "link", "set", "p0", "up"],
        ):
            subprocess.run(argv, check=True)
        try:
            has = ["--address", "192.0.2.7/24", "--route", "203.0.113.0/24=192.0.2.1"]
            web.wirt("card", "add", "web", "--device", device, *has, status=0)
            reached = [is_reached(FAR, web, "web")]
            web.wirt("restart", "web", status=0)
            reached.append(is_reached(FAR, web, "web"))
            said = web.wirt("card", "set", "web", device, "--route-remove", "all", status=0).stdout
            reached.append(pings(FAR, web, "web"))
            listed = web.wirt("card", "list", "web", status=0).stdout
            web.wirt("card", "remove", "web", device, status=0)
        finally:
            subprocess.run(["ip", "link", "delete", device], check=True)

    assert reached == [True, True, False]
    assert said == f"card {device} of guest web has no routes now\n"
    assert listed.splitlines()[0].split() == [
        "NAME",
        "NETWORK",
        "MAC",
        "MTU",
        "RATES",
        "ROUTES",
        "ADDRESSES",
    ]


def test_route_that_cannot_be_is_refused_and_changes_nothing(web: HomeUnderTest) -> None:
    four, _ = gateways(web)
    web.wirt("set", "web", "--route-add", f"{NET}={four}", status=0)
    refused = [
        web.wirt(*asked).stderr
        for asked in (
            ["set", "web", "--route-add", f"{NET}={four}"],
            ["set", "web", "--route-add", "192.0.2.0/24=192.0.2.1"],
            ["set", "web", "--route-remove", "192.0.2.0/24"],
            ["set", "web", "--route-add", "192.0.2.0/24"],
            ["card", "set", "web", "eth7", "--route-add", f"{NET}={four}"],
        )
    ]

    assert (
        refused[0]
        == f"wirt: guest web has a route to {NET} already, by card eth0; remove that first\n"
    )
    assert refused[1].startswith(
        "wirt: card eth0 does not reach the gateway 192.0.2.1; choose one of "
    )
    assert (
        refused[2]
        == "wirt: card eth0 of guest web has no route to 192.0.2.0/24; see wirt show web\n"
    )
    assert refused[3] == (
        "wirt: invalid value for '--route-add': '192.0.2.0/24' is not a route; write it as "
        "NETWORK=GATEWAY, such as 192.0.2.0/24=10.64.16.9; see wirt set --help\n"
    )
    assert refused[4] == "wirt: guest web has no card eth7; see wirt card list web\n"
    assert ways(web) == [f"{NET} via {four} dev eth0"]


@pytest.fixture
def pair(web: HomeUnderTest, tiny_templates: Path) -> Iterator[Pair]:
    with homes.open_base() as base, other_network() as netns:
        there = HomeUnderTest(base)
        there.give_templates(tiny_templates)
        made = Pair(web, there, netns)
        made.add()
        yield made
        for guest in there.guests():
            made.on_b("destroy", "--force", guest.name)


@pytest.mark.parametrize("mode", ["live", "refresh"])
def test_routes_go_with_a_guest_to_another_node(pair: Pair, mode: str) -> None:
    four, six = gateways(pair.here)
    pair.here.wirt(
        "set", "web", "--route-add", f"{NET}={four}", "--route-add", f"{NET6}={six}", status=0
    )
    pair.here.wirt("migrate", "web", "b", "--mode", mode, status=0)
    has = pair.on_b("exec", "web", "--", "ip", "route") + pair.on_b(
        "exec", "web", "--", "ip", "-6", "route"
    )

    assert f"{NET} via {four} dev eth0" in has
    assert f"{NET6} via {six} dev eth0" in has
