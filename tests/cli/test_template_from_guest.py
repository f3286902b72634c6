"""``wirt template from-guest``: what a guest has become is what others begin with, but for what is its own."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest, open_home

from wirt.units import MIB

SET_UP = """
mkdir -p /etc/ssh /var/log /var/lib/dhcp
echo 0123456789abcdef > /etc/machine-id
echo secret > /etc/ssh/ssh_host_rsa_key
echo was here > /var/log/syslog
echo lease > /var/lib/dhcp/dhclient.leases
echo kept > /etc/kept
echo x > /tmp/x
chown 1234:5678 /etc/kept
rm /bin/vi
"""
SHOW = (
    "cat /etc/kept; stat -c %u:%g /etc/kept; cat /etc/machine-id /var/log/syslog; ls /etc/ssh /tmp"
)


@pytest.fixture
def own(busybox_tar: Path) -> Iterator[HomeUnderTest]:
    """Give a home with templates of its own."""
    with open_home() as home:
        home.wirt("template", "import", str(busybox_tar), TINY, status=0)
        yield home


@pytest.mark.parametrize("approach", ["lxc", "chroot"])
@pytest.mark.parametrize("state", ["running", "stopped"])
def test_guest_becomes_a_template_without_what_is_its_own(
    own: HomeUnderTest, approach: str, state: str
) -> None:
    own.wirt("create", "-a", approach, "-t", TINY, "web", status=0)
    own.wirt("start", "web", status=0)
    own.wirt("exec", "web", "--", "sh", "-c", SET_UP, status=0)
    if state == "stopped":
        own.wirt("stop", "--force", "web", status=0)
    done = own.wirt("template", "from-guest", "web", "made")
    if (approach, state) == ("chroot", "running"):
        assert done.stderr == (
            "wirt: guest web runs, and under chroot it cannot be frozen; stop it first\n"
        )
        return
    seen = own.wirt("run", "-t", "made", "sh", "-c", SHOW, status=0).stdout
    gone = own.wirt("run", "-t", "made", "ls", "/bin/vi").returncode

    assert done.stdout.startswith("template made made of guest web in ")
    assert done.stderr.splitlines() == [
        "put right: the machine id",
        "put right: SSH host keys (1)",
        "put right: temporary files (1)",
        "put right: leases (1)",
        "put right: logs (1)",
    ]
    assert seen == "kept\n1234:5678\n/etc/ssh:\n\n/tmp:\n"
    assert gone != 0
    assert own.guests()[0].state == state


def test_guest_on_btrfs_becomes_a_template(busybox_tar: Path, tmp_path: Path) -> None:
    with open_home() as home:
        os.makedirs(home.home.data, mode=0o711)
        image = tmp_path / "disk"
        with image.open("wb") as disk:
            disk.truncate(256 * MIB)
        subprocess.run(["mkfs.btrfs", "-q", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, home.home.data], check=True)
        try:
            os.chmod(home.home.data, 0o711)
            home.wirt("template", "import", str(busybox_tar), TINY, status=0)
            home.wirt("create", "--pool", "btrfs", "-t", TINY, "web", status=0)
            home.wirt("start", "web", status=0)
            home.wirt("exec", "web", "--", "sh", "-c", SET_UP, status=0)
            home.wirt("template", "from-guest", "web", "made", status=0)
            seen = home.wirt("run", "-t", "made", "sh", "-c", SHOW, status=0).stdout
            home.wirt("destroy", "-f", "web", status=0)
        finally:
            subprocess.run(["umount", home.home.data], check=True)

    assert seen == "kept\n1234:5678\n/etc/ssh:\n\n/tmp:\n"


def test_name_that_is_taken_leaves_the_guest_as_it_was(own: HomeUnderTest) -> None:
    own.wirt("create", "-t", TINY, "web", status=0)
    before = own.world()
    done = own.wirt("template", "from-guest", "web", TINY, status=4)

    assert done.stderr == (
        "wirt: there is a template called tiny; to build it anew: wirt template update tiny; else take another name, or remove it with "
        "wirt template remove tiny\n"
    )
    assert own.world().difference(before) == []


def test_guest_whose_root_is_an_image_says_why_it_cannot(own: HomeUnderTest) -> None:
    made = own.wirt("create", "-a", "qemu", "-t", TINY, "web")
    done = own.wirt("template", "from-guest", "web", "made")

    assert made.returncode == 0
    assert done.returncode == 6
    assert done.stderr == (
        "wirt: guest web cannot become a template: under qemu its root is an image, of which the "
        "node sees no files; set the system up in an lxc guest and make the template of that\n"
    )
