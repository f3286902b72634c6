"""Quotas of users and groups of containers. Run in the lab: the kernel of the machine that tests are run on may have none."""

import re
import sys

import msgspec
import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.host import quotas
from wirt.model.quota import Quota
from wirt.units import MIB

PREPARE = """
mkdir -p /srv/box && chmod 1777 /srv/box
echo u:x:1000:1000::/:/bin/sh >>/etc/passwd
echo o:x:1001:1000::/:/bin/sh >>/etc/passwd
"""


def as_user(home: HomeUnderTest, user: str, command: str) -> int:
    return home.wirt("exec", "web", "--", "su", user, "-c", command).returncode


def held(home: HomeUnderTest) -> dict[str, Quota]:
    said = home.wirt("quota", "list", "--json", "web", status=0).stdout
    return {f"{one.owner} {one.number}": one for one in msgspec.json.decode(said, type=list[Quota])}


@pytest.fixture
def web(home: HomeUnderTest) -> HomeUnderTest:
    """Give a home whose guest web, on a pool image, counts what its users hold, with some files of before."""
    home.wirt("create", "-t", TINY, "--pool", "image", "--disk", "256M", "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("exec", "web", "--", "sh", "-c", PREPARE, status=0)
    assert as_user(home, "u", "head -c 3m /dev/zero | tr '\\0' x >/srv/box/before") == 0
    home.wirt("set", "web", "--user-quotas", "on", status=0)
    early = home.wirt("quota", "list", "web", status=5).stderr
    home.wirt("restart", "--force", "web", status=0)

    assert early == (
        "wirt: it is not known what users of guest web hold: its disk is not mounted since that was "
        "switched on; start it: wirt restart web\n"
    )
    return home


def test_kernel_has_quotas() -> None:
    assert quotas.find_lack() is None


def test_user_is_held_to_bytes_and_inodes_and_others_are_not(web: HomeUnderTest) -> None:
    before = held(web)["user 1000"]
    said = web.wirt(
        "quota", "set", "web", "--user", "1000", "--space", "6M:8M", "--inodes", "10", status=0
    ).stdout
    fits = as_user(web, "u", "head -c 4m /dev/zero | tr '\\0' x >/srv/box/more")
    full = as_user(web, "u", "head -c 4m /dev/zero | tr '\\0' x >/srv/box/yet-more")
    other = as_user(web, "o", "head -c 9m /dev/zero | tr '\\0' x >/srv/box/others")
    root = web.wirt("exec", "web", "--", "sh", "-c", "head -c 9m /dev/zero >/srv/box/roots")
    after = held(web)["user 1000"]
    freed = as_user(web, "u", "rm /srv/box/more /srv/box/yet-more")
    many = as_user(web, "u", "for n in 1 2 3 4 5 6 7 8 9 10; do : >/srv/box/f$n || exit 9; done")

    assert said == "user 1000 of guest web may hold 8 MiB and 10 inodes now\n"
    assert 3 * MIB <= before.bytes < 4 * MIB
    assert (fits, other, root.returncode, freed) == (0, 0, 0, 0)
    assert full != 0
    assert 7 * MIB < after.bytes <= 8 * MIB
    assert (after.bounds.bytes_soft, after.bounds.bytes) == (6 * MIB, 8 * MIB)
    assert many != 0


def test_group_is_held_together_and_quotas_outlast_the_start_and_a_change_of_size(
    web: HomeUnderTest,
) -> None:
    web.wirt("quota", "set", "web", "--group", "1000", "--space", "8M", status=0)
    web.wirt("stop", "--force", "web", status=0)
    web.wirt("set", "web", "--disk", "320M", status=0)
    web.wirt("start", "web", status=0)
    first = as_user(web, "u", "head -c 3m /dev/zero | tr '\\0' x >/srv/box/one")
    second = as_user(web, "o", "head -c 3m /dev/zero | tr '\\0' x >/srv/box/two")
    listed = web.wirt("quota", "list", "web", status=0).stdout.splitlines()

    assert first == 0
    assert second != 0
    assert listed[0].split() == ["OWNER", "SPACE", "SOFT", "HARD", "INODES", "SOFT", "HARD"]
    assert any("group 1000" in line and "8 MiB" in line for line in listed)


def test_quotas_that_are_switched_off_hold_nobody_from_the_next_start_on(
    web: HomeUnderTest,
) -> None:
    web.wirt("quota", "set", "web", "--user", "1000", "--space", "4M", status=0)
    web.wirt("set", "web", "--user-quotas", "off", status=0)
    web.wirt("restart", "--force", "web", status=0)
    free = as_user(web, "u", "head -c 9m /dev/zero | tr '\\0' x >/srv/box/more")
    refused = web.wirt("quota", "list", "web", status=5).stderr

    assert free == 0
    assert refused == (
        "wirt: nothing counts what users of guest web hold; switch it on, for its next start: "
        "wirt set web --user-quotas on\n"
    )


def test_vzctl_switches_them_on_by_quotaugidlimit(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "--pool", "image", "--disk", "256M", "101", status=0)
    vzctl = f"{sys.executable} -c 'from wirt.dialects.vz.entry import vzctl; vzctl()'"
    home.type(f"{vzctl} start 101")
    said = home.type(f"{vzctl} set 101 --quotaugidlimit 100 --save --setmode restart")
    on = home.wirt("quota", "list", "101")
    stat = home.type(f"{vzctl.replace('vzctl', 'vzquota')} stat 101 -t")
    home.type(f"{vzctl} set 101 --quotaugidlimit 0 --save --setmode restart")
    off = home.wirt("quota", "list", "101")

    assert "Starting container" in said
    assert (on.returncode, off.returncode) == (0, 5)
    assert "User/group quota: on,active\n" in stat
    assert re.search(r"^0 +user 1k-blocks +[1-9][0-9]* +0 +0 +loaded$", stat, re.MULTILINE)
