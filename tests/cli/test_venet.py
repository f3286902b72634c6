"""The addresses that vzctl gives a container, as OpenVZ's venet0 had them: felt inside, on the node and by its neighbours."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import homes
from tests.conftest import TINY
from tests.homes import BUSYBOX, HomeUnderTest
from tests.netns import NODE, OUTSIDE, Outside, is_forwarding
from tests.reach import is_reached, pings

PROGRAMS = Path(sys.executable).parent
OURS, MORE = "198.51.100.77", "203.0.113.8"
OURS6, NODE6, OUTSIDE6 = "2001:db8:5::77", "2001:db8:5::1", "2001:db8:5::2"


@pytest.fixture
def home(outside: Outside, tiny_templates: Path) -> Iterator[HomeUnderTest]:
    # Whoever was here before has left them.
    subprocess.check_call(f"ip address replace {NODE6}/64 dev eth0 nodad".split())
    outside.run(*f"ip address replace {OUTSIDE6}/64 dev eth0 nodad".split())
    subprocess.check_call(f"ip route replace default via {OUTSIDE6}".split())
    with homes.open_home(tiny_templates) as opened:
        etc = Path(opened.home.etc, "vz")
        etc.mkdir(parents=True)
        (etc / "vz.conf").write_text(f'DEF_OSTEMPLATE="{TINY}"\nCONFIGFILE="basic"\n')
        yield opened
    left = [setting("eth0", name) for name in ("forwarding", "proxy_ndp", "force_forwarding")]
    assert left == ["0", "0", "0"]
    assert not is_forwarding("eth0")
    assert subprocess.run(["nft", "list", "ruleset"], capture_output=True).stdout == b""
    for family in ("-4", "-6"):
        asked = ["ip", family, "neighbour", "show", "proxy"]
        assert subprocess.run(asked, capture_output=True).stdout == b""


def setting(interface: str, name: str) -> str:
    return Path(f"/proc/sys/net/ipv6/conf/{interface}/{name}").read_text().strip()


def is_found(outside: Outside, address: str) -> bool:
    """Return whether a neighbour of the node's finds a guest."""
    asked = outside.run(BUSYBOX, "ping", "-c4", "-W1", address, check=False)
    return "0 packets received" not in asked.stdout


def test_container_has_its_addresses_on_venet0_and_they_are_changed_while_it_runs(
    home: HomeUnderTest, outside: Outside
) -> None:
    home.type("vzctl create 101 && vzctl create 102 && vzctl start 101 && vzctl start 102")
    chosen = home.type("vzlist -H -o ip 101").split()
    neighbour = home.type("vzlist -H -o ip 102").split()[0]
    # Somebody else had it until now, as its neighbours have not forgotten.
    elsewhere = f"ip neighbour replace {OURS} lladdr 02:00:5e:00:53:01 dev eth0 nud reachable"
    outside.run(*elsewhere.split())
    home.type(f"vzctl set 101 --ipadd {OURS} --ipadd {OURS6} --save")
    believed = outside.run("ip", "neighbour", "show", OURS).stdout
    home.type(f"vzctl set 101 --ipadd {MORE}/24 --save")
    listed = home.type("vzlist -H -o ip 101").split()
    shown = home.type("vzctl exec 101 ip -oneline address show dev venet0")
    route = home.type("vzctl exec 101 ip route").splitlines()
    found = [is_found(outside, one) for one in (OURS, OURS6)]
    reached = [is_reached(one) for one in (OURS, OURS6, MORE)]
    between = is_reached(MORE, home, "102"), is_reached(neighbour, home, "101")
    goes_out = [pings(one, home, "101") for one in (OUTSIDE, OUTSIDE6)]
    kept_in = pings(OUTSIDE, home, "102")
    as_router = [setting("eth0", name) for name in ("forwarding", "proxy_ndp")]
    gone = pings(chosen[0])
    home.type(f"vzctl set 101 --ipdel {OURS} --ipdel {OURS6} --save")
    outside.run("ip", "neighbour", "flush", "all")
    lost = [is_found(outside, one) for one in (OURS, OURS6)]
    still = is_reached(MORE)
    home.type("vzctl restart 101 --fast")
    again = home.type("vzlist -H -o ip 101").split()
    home.type("vzctl set 101 --ipdel all --save")

    assert listed == [OURS, OURS6, MORE]
    assert f"inet {OURS}/32" in shown
    assert f"inet {MORE}/32" in shown
    assert f"inet6 {OURS6}/128" in shown
    assert f"inet {chosen[0]}/" not in shown
    assert route[0].startswith("default via 169.254.1.1 dev venet0")
    assert f"lladdr {Path('/sys/class/net/eth0/address').read_text().strip()} " in believed
    assert (found, reached, between) == ([True, True], [True, True, True], (True, True))
    assert (goes_out, kept_in) == ([True, True], False)
    assert as_router == ["1", "1"]
    assert not gone
    assert (lost, still) == ([False, False], True)
    assert again == [MORE]
    assert home.type("vzlist -H -o ip 101").split() == ["-"]
    assert "inet " not in home.type("vzctl exec 101 ip -oneline -4 address show dev venet0")


