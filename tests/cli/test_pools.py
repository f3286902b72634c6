"""``wirt pool`` as a person types it, and guests on pools of all kinds that can be made."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import homes
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.host import mount
from wirt.units import MIB

FILL = "dd if=/dev/zero of=/root/filler bs=1M count=100 conv=fsync"


@pytest.fixture
def home(busybox_tar: Path, tiny_templates: Path) -> Iterator[HomeUnderTest]:
    """Give a home that has its templates for itself, and takes its pools away in the end."""
    with homes.open_home() as fresh:
        fresh.wirt("template", "import", str(busybox_tar), TINY, status=0)
        yield fresh
        for guest in fresh.guests():
            fresh.wirt("destroy", "--force", guest.name, status=0)
        for pool in json.loads(fresh.wirt("pool", "list", "--json", status=0).stdout):
            if pool["name"] not in ("btrfs", "directory", "image"):
                fresh.wirt("pool", "remove", pool["name"], status=0)
        assert fresh.world().loops == fresh.world().mounts == frozenset()


def test_btrfs_pool_bounds_its_guests_and_outlasts_a_reboot(home: HomeUnderTest) -> None:
    said = home.wirt("pool", "create", "fast", "--size", "300M", status=0).stdout
    home.wirt("create", "-t", TINY, "--pool", "fast", "--disk", "64M", "web", status=0)
    home.wirt("start", "web", status=0)
    filled = home.wirt("exec", "web", "sh", "-c", FILL)
    used = json.loads(home.wirt("show", "--json", "web", status=0).stdout)["disk_usage"]
    home.wirt("snapshot", "create", "web", "one", status=0)
    home.wirt("stop", "--force", "web", status=0)
    refused = home.wirt("pool", "remove", "fast")
    # A reboot takes all mounts away; the next command that wants the pool mounts it.
    mount.unmount(home.home.pool("fast"))
    home.wirt("snapshot", "restore", "web", "one", status=0)
    home.wirt("start", "web", status=0)
    kept = home.wirt("exec", "web", "ls", "/root", status=0).stdout
    home.wirt("destroy", "--force", "web", status=0)
    forms = os.listdir(f"{home.home.pool('fast')}/templates")
    home.wirt("template", "remove", TINY, status=0)
    left = os.listdir(f"{home.home.pool('fast')}/templates")
    gone = home.wirt("pool", "remove", "fast", status=0).stdout

    assert said == f"pool fast created: btrfs, {home.home.pool('fast')}.disk\n"
    assert "Disk quota exceeded" in filled.stderr
    assert used["bytes_limit"] == 64 * MIB
    assert (refused.returncode, refused.stderr) == (
        5,
        "wirt: pool fast holds the roots of web; destroy it first\n",
    )
    assert kept == "filler\n"
    assert [form.partition("@")[0] for form in forms] == [TINY]
    assert left == []
    assert gone == "pool fast removed\n"
    assert os.listdir(f"{home.home.data}/pools") == []


@pytest.mark.parametrize("kind", ["directory", "image"])
def test_pool_in_another_directory_holds_guests_there(home: HomeUnderTest, kind: str) -> None:
    place = home.base / "elsewhere"
    place.mkdir()
    home.wirt("pool", "create", "big", "--kind", kind, "--path", str(place), status=0)
    home.wirt("create", "-t", TINY, "--pool", "big", "--disk", "64M", "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("exec", "web", "sh", "-c", "echo kept > /root/note", status=0)
    home.wirt("restart", "--force", "web", status=0)
    note = home.wirt("exec", "web", "cat", "/root/note", status=0).stdout
    ours = os.listdir(place / "guests") == [home.guests()[0].id]
    listed = home.wirt("pool", "list", status=0).stdout.splitlines()
    shown = home.wirt("pool", "show", "big", status=0).stdout.splitlines()
    home.wirt("destroy", "--force", "web", status=0)
    home.wirt("pool", "remove", "big", status=0)

    assert note == "kept\n"
    assert ours
    assert listed[0].split() == ["NAME", "KIND", "FREE", "GUESTS", "ON"]
    assert listed[-1].split()[:2] == ["big", kind]
    assert listed[-1].split()[-2:] == ["1", str(place)]
    assert shown[-1].split() == ["guests", "web"]
    assert os.listdir(place) == []


def test_what_cannot_be_a_pool_is_refused(home: HomeUnderTest) -> None:
    refusals = {
        ("fast", "--size", "1X"): (2, "invalid value for '--size': '1X' is not a size"),
        ("fast", "--size", "1M"): (2, "a btrfs pool of 1 MiB is too small; give at least 256 MiB"),
        ("fast", "--kind", "zfs"): (2, "invalid value for '--kind': 'zfs' is not one of"),
        ("fast", "--device", "/dev/no-such"): (3, "there is no device /dev/no-such; see lsblk"),
        ("fast",): (2, "a pool of kind btrfs is a file system of its own; say on what"),
        ("image", "--size", "1G"): (4, "pool image is part of every home; choose another name"),
    }
    before = home.world().difference(home.world())
    problems = []
    for arguments, (status, words) in refusals.items():
        done = home.wirt("pool", "create", *arguments)
        if done.returncode != status or not done.stderr.startswith(f"wirt: {words}"):
            problems.append(f"{arguments}: {done.returncode} {done.stderr}")
    unknown = home.wirt("pool", "remove", "nosuch")

    assert problems == []
    assert (unknown.returncode, unknown.stderr) == (
        3,
        "wirt: there is no pool nosuch; see wirt pool list\n",
    )
    assert before == []
