"""Cards of real containers, changed while they run, felt from the node and inside."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest
from tests.reach import is_reached, pings

from wirt.approaches.lxc.checkpoint import find_init
from wirt.host import process
from wirt.model.guest import Guest


@pytest.fixture
def web(home: HomeUnderTest) -> HomeUnderTest:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    return home


def subnets(home: HomeUnderTest) -> tuple[str, str]:
    """Return what the home's IPv4 and IPv6 addresses begin with."""
    reach = json.loads(home.wirt("network", "show", "--json", status=0).stdout)["reach"]
    return reach["subnet"].rpartition(".")[0], reach["range6"].partition("/")[0]


def inside(home: HomeUnderTest, *argv: str) -> str:
    return home.wirt("exec", "web", "--", *argv, status=0).stdout


def test_container_is_reached_at_each_address_that_it_has_now(web: HomeUnderTest) -> None:
    first, range6 = subnets(web)
    four, six = f"{first}.77", f"{range6}77"
    own = json.loads(web.wirt("show", "web", "--json", status=0).stdout)["all_addresses"]
    added = web.wirt("set", "web", "--ip-add", four, "--ip-add", six.upper(), status=0).stdout
    reached = [
        is_reached(one) for one in (own[0].partition("/")[0], own[1].partition("/")[0], four, six)
    ]
    web.wirt("set", "web", "--ip-remove", four, "--mtu", "1400", status=0)
    shown = web.wirt("show", "web", status=0).stdout
    reached_later = [pings(one) for one in (four, six)]
    mtu = inside(web, "cat", "/sys/class/net/eth0/mtu")
    web.wirt("restart", "web", status=0)

    assert added == f"guest web has the addresses {own[0].partition('/')[0]}, {four}, {six} now\n"
    assert reached == [True, True, True, True]
    assert reached_later == [False, True]
    assert f"address      {six}\nmac" in shown
    assert "mtu          1400\n" in shown
    assert mtu == "1400\n"
    assert is_reached(six)
    assert inside(web, "cat", "/sys/class/net/eth0/mtu") == "1400\n"


def named(home: HomeUnderTest, name: str) -> Guest:
    return next(guest for guest in home.guests() if guest.name == name)


def test_private_network_joins_its_guests_and_nobody_else(home: HomeUnderTest) -> None:
    added = home.wirt("network", "add", "back", "--subnet", "192.168.77.0/24", status=0).stdout
    for name in ("web", "db", "alone"):
        home.wirt("create", "-t", TINY, name, status=0)
    home.wirt("card", "add", "db", "--network", "back", "--address", "192.168.77.9", status=0)
    for name in ("web", "db", "alone"):
        home.wirt("start", name, status=0)
    said = home.wirt("card", "add", "web", "--network", "back", "--mtu", "1400", status=0).stdout
    web, db = named(home, "web").cards[0], named(home, "db").cards[0]
    db6 = json.loads(home.wirt("card", "list", "db", "--json", status=0).stdout)[1][
        "all_addresses"
    ][1]
    listed = home.wirt("network", "list", status=0).stdout
    reaches = {
        (name, address): is_reached(address, home, name)
        for name, address in (
            ("web", "192.168.77.9"),
            ("web", db6.partition("/")[0]),
            ("db", web.addresses[0]),
        )
    }
    kept_out = [pings("192.168.77.9", home, "alone"), pings("192.168.77.9")]
    bridge = f"wirt-{home.home.tag}.1"
    used = home.wirt("network", "remove", "back").stderr
    home.wirt("card", "remove", "web", "eth1", status=0)
    gone = inside(home, "ls", "/sys/class/net").split()
    home.wirt("restart", "db", status=0)
    after = is_reached(db.addresses[0], home, "db")
    home.wirt("card", "remove", "db", "eth1", status=0)
    home.wirt("network", "remove", "back", status=0)

    assert added == "network back added: 192.168.77.0/24\n"
    assert said == f"guest web has the card eth1 now: {web.addresses[0]}\n"
    assert listed == "NAME  SUBNET           GUESTS\nback  192.168.77.0/24  db, web\n"
    assert set(reaches.values()) == {True}
    assert kept_out == [False, False]
    assert used == (
        "wirt: network back is used by the guests db, web; remove their cards first: wirt card remove\n"
    )
    assert gone == ["eth0", "lo"]
    assert after
    assert not Path(f"/sys/class/net/{bridge}").exists()