def test_address_that_a_neighbour_has_is_told_unless_nobody_wants_to_know(
    home: HomeUnderTest,
) -> None:
    beyond = "198.51.100.2"
    home.type("vzctl create 101")
    told = home.type(f"vzctl set 101 --ipadd {beyond} --save").splitlines()
    home.type(f"vzctl set 101 --ipdel {beyond} --save")
    skipped = home.type(f"vzctl set 101 --ipadd {beyond} --skip_arpdetect --save").splitlines()
    free = home.type(f"vzctl set 101 --ipadd {OURS} --save").splitlines()

    assert re.fullmatch(
        rf"Warning: address {beyond} is in use on eth0, by ([0-9a-f]{{2}}:){{5}}[0-9a-f]{{2}}",
        told[0],
    )
    assert [len(told), len(skipped), len(free)] == [2, 1, 1]


def test_what_was_not_saved_is_over_at_the_next_start(home: HomeUnderTest) -> None:
    home.type(f"vzctl create 101 --ipadd {MORE} && vzctl start 101")
    home.type(f"vzctl set 101 --ipadd {OURS}")
    both = home.type("vzlist -H -o ip 101").split()
    home.type("vzctl restart 101 --fast")

    assert both == [MORE, OURS]
    assert home.type("vzlist -H -o ip 101").split() == [MORE]
    assert is_reached(MORE)


def test_netif_add_gives_a_card_on_the_bridge_beside_venet0(home: HomeUnderTest) -> None:
    home.type("vzctl create 101 && vzctl start 101 && vzctl create 102 && vzctl start 102")
    for container in ("101", "102"):
        # The ends on the node have one MAC.
        home.type(f"vzctl set {container} --netif_add eth0 --save")
    listed = home.wirt("card", "list", "101", status=0).stdout.splitlines()
    bridged = listed[2].split()[-2].partition("/")[0]

    assert [line.split()[:2] for line in listed[1:]] == [["venet0", "routed"], ["eth0", "bridge"]]
    assert is_reached(bridged)
    assert is_reached(bridged, home, "102")
    asked = ["exec", "102", "--", "ping", "-c1", "-W5", "-I", "eth0", bridged]
    assert home.wirt(*asked).returncode == 0


def end_on_node(name: str) -> tuple[str, str] | None:
    """Return what Wirt calls an interface of the node that is called so too, and its MAC; None: there is none."""
    asked = ["ip", "-json", "link", "show", "dev", name]
    said = subprocess.run(asked, capture_output=True, text=True)
    found = json.loads(said.stdout)[0] if said.returncode == 0 else None
    return (found["ifname"], found["address"]) if found else None


def test_interface_is_known_on_the_node_by_the_name_and_mac_that_were_asked_for(
    home: HomeUnderTest,
) -> None:
    home.type("vzctl create 101 && vzctl start 101")
    guest = next(guest for guest in home.guests() if guest.name == "101")
    card = f"w{home.home.tag}{guest.id}.1"
    named, other = f"v{home.home.tag}.1", f"v{home.home.tag}.2"
    value = f"eth1,02:00:5e:00:53:01,{named},02:00:5e:00:53:02"
    home.type(f"vzctl set 101 --netif_add {value} --save")
    begun = end_on_node(named)
    address = next(guest for guest in home.guests() if guest.name == "101").cards[0].addresses[0]
    reached = is_reached(address)
    # Not saved, so it is over at the next start.
    changes = f"--host_ifname {other} --host_mac 02:00:5e:00:53:03 --mac 02:00:5e:00:53:04"
    home.type(f"vzctl set 101 --ifname eth1 {changes}")
    inside = home.type("vzctl exec 101 cat /sys/class/net/eth1/address").strip()
    changed, gone = end_on_node(other), end_on_node(named)
    reached_changed = is_reached(address)
    home.type("vzctl restart 101")
    restarted = end_on_node(named)
    reached_restarted = is_reached(address)
    taken = home.type(f"vzctl set 101 --netif_add eth2,,{named} --save", status=130)
    home.type("vzctl chkpnt 101 && vzctl restore 101")

    assert begun == restarted == end_on_node(named) == (card, "02:00:5e:00:53:02")
    assert (changed, gone) == ((card, "02:00:5e:00:53:03"), None)
    assert inside == "02:00:5e:00:53:04"
    assert (reached, reached_changed, reached_restarted) == (True, True, True)
    assert (
        taken.partition(";")[0] == f"{named} is what a card of container 101 is called on this node"
    )
    assert end_on_node(other) is None


