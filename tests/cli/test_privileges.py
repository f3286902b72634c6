"""Rights and devices of a container, felt inside; the words of ``vzctl`` for them: tests/golden/vz/privileges.txt."""

import os

from tests.conftest import TINY
from tests.homes import HomeUnderTest

DEVICE = "/dev/full"
"""Every node and every container has it, so what is seen of it is how it was given."""
NET_RAW = 1 << 13


def bounding_set(home: HomeUnderTest) -> int:
    said = home.wirt("exec", "web", "--", "grep", "CapBnd", "/proc/self/status", status=0).stdout
    return int(said.split()[1], 16)


def test_devices_and_rights_are_there_from_the_next_start_and_gone_with_it(
    home: HomeUnderTest,
) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    before = bounding_set(home)
    said = home.wirt(
        "set", "web", "--device", f"{DEVICE}:r", "--capability", "net_raw:off", status=0
    ).stdout
    unchanged = bounding_set(home)
    home.wirt("restart", "--force", "web", status=0)
    after = bounding_set(home)
    listed = home.wirt("exec", "web", "--", "ls", "-l", DEVICE, status=0).stdout
    read = home.wirt("exec", "web", "--", "head", "-c", "1", DEVICE, status=0).stdout
    written = home.wirt("exec", "web", "--", "sh", "-c", f"echo > {DEVICE}")
    files = os.listdir(home.home.devices(home.guests()[0].id))
    home.wirt("set", "web", "--device", "none", status=0)
    home.wirt("restart", "--force", "web", status=0)
    given_back = home.wirt("exec", "web", "--", "sh", "-c", f"echo > {DEVICE}")

    assert said == f"guest web has net_raw off, the devices {DEVICE}:r from its next start now\n"
    assert before == unchanged
    assert after == before & ~NET_RAW
    assert listed.startswith("crw-------    1 root     0 ")
    assert read == "\0"
    assert "Operation not permitted" in written.stderr
    assert files == ["0"]
    assert "No space left on device" in given_back.stderr
    assert not os.path.exists(home.home.devices(home.guests()[0].id))


def test_devices_and_rights_that_cannot_be_given_are_refused(
    home: HomeUnderTest,
) -> None:
    device = home.base / "gone"
    os.mknod(device, 0o20600, os.makedev(1, 7))
    home.wirt("create", "-t", TINY, "web", status=0)
    outside = home.wirt("set", "web", "--device", str(device), status=2)
    unknown = home.wirt("set", "web", "--device", "/dev/none", status=3)
    home.wirt("create", "-t", TINY, "-a", "chroot", "bare", status=0)
    refused = home.wirt("set", "bare", "--capability", "sys_time:on", status=6)

    assert outside.stderr == (
        f"wirt: '{device}' is no device; write its path and, if it is not to be rw, what it may be used "
        "for: /dev/fuse:r\n"
    )
    assert unknown.stderr == "wirt: the node has no device /dev/none; look for it in /dev\n"
    assert refused.stderr == (
        "wirt: guest bare cannot be given rights or devices: approach chroot has none to give; "
        "containers (approach lxc) can\n"
    )