def test_checkpointed_container_goes_on_with_every_card(web: HomeUnderTest) -> None:
    web.wirt("network", "add", "back", status=0)
    web.wirt("create", "-t", TINY, "db", status=0)
    web.wirt("start", "db", status=0)
    for name in ("web", "db"):
        web.wirt("card", "add", name, "--network", "back", status=0)
    db = json.loads(web.wirt("card", "list", "db", "--json", status=0).stdout)
    gateways = inside(web, "ip", "route"), inside(web, "ip", "-6", "route")
    web.wirt("checkpoint", "web", status=0)
    web.wirt("resume", "web", status=0)
    reached = [
        is_reached(address.partition("/")[0], web, "web")
        for card in db
        for address in card["all_addresses"]
    ]

    assert reached == [True] * 4
    assert (inside(web, "ip", "route"), inside(web, "ip", "-6", "route")) == gateways


def test_device_of_the_node_is_the_guests_until_it_ends(web: HomeUnderTest) -> None:
    device = f"d{web.home.tag}"
    shown = Path(f"/sys/class/net/{device}")
    subprocess.run(["ip", "link", "add", device, "type", "veth", "peer", f"p{device}"], check=True)
    try:
        web.wirt("card", "add", "web", "--device", device, "--address", "192.0.2.7/24", status=0)
        away = [shown.exists()]
        has = inside(web, "ip", "address", "show", device)
        web.wirt("stop", "--force", "web", status=0)
        back = [shown.exists()]
        web.wirt("start", "web", status=0)
        away.append(shown.exists())
        web.wirt("stop", "web", status=0)
        back.append(shown.exists())
        web.wirt("start", "web", status=0)
        web.wirt("card", "remove", "web", device, status=0)
        back.append(shown.exists())
        addresses = subprocess.check_output(["ip", "address", "show", device], text=True)
    finally:
        subprocess.run(["ip", "link", "delete", device], check=True)

    assert away == [False, False]
    assert back == [True, True, True]
    assert "192.0.2.7/24" in has
    assert "192.0.2.7" not in addresses


@pytest.mark.parametrize(
    ("ending", "is_lent"),
    [
        (["stop", "web"], True),
        (["stop", "--force", "web"], True),
        (["card", "remove", "web", "DEVICE"], False),
        (["exec", "web", "--", "poweroff", "-f"], True),
    ],
    ids=["stop", "force", "remove", "inside"],
)
def test_device_comes_back_whatever_the_guest_has_made_of_it(
    web: HomeUnderTest, ending: list[str], is_lent: bool
) -> None:
    device = f"d{web.home.tag}"
    shown = Path(f"/sys/class/net/{device}")
    subprocess.run(["ip", "link", "add", device, "type", "veth", "peer", f"p{device}"], check=True)
    try:
        mac, number = shown.joinpath("address").read_text(), shown.joinpath("ifindex").read_text()
        web.wirt("card", "add", "web", "--device", device, "--address", "192.0.2.7/24", status=0)
        handle = named(web, "web").handle
        assert handle is not None
        assert handle.pid is not None
        # Another one takes its name, and a third what ip calls the one with its number.
        misleading = (
            f"link set {device} down\n"
            f"link set {device} address 02:00:00:00:00:99\n"
            f"link set {device} name $(id)\n"
            f"link add {device} type bridge\n"
            f"link add if{number.strip()} type bridge\n"
        )
        init = find_init(web.home.place(named(web, "web").id).name)
        enter = ["nsenter", f"--net=/proc/{init}/ns/net", "ip", "-batch", "-"]
        subprocess.run(enter, input=misleading, text=True, check=True)
        web.wirt(*(device if one == "DEVICE" else one for one in ending))
        assert not is_lent or process.wait_gone(handle.pid, 20)
        back = shown.joinpath("address").read_text(), shown.joinpath("ifindex").read_text()
        if is_lent:
            web.wirt("start", "web", status=0)
    finally:
        subprocess.run(["ip", "link", "delete", f"p{device}"], check=True)

    assert back == (mac, number)


