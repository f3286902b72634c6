"""What ``freeze``, ``thaw``, ``rename`` and ``restart`` say and do to a container."""

import json

from tests.conftest import TINY
from tests.homes import HomeUnderTest


def test_frozen_guest_goes_on_where_it_was(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    said = [home.wirt(verb, "web", status=0).stdout for verb in ("freeze", "thaw")]
    home.wirt("freeze", "web", status=0)
    refused = home.wirt("exec", "web", "--", "true", status=125)
    listed = home.wirt("list", status=0).stdout.splitlines()[1]
    home.wirt("thaw", "web", status=0)

    assert said == ["guest web frozen\n", "guest web thawed\n"]
    assert refused.stderr == "wirt: guest web is frozen; thaw it first\n"
    assert listed.split()[1] == "frozen"
    assert home.wirt("exec", "web", "--", "echo", "on", status=0).stdout == "on\n"


def test_frozen_guest_is_destroyed_with_force(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("freeze", "web", status=0)
    refused = home.wirt("stop", "web", status=5)
    home.wirt("destroy", "--force", "web", status=0)

    assert refused.stderr == "wirt: guest web is frozen; thaw it first or pass --force\n"
    assert home.guests() == []


def test_running_guest_gets_its_new_host_name_when_it_is_restarted(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    address = json.loads(home.wirt("show", "--json", "web", status=0).stdout)["address"]
    home.wirt("start", "web", status=0)
    renamed = home.wirt("rename", "web", "shop", status=0)
    before = home.wirt("exec", "shop", "--", "hostname", status=0).stdout
    restarted = home.wirt("restart", "shop", status=0)

    assert renamed.stdout == "guest web renamed to shop\n"
    assert renamed.stderr == "its own host name is web until it is started again\n"
    assert before == "web\n"
    assert restarted.stdout == f"guest shop restarted: {address}\n"
    assert home.wirt("exec", "shop", "--", "hostname", status=0).stdout == "shop\n"


def test_rename_to_a_taken_name_changes_nothing(home: HomeUnderTest) -> None:
    for name in ("web", "shop"):
        home.wirt("create", "-t", TINY, name, status=0)
    done = home.wirt("rename", "web", "shop", status=4)

    assert done.stderr == (
        "wirt: there is a guest shop already; choose another name or destroy it first: "
        "wirt destroy shop\n"
    )
    assert [guest.name for guest in home.guests()] == ["shop", "web"]
