"""``wirt mount`` and ``wirt unmount``: the root of a stopped container on the node."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest


@pytest.mark.parametrize("pool", ["directory", "image"])
def test_stopped_guest_is_mounted_changed_and_started(home: HomeUnderTest, pool: str) -> None:
    home.wirt("create", "--pool", pool, "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("exec", "web", "--", "sh", "-c", "touch /made; chown 33:33 /made", status=0)
    running = home.wirt("mount", "web", status=5)
    home.wirt("stop", "--force", "web", status=0)
    stopped = home.world()
    root = Path(home.wirt("mount", "web", status=0).stdout.rstrip("\n"))
    (root / "etc/new").write_text("from the node")
    owner = (root / "made").stat().st_uid
    mount = subprocess.run(["findmnt", "-no", "OPTIONS", root], capture_output=True, text=True)
    listed = home.wirt("list", status=0).stdout.splitlines()[1].split()
    refused = home.wirt("start", "web", status=5)
    done = home.wirt("unmount", "web", status=0)
    left = [line for line in home.world().difference(stopped) if "/etc" not in line]
    home.wirt("start", "web", status=0)
    seen = home.wirt("exec", "web", "--", "cat", "/etc/new", status=0).stdout

    assert running.stderr == (
        "wirt: guest web is running; stop it first, or copy files with wirt copy\n"
    )
    assert owner == 33
    assert {"nosuid", "nodev"} <= set(mount.stdout.strip().split(","))
    assert listed[:2] == ["web", "mounted"]
    assert refused.stderr == "wirt: guest web is mounted; unmount it first\n"
    assert done.stdout == "guest web unmounted\n"
    assert left == []
    assert seen == "from the node"


def test_root_that_somebody_uses_is_unmounted_by_force_alone(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    root = home.wirt("mount", "web", status=0).stdout.rstrip("\n")
    held = os.open(root, os.O_RDONLY)
    refused = home.wirt("unmount", "web", status=8)
    still = os.path.ismount(root)
    home.wirt("unmount", "--force", "web", status=0)
    os.close(held)
    again = home.wirt("unmount", "web", status=5)

    assert refused.stderr == f"wirt: {root} is in use; see who uses it: fuser -vm, or lsof\n"
    assert still
    assert not os.path.ismount(root)
    assert again.stderr == "wirt: guest web is not mounted; there is nothing to unmount\n"


def test_guest_whose_root_is_an_image_says_why_it_cannot(home: HomeUnderTest) -> None:
    home.wirt("create", "-a", "qemu", "-t", TINY, "web", status=0)
    done = home.wirt("mount", "web", status=6)

    assert done.stderr == (
        "wirt: guest web is stopped, and under qemu its root is an image, of which the node sees no "
        "files; start it first\n"
    )
