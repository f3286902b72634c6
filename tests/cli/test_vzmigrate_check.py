"""``vzmigrate --check-only`` to a host that was never heard of: it is asked, and forgotten again on both sides."""

import sqlite3
from pathlib import Path

from tests import sshd
from tests.cli.test_migrate import Pair, pair
from tests.conftest import TINY
from tests.homes import WIRT

__all__ = ["pair"]


def subnet_of(data: str) -> str:
    """Return the subnet that a home has kept."""
    with sqlite3.connect(f"{data}/wirt.db") as database:
        (found,) = database.execute("SELECT value FROM settings WHERE key = 'subnet'").fetchone()
    return str(found)


def test_host_that_is_only_asked_is_no_node_afterwards(pair: Pair, tmp_path: Path) -> None:
    pair.here.type(f"vzctl create 101 --ostemplate {TINY}")
    pair.here.type("vzctl start 101 --wait")
    pair.on_b("list")
    home = pair.there.home
    before = subnet_of(home.data)
    with sshd.serving(tmp_path) as host:
        # The other machine is this one: whoever comes in with the key is the pair's second node.
        serve = f"nsenter --net={pair.netns} env WIRT_HOME={home.data} WIRT_RUN={home.run} {WIRT} serve-node"
        key = tmp_path / "user.pub"
        key.write_text(f'command="{serve}" {key.read_text()}')
        ask = f'vzmigrate --check-only --ssh="{" ".join(host.options())}" root@127.0.0.1 101'
        stops, goes_on = pair.here.type(ask), pair.here.type(ask.replace("-only", "-only --online"))
        pair.here.type("vzctl exec 101 ip address add 192.0.2.1/32 dev lo")
        obstructed = pair.here.type(ask.replace("-only", "-only --online"))
        pair.on_b("create", "101", "-t", TINY)
        refused = pair.here.type(ask, status=12)

    possible = "Migration of container 101 to root@127.0.0.1 is possible: "
    assert stops == f"{possible}it is stopped here and started there\n"
    assert goes_on == f"{possible}it goes on there with its memory and connections\n"
    assert obstructed == (
        f"{possible}it is stopped here and started there (not live: address 192.0.2.1 was added in "
        "the guest and would not be there again, nor what is bound to it)\n"
    )
    assert refused.startswith("node 127-0-0-1 has containers in ")
    assert pair.here.wirt("node", "list", "--json", status=0).stdout == "[]\n"
    assert subnet_of(home.data) == before != subnet_of(pair.here.home.data)
    assert pair.here.guests()[0].state.is_up
