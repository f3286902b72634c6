"""What a guest's disk holds, and that it holds no more: seen from the guest and from ``wirt show``."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import homes
from tests.conftest import TINY
from tests.homes import WIRT, HomeUnderTest

from wirt.units import MIB

FILL = "dd if=/dev/zero of=/root/filler bs=1M count=100 conv=fsync"


@pytest.fixture
def home_on_btrfs(btrfs_templates: Path) -> Iterator[HomeUnderTest]:
    with homes.open_home(btrfs_templates, where=str(btrfs_templates.parent)) as home:
        yield home


def show(home: HomeUnderTest, name: str) -> tuple[str, Any]:
    """Return what ``wirt show`` says of a guest's disk, to a person and to a program."""
    lines = home.wirt("show", name, status=0).stdout.splitlines()
    usage = json.loads(home.wirt("show", "--json", name, status=0).stdout)["disk_usage"]
    return next(line.split(maxsplit=1)[1] for line in lines if line.startswith("disk ")), usage


@pytest.mark.parametrize("approach", ["lxc", "chroot"])
def test_guest_on_btrfs_cannot_fill_more_than_its_disk(
    home_on_btrfs: HomeUnderTest, approach: str
) -> None:
    home = home_on_btrfs
    for name in ("web", "other"):
        home.wirt("create", "-t", TINY, "-a", approach, "--disk", "64M", name, status=0)
        home.wirt("start", name, status=0)
    filled = home.wirt("exec", "web", "sh", "-c", FILL)
    other = home.wirt("exec", "other", "sh", "-c", "echo fine > /root/note", status=0)
    said, usage = show(home, "web")

    assert filled.returncode == 1
    assert "Disk quota exceeded" in filled.stderr
    assert other.stderr == ""
    assert usage["bytes_limit"] == 64 * MIB
    assert 32 * MIB < usage["bytes"] <= 64 * MIB
    assert said.startswith("64 MiB, ")
    assert said.endswith(" MiB used")