def test_card_that_cannot_be_is_refused(web: HomeUnderTest) -> None:
    web.wirt("create", "-t", TINY, "-a", "chroot", "bare", status=0)
    web.wirt("network", "add", "back", status=0)
    web.wirt("card", "add", "web", "--name", "lan", "--mac", "02:00:5e:00:53:01", status=0)
    refused = [
        web.wirt(*command).stderr
        for command in (
            ["card", "add", "bare"],
            ["card", "add", "web", "--network", "front"],
            ["card", "add", "web", "--name", "no/name"],
            ["card", "add", "web", "--name", "lan"],
            ["card", "add", "web", "--mac", "03:00:5e:00:53:01"],
            ["card", "add", "web", "--mac", "02:00:5E:00:53:01"],
            ["card", "add", "web", "--device", "nowhere"],
            ["card", "add", "web", "--device", "lo"],
            ["card", "add", "web", "--device", "lan", "--network", "back"],
            ["card", "remove", "web", "eth0"],
            ["card", "remove", "web", "eth9"],
            ["network", "add", "back"],
            ["network", "add", "other", "--subnet", "8.8.8.0/24"],
            ["network", "remove", "front"],
        )
    ]

    assert refused == [
        "wirt: guest bare cannot have another card: it has none of its own; give it another approach\n",
        "wirt: there is no network front; see wirt network list\n",
        "wirt: 'no/name' is not a name of a card; use at most 15 letters, digits, hyphens and "
        "underscores, a letter first, such as eth1\n",
        "wirt: guest web has a card lan already; choose another name\n",
        "wirt: '03:00:5e:00:53:01' is not the MAC of a card; write six pairs of digits, such as "
        "02:00:5e:00:53:01; the first pair is even\n",
        "wirt: the MAC 02:00:5e:00:53:01 is that of card lan of guest web; choose another or leave "
        "--mac out\n",
        "wirt: this node has no interface nowhere; see ip link\n",
        "wirt: 'lo' is the loopback, which every guest has for itself; choose another, such as eth1\n",
        "wirt: a device of the node keeps its name and MAC, and is on no network of Wirt's; leave "
        "--name, --mac, --network and --routed out\n",
        "wirt: the first card of guest web cannot be removed; see wirt card list web for the others\n",
        "wirt: guest web has no card eth9; see wirt card list web\n",
        "wirt: there is a network back already; choose another name\n",
        "wirt: 8.8.8.0/24 cannot be a private network's; choose a private one of /16 to /29, such as "
        "192.168.7.0/24\n",
        "wirt: there is no network front; see wirt network list\n",
    ]


def test_address_of_somebody_else_or_of_nobody_here_is_refused(web: HomeUnderTest) -> None:
    web.wirt("create", "-t", TINY, "other", status=0)
    other = next(guest for guest in web.guests() if guest.name == "other")
    first, range6 = subnets(web)
    web.wirt("set", "other", "--ip-add", f"{range6}5", status=0)
    refused = [
        web.wirt("set", "web", *options).stderr
        for options in (
            ["--ip-add", other.address],
            ["--ip-add", f"{range6}5"],
            ["--ip-remove", f"{first}.77"],
            ["--mtu", "70000"],
        )
    ]
    web.wirt("set", "web", "--ip-add", f"{range6}6", status=0)
    twice = web.wirt("set", "web", "--ip-add", f"{range6}6").stderr

    assert refused == [
        f"wirt: address {other.address} is in use by guest other; choose another or leave it out\n",
        f"wirt: address {range6}5 is in use by guest other; choose another or leave it out\n",
        f"wirt: guest web has no address {first}.77 beside its first; see wirt show web\n",
        "wirt: a card cannot have an MTU of 70000; give 1280 to 65535 bytes\n",
    ]
    assert twice == f"wirt: guest web has the address {range6}6 already; leave it out\n"
