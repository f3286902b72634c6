"""Guests on thin volumes of LVM. Run in the lab: not every node has device-mapper."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.units import GIB


@pytest.fixture
def device(tmp_path: Path) -> Iterator[str]:
    """Give an empty block device of two gibibytes."""
    (tmp_path / "disk").touch()
    os.truncate(tmp_path / "disk", 2 * GIB)
    found = output("losetup", "--find", "--show", str(tmp_path / "disk")).strip()
    yield found
    output("losetup", "--detach", found)


def output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_guest_lives_on_a_thin_volume(home: HomeUnderTest, device: str) -> None:
    home.wirt("pool", "create", "thin", "--kind", "lvm", "--device", device, status=0)
    home.wirt(
        "create", "web", "-t", TINY, "-a", "lxc", "--pool", "thin", "--disk", "128M", status=0
    )
    home.wirt("start", "web", status=0)
    full = home.wirt("exec", "web", "dd", "if=/dev/zero", "of=/root/filler", "bs=1M", "count=100")
    home.wirt("exec", "web", "rm", "/root/filler", status=0)
    home.wirt("exec", "web", "sh", "-c", "echo before >/root/note", status=0)
    home.wirt("snapshot", "create", "web", "one", status=0)
    home.wirt("exec", "web", "sh", "-c", "echo after >/root/note", status=0)
    home.wirt("set", "web", "--disk", "256M", status=0)
    fill = ("exec", "web", "dd", "if=/dev/zero", "of=/root/filler", "bs=1M", "count=100")
    home.wirt(*fill, status=0)
    home.wirt("stop", "web", status=0)
    home.wirt("snapshot", "restore", "web", "one", status=0)
    home.wirt("clone", "web", "second", status=0)
    notes = []
    for name in ("web", "second"):
        home.wirt("start", name, status=0)
        notes.append(home.wirt("exec", name, "cat", "/root/note", status=0).stdout)
        home.wirt("stop", "--force", name, status=0)
    refused = home.wirt("pool", "remove", "thin")
    home.wirt("destroy", "web", status=0)
    home.wirt("destroy", "second", status=0)
    home.wirt("pool", "remove", "thin", status=0)

    assert "No space left on device" in full.stderr
    assert notes == ["before\n", "before\n"]
    assert "pool thin holds the roots of second, web" in refused.stderr
    assert home.guests() == []
    assert "wirt" not in output("vgs", "--noheadings")
    assert output("wipefs", device) == ""


def test_thin_pool_in_a_group_of_a_persons_leaves_the_rest_of_it_alone(
    home: HomeUnderTest, device: str
) -> None:
    output("vgcreate", "--yes", "inside-lvm", device)
    try:
        output("lvcreate", "--yes", "--name", "theirs", "--size", "64M", "inside-lvm")
        create = ("pool", "create", "thin", "--kind", "lvm", "--group", "inside-lvm")
        home.wirt(*create, "--size", "1G", status=0)
        home.wirt("create", "web", "-t", TINY, "-a", "lxc", "--pool", "thin", status=0)
        listed = home.wirt("pool", "list", status=0).stdout
        home.wirt("destroy", "web", status=0)
        home.wirt("pool", "remove", "thin", status=0)
        left = output("lvs", "--noheadings", "--options", "lv_name", "inside-lvm").split()
    finally:
        output("vgremove", "--force", "--yes", "inside-lvm")

    assert f"inside-lvm/wirt-{home.home.tag}-thin" in listed
    assert left == ["theirs"]