def test_guest_on_an_image_that_fills_its_disk_harms_only_itself_and_can_be_started_again(
    home: HomeUnderTest,
) -> None:
    create = ["create", "-t", TINY, "--pool", "image", "--disk", "64M"]
    for name in ("web", "other"):
        home.wirt(*create, name, status=0)
        home.wirt("start", name, status=0)
    filled = home.wirt("exec", "web", "sh", "-c", FILL)
    home.wirt("stop", "--force", "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("exec", "web", "rm", "/root/filler", status=0)
    crowded = home.wirt("exec", "web", "sh", "-c", "cd /root; seq 20000 | xargs touch")
    other = home.wirt("exec", "other", "sh", "-c", "echo fine > /root/note", status=0)
    said, usage = show(home, "web")
    home.wirt("stop", "--force", "web", status=0)
    stopped = show(home, "web")
    home.wirt("start", "web", status=0)
    kept = home.wirt("exec", "web", "sh", "-c", "ls /root | wc -l", status=0).stdout

    assert "No space left on device" in filled.stderr
    assert "No space left on device" in crowded.stderr
    assert other.stderr == ""
    assert usage["inodes"] == usage["inodes_limit"] == 16384
    assert said.endswith(" used; 16384 inodes, 16384 used")
    assert stopped == ("64 MiB", None)
    assert 16000 < int(kept) < 16384


def test_disk_of_a_running_guest_on_btrfs_is_set_at_once_and_undone_in_one_command(
    home_on_btrfs: HomeUnderTest,
) -> None:
    home = home_on_btrfs
    home.wirt("create", "-t", TINY, "--disk", "64M", "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("exec", "web", "sh", "-c", "echo before > /root/note", status=0)
    said = home.wirt("set", "web", "--disk", "160M", "--snapshot", status=0).stdout
    home.wirt("exec", "web", "sh", "-c", f"echo after > /root/note; {FILL}", status=0)
    larger = show(home, "web")[1]["bytes_limit"]
    refused = home.wirt("undo", "web")
    undone = home.wirt("undo", "web", "--force", status=0).stdout
    note = home.wirt("exec", "web", "cat", "/root/note", status=0).stdout
    filled = home.wirt("exec", "web", "sh", "-c", FILL)
    guest = home.guests()[0]

    assert said == "guest web has a disk of 160 MiB now\n"
    assert larger == 160 * MIB
    assert (refused.returncode, refused.stderr) == (
        5,
        "wirt: guest web is running; stop it first or pass --force\n",
    )
    assert undone == "guest web is as it was before its last change, and running\n"
    assert note == "before\n"
    assert "Disk quota exceeded" in filled.stderr
    assert (guest.limits.disk, guest.snapshots) == (64 * MIB, ())


def test_disk_of_a_guest_on_an_image_is_set_while_it_is_stopped(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "--pool", "image", "--disk", "96M", "web", status=0)
    home.wirt("start", "web", status=0)
    smaller = home.wirt("set", "web", "--disk", "64M")
    home.wirt("stop", "--force", "web", status=0)
    home.wirt("set", "web", "--disk", "160M", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("exec", "web", "sh", "-c", FILL, status=0)
    home.wirt("stop", "--force", "web", status=0)
    full = home.wirt("set", "web", "--disk", "64M")

    assert (smaller.returncode, smaller.stderr) == (
        6,
        "wirt: the disk of guest web cannot be changed: a mounted ext4 file system cannot be made "
        "smaller; stop it first\n",
    )
    assert (full.returncode, full.stderr) == (
        12,
        "wirt: what the guest holds does not fit into a disk of 64 MiB; give more, or delete "
        "something in it first\n",
    )
    assert home.guests()[0].limits.disk == 160 * MIB


def test_disk_of_a_running_guest_on_an_image_stays_where_the_kernel_forbids_it_to_grow(
    home: HomeUnderTest,
) -> None:
    home.wirt("create", "-t", TINY, "--pool", "image", "--disk", "64M", "web", status=0)
    home.wirt("start", "web", status=0)
    without = ["setpriv", "--bounding-set", "-sys_resource", "--", WIRT]
    refused = subprocess.run(
        [*without, "set", "web", "--disk", "160M"],
        env=home.environment,
        capture_output=True,
        text=True,
    )

    assert (refused.returncode, refused.stderr) == (
        6,
        "wirt: the disk of guest web cannot be changed: its file system is mounted, and the kernel "
        "makes it larger only for who has CAP_SYS_RESOURCE; stop it first, or run this with that "
        "capability\n",
    )
    assert home.guests()[0].limits.disk == 64 * MIB


def test_show_of_a_guest_whose_pool_counts_nothing_says_that_it_is_not_bounded(
    home: HomeUnderTest,
) -> None:
    home.wirt("create", "-t", TINY, "--disk", "64M", "web", status=0)

    assert show(home, "web") == ("64 MiB, not bounded by its pool", None)


@pytest.mark.parametrize("approach", ["lxc", "chroot"])
def test_guest_on_an_image_leaves_no_device_and_no_mount(
    home: HomeUnderTest, approach: str
) -> None:
    write = ["sh", "-c", "echo x > /root/note"]
    home.wirt("run", "-t", TINY, "-a", approach, "--pool", "image", *write, status=0)
    world = home.world()

    assert (world.loops, world.mounts) == (frozenset(), frozenset())


def test_guest_beyond_its_soft_limit_grows_no_more_when_its_grace_is_over(
    home: HomeUnderTest,
) -> None:
    home.wirt("create", "-t", TINY, "--pool", "image", "--disk", "64M", "web", status=0)
    home.wirt("start", "web", status=0)
    said = home.wirt("set", "web", "--disk-soft", "8M", "--disk-grace", "0s", status=0).stdout
    write = "dd if=/dev/zero of=/root/{} bs=1M count=12 conv=fsync"
    within = home.wirt("exec", "web", "sh", "-c", write.format("one"))
    home.wirt("counters", "--sample", status=0)
    shown = home.wirt("show", "web", status=0).stdout
    beyond = home.wirt("exec", "web", "sh", "-c", write.format("two"))
    home.wirt("exec", "web", "sh", "-c", "rm /root/one /root/two", status=0)
    home.wirt("restart", "--force", "web", status=0)
    home.wirt("counters", "--sample", status=0)
    again = home.wirt("exec", "web", "sh", "-c", write.format("two"))
    refused = home.wirt("set", "web", "--disk-soft", "65M", status=2)
    home.wirt("create", "-t", TINY, "--pool", "directory", "plain", status=0)
    uncounted = home.wirt("set", "plain", "--disk-soft", "8M", status=6)

    assert said == "guest web has a soft limit of 8 MiB of its disk, no grace now\n"
    assert within.returncode == 0
    assert "disk soft    8 MiB, no grace; exceeded: no growth\n" in shown
    assert uncounted.stderr == (
        "wirt: the disk of guest plain cannot be given a soft limit: pool directory does not count what "
        "a root holds; pools image and btrfs do\n"
    )
    assert "No space left" in beyond.stderr
    assert again.returncode == 0
    assert refused.stderr == (
        "wirt: 65 MiB cannot be the soft limit of a disk of 64 MiB; ask for no more than the disk, "
        "or unlimited\n"
    )


def test_guest_on_an_image_has_no_more_inodes_than_it_is_held_to(home: HomeUnderTest) -> None:
    create = ["create", "-t", TINY, "--pool", "image", "--disk", "64M"]
    home.wirt(*create, "--disk-inodes", "2000", "web", status=0)
    home.wirt(*create, "other", status=0)
    for name in ("web", "other"):
        home.wirt("start", name, status=0)
    fill = ["sh", "-c", "cd /root; seq 3000 | xargs touch"]
    filled = home.wirt("exec", "web", *fill)
    other = home.wirt("exec", "other", *fill, status=0)
    said, usage = show(home, "web")
    set_at_once = home.wirt("set", "web", "--disk-inodes", "5000", status=0).stdout
    home.wirt("exec", "web", *fill, status=0)
    home.wirt("restart", "--force", "web", status=0)
    soft = ["--disk-inodes-soft", "3000", "--disk-grace", "0s"]
    home.wirt("set", "web", *soft, status=0)
    shown = home.wirt("show", "web", status=0).stdout
    closed = home.wirt("exec", "web", "sh", "-c", "touch /root/one-more")
    beyond = home.wirt("set", "web", "--disk-inodes", "10000", status=6).stderr
    home.wirt("create", "-t", TINY, "--pool", "directory", "plain", status=0)
    unbounded = home.wirt("set", "plain", "--disk-inodes", "2000", status=6).stderr

    assert "No space left on device" in filled.stderr
    assert other.stderr == ""
    assert said.endswith(" used; 2000 inodes, 2000 used")
    assert usage["inodes"] == 2000
    assert set_at_once == "guest web has 5000 inodes now\n"
    assert "inodes soft  3000, no grace; exceeded: no growth\n" in shown
    assert "No space left on device" in closed.stderr
    assert beyond == (
        "wirt: the inodes of guest web cannot be bounded: its file system was made with 8000; ask for "
        "less, or give it a larger disk, which has more: wirt set --disk\n"
    )
    assert unbounded == (
        "wirt: the inodes of guest plain cannot be bounded: pool directory does not bound them; pools "
        "of kind image do\n"
    )
