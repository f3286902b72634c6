"""``wirt clone``: another container of a stopped or running one, on pools of every kind."""

import json
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest, open_home

SET_UP = """
mkdir -p /etc/ssh /var/log /srv
echo 0123456789abcdef > /etc/machine-id
echo secret > /etc/ssh/ssh_host_rsa_key
echo was here > /var/log/syslog
echo data > /srv/data
chown 33:33 /srv/data
rm /bin/vi
"""
SHOW = "hostname; cat /srv/data; stat -c %u:%g /srv/data; cat /etc/machine-id /var/log/syslog; ls /etc/ssh"


def check_clone(home: HomeUnderTest, pool: str, *, is_running: bool) -> None:
    home.wirt("create", "--pool", pool, "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("exec", "web", "--", "sh", "-c", SET_UP, status=0)
    if not is_running:
        home.wirt("stop", "--force", "web", status=0)
    done = home.wirt("clone", "web", "two", status=0)
    home.wirt("start", "two", status=0)
    seen = home.wirt("exec", "two", "--", "sh", "-c", SHOW, status=0).stdout
    gone = home.wirt("exec", "two", "--", "ls", "/bin/vi").returncode
    two, web = (
        json.loads(home.wirt("show", "--json", name, status=0).stdout) for name in ("two", "web")
    )

    assert done.stdout == f"guest two cloned from web: lxc, {two['address']}\n"
    assert done.stderr.splitlines() == [
        "put right: the machine id",
        "put right: SSH host keys (1)",
    ]
    assert seen == "two\ndata\n33:33\nwas here\n"
    assert gone != 0
    assert all(two[key] != web[key] for key in ("id", "address", "mac"))
    assert web["state"] == ("running" if is_running else "stopped")
    if is_running:
        kept = home.wirt("exec", "web", "--", "cat", "/etc/machine-id", status=0).stdout
        assert kept == "0123456789abcdef\n"


@pytest.mark.parametrize("pool", ["directory", "image"])
@pytest.mark.parametrize("is_running", [False, True], ids=["stopped", "running"])
def test_clone_is_the_guest_without_what_is_its_own(
    home: HomeUnderTest, pool: str, is_running: bool
) -> None:
    check_clone(home, pool, is_running=is_running)


def test_clone_on_btrfs_is_the_guest_without_what_is_its_own(btrfs_templates: Path) -> None:
    with open_home(btrfs_templates, where=str(btrfs_templates.parent)) as home:
        check_clone(home, "btrfs", is_running=True)


def test_clone_of_what_cannot_be_changes_nothing(home: HomeUnderTest) -> None:
    home.wirt("create", "-a", "uml", "-t", TINY, "web", status=0)
    before = home.world()
    taken = home.wirt("clone", "web", "web").returncode

    assert taken != 0
    assert home.world().difference(before) == []


def test_clone_of_a_user_mode_linux_guest_that_was_never_started_is_another(
    home: HomeUnderTest,
) -> None:
    home.wirt("create", "-a", "uml", "-t", TINY, "web", status=0)
    home.wirt("clone", "web", "two", status=0)

    assert [guest.name for guest in home.guests()] == ["two", "web"]