def test_veth_of_2006_comes_and_goes_by_its_name_on_the_node(home: HomeUnderTest) -> None:
    home.type("vzctl create 101 && vzctl start 101")
    named = f"v{home.home.tag}.0"
    value = f"{named},02:00:5e:00:53:00,eth0,02:00:5e:00:53:01"
    home.type(f"vzctl --compat=2006 set 101 --veth_add {value} --save")
    there = end_on_node(named)
    listed = home.type("vzctl exec 101 ls /sys/class/net").split()
    home.type(f"vzctl --compat=2006 set 101 --veth_del {named} --save")
    gone = home.type("vzctl exec 101 ls /sys/class/net").split()

    assert there is not None
    assert there[1] == "02:00:5e:00:53:00"
    assert (listed, gone) == (["eth0", "lo", "venet0"], ["lo", "venet0"])
    assert end_on_node(named) is None


def test_card_that_was_not_saved_is_over_at_the_next_start_and_wirts_stays(
    home: HomeUnderTest,
) -> None:
    home.type("vzctl create 101 && vzctl start 101")
    home.wirt("card", "add", "101", "--name", "lan", status=0)
    home.type("vzctl set 101 --netif_add eth1")
    both = home.type("vzctl exec 101 ls /sys/class/net").split()
    home.type("vzctl restart 101")

    assert both == ["eth1", "lan", "lo", "venet0"]
    assert home.type("vzctl exec 101 ls /sys/class/net").split() == ["lan", "lo", "venet0"]


def test_address_that_cannot_be_is_refused_with_vzctls_status(home: HomeUnderTest) -> None:
    home.type(f"vzctl create 101 --ipadd {MORE} && vzctl create 102")
    home.type("wirt network add back --subnet 192.168.77.0/24 && wirt create -t tiny web")
    web = next(guest for guest in home.guests() if guest.name == "web").address
    refused = [
        home.type(command, status=status)
        for command, status in (
            (f"vzctl set 102 --ipadd {MORE} --save", 78),
            (f"vzctl set 102 --ipadd {web} --save", 78),
            (f"vzctl create 103 --ipadd 203.0.113.9 --ipadd {MORE}", 78),
            (f"vzctl set 102 --ipadd {NODE} --save", 34),
            ("vzctl set 102 --ipadd 127.0.0.9 --save", 34),
            ("vzctl set 102 --ipadd 203.0.113 --save", 71),
            ("vzctl set web --ipadd 203.0.113.9 --save", 34),
        )
    ]

    assert [line.partition(";")[0].strip() for line in refused] == [
        f"address {MORE} is in use by container 101",
        f"address {web} is in use by container web",
        f"address {MORE} is in use by another container",
        f"address {NODE} is this node's own",
        "address 127.0.0.9 cannot be routed to a container",
        "Invalid IP address: 203.0.113",
        "address 203.0.113.9 is not ours",
    ]
    assert len(home.guests()) == 3


def test_address_of_another_homes_guest_is_refused(
    home: HomeUnderTest, tiny_templates: Path
) -> None:
    with homes.open_home(tiny_templates) as other:
        other.wirt("create", "-t", TINY, "--routed", "--address", MORE, "far", status=0)
        other.wirt("create", "-t", TINY, "near", status=0)
        home.type(f"vzctl create 101 --ipadd {MORE}")
        for name in ("far", "near"):
            other.wirt("start", name, status=0)
        near = next(guest for guest in other.guests() if guest.name == "near").address
        refused = home.type(f"vzctl create 102 --ipadd {near}", status=34)
        late = home.type("vzctl start 101", status=34)
        still = is_reached(MORE)

    assert refused.startswith(f"address {near} is one of another home's containers or networks;")
    assert f"address {MORE} is one of another home's containers or networks" in late
    assert still
