"""What ``create``, ``list``, ``show``, ``start``, ``stop`` and ``destroy`` print when all is well."""

import json
import re
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from tests import homes
from tests.conftest import TINY
from tests.homes import BUSYBOX, HomeUnderTest

from wirt.cli.main import COMMANDS


def test_life_of_a_guest_is_told_a_line_a_step(home: HomeUnderTest) -> None:
    said = [
        home.wirt(*command, status=0).stdout
        for command in (
            ["create", "-t", TINY, "--memory", "64M", "web"],
            ["list"],
            ["start", "web"],
            ["list"],
            ["stop", "web"],
            ["destroy", "web"],
        )
    ]
    address = said[0].rpartition(", ")[2].strip()
    head = f"NAME  STATE    APPROACH  {'ADDRESS'.ljust(len(address))}  CPUS  MEMORY  TEMPLATE\n"

    assert said == [
        f"guest web created: lxc, {address}\n",
        f"{head}web   stopped  lxc       {address}  1     64 MiB  tiny\n",
        f"guest web started: {address}\n",
        f"{head}web   running  lxc       {address}  1     64 MiB  tiny\n",
        "guest web stopped\n",
        "guest web destroyed\n",
    ]


def test_list_of_an_empty_home_says_what_to_do(home: HomeUnderTest) -> None:
    done = home.wirt("list", status=0)

    assert (done.stdout, done.stderr) == ("", "no guests yet; make one with: wirt create NAME\n")


def test_list_as_json_of_an_empty_home_is_an_empty_list(home: HomeUnderTest) -> None:
    assert json.loads(home.wirt("list", "--json", status=0).stdout) == []


def test_show_tells_everything_and_as_json_the_same(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    rows = dict(
        line.split(maxsplit=1) for line in home.wirt("show", "web", status=0).stdout.splitlines()
    )
    guest = json.loads(home.wirt("show", "--json", "web", status=0).stdout)

    assert rows["name"] == guest["name"] == "web"
    assert rows["state"] == guest["state"] == "stopped"
    assert rows["memory"] == "512 MiB"
    assert rows["mac"] == guest["mac"]
    assert re.fullmatch(r"[0-9a-f]{6}", guest["id"])


def test_destroy_with_force_ends_a_running_guest(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("destroy", "--force", "web", status=0)

    assert home.guests() == []


def test_start_and_stop_again_keep_what_the_guest_wrote(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("exec", "web", "sh", "-c", "echo kept > /root/note", status=0)
    home.wirt("stop", "web", status=0)
    home.wirt("start", "web", status=0)

    assert home.wirt("exec", "web", "cat", "/root/note", status=0).stdout == "kept\n"


def test_guests_reach_the_node_and_each_other(home: HomeUnderTest) -> None:
    for name in ("one", "two"):
        home.wirt("create", "-t", TINY, name, status=0)
        home.wirt("start", name, status=0)
    one, two = (guest.address for guest in home.guests())
    gateway = str(IPv4Network(f"{one}/20", strict=False)[1])

    for address in (two, gateway):
        home.wirt("exec", "one", "ping", "-c", "1", "-W", "5", address, status=0)
    subprocess.run([BUSYBOX, "ping", "-c", "1", "-W", "5", one], check=True, capture_output=True)


def test_root_of_a_container_is_nobody_on_the_node(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)

    said = home.wirt("exec", "web", "cat", "/proc/self/uid_map", status=0).stdout.split()
    ids = home.guests()[0].ids
    assert ids is not None
    assert said == ["0", str(1_879_048_192 + ids * 65_536), "65536"]


def test_home_may_have_a_name_that_mounts_and_configurations_are_split_at(
    tiny_templates: Path,
) -> None:
    with homes.open_base() as base:
        odd = base / "a b,c:d"
        odd.mkdir(mode=0o711)
        home = HomeUnderTest(odd)
        home.give_templates(tiny_templates)
        said = [
            home.wirt("run", "-t", TINY, "-a", approach, "echo", approach).stdout
            for approach in ("chroot", "lxc")
        ]

    assert said == ["chroot\n", "lxc\n"]


def test_usage_is_shown_when_nothing_is_asked(home: HomeUnderTest) -> None:
    done = home.wirt()

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: wirt [OPTIONS] COMMAND [ARGS]...\n")
    # serve-node is for other nodes, and no person's.
    for name in COMMANDS.keys() - {"serve-node"}:
        assert f"\n  {name} " in done.stdout


def test_version_is_printed(home: HomeUnderTest) -> None:
    assert re.fullmatch(r"wirt, version \d+\.\d+\S*\n", home.wirt("--version", status=0).stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_begins_with_its_usage(home: HomeUnderTest, command: str) -> None:
    said = home.wirt(command, "--help", status=0).stdout

    assert said.startswith(f"Usage: wirt {command} ")


@pytest.mark.parametrize("command", ["--help", "list"])
def test_reader_that_leaves_early_hears_no_complaint(home: HomeUnderTest, command: str) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    done = home.spawn(command)
    assert done.stdout is not None
    done.stdout.close()
    assert done.stderr is not None
    said = done.stderr.read()
    done.stderr.close()

    # As a shell says it of a program that SIGPIPE has ended.
    assert (done.wait(), said) == (141, "")


def test_home_reached_through_a_link_is_the_same_home(home: HomeUnderTest) -> None:
    link = home.base / "link"
    link.symlink_to(home.home.data)
    through_link = {"WIRT_HOME": str(link)}
    home.wirt("create", "-t", TINY, "web", environment=through_link, status=0)
    home.wirt("start", "web", status=0)
    home.wirt("exec", "web", "true", environment=through_link, status=0)
    home.wirt("stop", "--force", "web", environment=through_link, status=0)
    home.wirt("destroy", "web", status=0)

    assert home.guests() == []


def test_template_of_a_guest_under_way_is_not_removed(home: HomeUnderTest) -> None:
    running = home.spawn("run", "-t", TINY, "--name", "busy", "--", "sh", "-c", "echo up; sleep 60")
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        done = home.wirt("template", "remove", TINY)
    finally:
        running.terminate()
        running.communicate()

    assert (done.returncode, done.stderr) == (
        5,
        f"wirt: template {TINY} is used by the guest busy; destroy it first\n",
    )


def test_guest_that_cannot_be_repaired_stops_only_who_asks_for_it(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "good", status=0)
    home.wirt("create", "-t", TINY, "bad", status=0)
    bad = next(guest for guest in home.guests() if guest.name == "bad")
    blocked = Path(home.home.pool(bad.pool), bad.id)
    home.wirt("destroy", "bad", environment={"WIRT_KILL_AT": "destroy:after-intent"})
    subprocess.run(["chattr", "+i", blocked], check=True)
    try:
        listed = home.wirt("list")
        started = home.wirt("start", "good")
        asked = home.wirt("destroy", "bad")
    finally:
        subprocess.run(["chattr", "-i", blocked], check=True)

    assert (listed.returncode, started.returncode) == (0, 0)
    assert asked.returncode == 10
    assert "cannot undo step root of destroy" in asked.stderr
    home.wirt("destroy", "--force", "good", status=0)
    home.wirt("list", status=0)
    assert home.guests() == []
