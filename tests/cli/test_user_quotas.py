"""Quotas of users where the pool or the kernel has none; where it has, tests/lab/inside_quotas.py sees them at work."""

import json
import os
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.errors import NotPermitted
from wirt.host import quotas

LACKS = quotas.find_lack()
NOT_SAVED = "Error: failed to apply some parameters, not saving configuration file!"


def test_pool_that_counts_nobody_says_so(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "--pool", "directory", "101", status=0)
    why = "the users of guest 101 cannot be held to quotas: pool directory does not count what they hold"
    hint = "pools of kind image do, where the kernel can"
    refused = home.wirt("set", "101", "--user-quotas", "on", status=6).stderr
    listed = home.wirt("quota", "list", "101", status=6).stderr
    vz = home.type("vzctl set 101 --quotaugidlimit 100 --save", status=65)
    stat = home.type("vzquota stat -t 101", status=68)
    off = home.type("vzctl set 101 --quotaugidlimit 0 --save")

    assert refused == listed == f"wirt: {why}; {hint}\n"
    assert vz.splitlines() == [f"{why}; {hint}".replace("guest", "container"), NOT_SAVED]
    assert stat.startswith(
        "it is not known what container 101 uses: pool directory does not count it"
    )
    assert off.startswith("CT configuration saved to ")


def test_kernel_without_them_says_so_and_a_file_that_asks_for_them_keeps_nobody_from_starting(
    home: HomeUnderTest,
) -> None:
    home.wirt("create", "-t", TINY, "--pool", "image", "--disk", "128M", "101", status=0)
    why = f"the users of guest 101 cannot be held to quotas: {LACKS}"
    refused = home.wirt("set", "101", "--user-quotas", "on", status=6 if LACKS else 0).stderr
    vz = home.type("vzctl set 101 --quotaugidlimit 100 --save", status=65 if LACKS else 0)
    home.type("vzctl set 101 --description x --save")
    home.type("sed -i '$ a QUOTAUGIDLIMIT=\"100\"' $WIRT_HOME/vz/conf/101.conf")
    started = home.type("vzctl start 101")
    stat = home.type("vzquota stat 101 -t", status=67 if LACKS else 0)

    # A kernel that has them is asked for more in the lab host.
    assert refused == (f"wirt: {why}\n" if LACKS else "")
    said = why.replace("guest", "container")
    assert (vz == f"{said}\n{NOT_SAVED}\n") is bool(LACKS)
    assert (f"Warning: {said}\n" in started) is bool(LACKS)
    assert stat.splitlines()[0].split() == ["resource", "usage", "softlimit", "hardlimit", "grace"]
    assert stat.endswith(f"{said}\n") is bool(LACKS)


def test_quota_that_cannot_be_is_refused(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    refused = [
        home.wirt("quota", "set", "web", *options, status=2).stderr
        for options in (
            ["--space", "1G"],
            ["--user", "1", "--group", "1"],
            ["--user", "-1", "--space", "1G"],
            ["--user", "4294967295", "--space", "1G"],
            ["--user", "1", "--space", "2G:1G"],
            ["--group", "1", "--inodes", "0"],
            ["--user", "1", "--inodes", "many"],
        )
    ]

    assert [line.partition(";")[0].removeprefix("wirt: ").strip() for line in refused] == [
        "say whose quota it is",
        "say whose quota it is",
        "-1 is no id of a user",
        "4294967295 is no id of a user",
        "a soft limit of 2147483648 bytes is above the hard one of 1073741824",
        "a group cannot be held to 0 inodes",
        "invalid value for '--inodes': 'many' is not a number",
    ]
    assert home.wirt("quota", "set", "nemo", "--user", "1", status=3).stderr.startswith(
        "wirt: there is no guest nemo"
    )


def test_doctor_says_whether_the_kernel_has_them(home: HomeUnderTest) -> None:
    said = json.loads(home.wirt("doctor", "--json").stdout)["user_quotas"]
    shown = home.wirt("doctor").stdout

    assert [(one["name"], one["available"]) for one in said] == [("image", LACKS is None)]
    assert LACKS is None or said[0]["reason"] == LACKS
    assert "Quotas of users of containers\n  image " in shown


def test_who_is_not_root_cannot_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotPermitted) as caught:
        quotas.find_lack()

    assert str(caught.value) == ("only root can try whether this kernel has quotas; run it as root")


def test_what_a_killed_start_left_of_the_copy_that_counts_is_gone_at_the_next(
    home: HomeUnderTest,
) -> None:
    home.wirt("create", "-t", TINY, "--pool", "image", "--disk", "128M", "web", status=0)
    directory = Path(home.home.pool("image"), home.guests()[0].id)
    (directory / "disk.ext4.counted").write_text("half")
    home.wirt("start", "web", status=0)

    assert sorted(path.name for path in directory.iterdir() if "disk" in path.name) == ["disk.ext4"]
