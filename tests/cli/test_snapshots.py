"""``wirt snapshot`` as a person types it, on containers and chroots of every pool of trees."""

import json
import os
import re
import time
from pathlib import Path

from tests.conftest import TINY
from tests.homes import HomeUnderTest


def sh(home: HomeUnderTest, script: str) -> str:
    return home.wirt("exec", "web", "sh", "-c", script, status=0).stdout


def test_container_goes_back_to_what_it_was_while_it_ran(home_on: HomeUnderTest, pool: str) -> None:
    """The program counts up into a file all the while: the snapshot holds one of its numbers, and it goes on."""
    home_on.wirt("create", "-t", TINY, "--pool", pool, "web", status=0)
    home_on.wirt("start", "web", status=0)
    counting = "i=0; while true; do i=$((i+1)); echo $i > /root/n.new; mv /root/n.new /root/n; done"
    sh(home_on, f"({counting}) >/dev/null 2>&1 </dev/null & rm /etc/passwd; echo kept > /root/note")
    said = home_on.wirt("snapshot", "create", "web", "one", status=0).stdout
    now = int(sh(home_on, "cat /root/n"))
    deadline = time.monotonic() + 10
    while int(sh(home_on, "cat /root/n")) == now:
        assert time.monotonic() < deadline, "the guest does not go on"
    sh(home_on, "rm -r /root /tmp; mkdir /root; echo lost > /etc/passwd")
    restored = home_on.wirt("snapshot", "restore", "web", "one", "--force", status=0).stdout
    home_on.wirt("start", "web", status=0)

    assert said == "snapshot one of guest web created\n"
    assert restored == "guest web restored to snapshot one\n"
    assert sh(home_on, "cat /root/note; ls /etc; ls -d /tmp") == "kept\n/tmp\n"
    assert 0 < int(sh(home_on, "cat /root/n")) <= now


def test_chroot_goes_back_to_what_it_was(home_on: HomeUnderTest, pool: str) -> None:
    home_on.wirt("create", "-t", TINY, "--pool", pool, "-a", "chroot", "web", status=0)
    home_on.wirt("snapshot", "create", "web", "one", status=0)
    home_on.wirt("start", "web", status=0)
    sh(home_on, "echo lost > /root/note; rm /etc/passwd")
    home_on.wirt("stop", "web", status=0)
    home_on.wirt("snapshot", "restore", "web", "one", status=0)
    home_on.wirt("start", "web", status=0)

    assert sh(home_on, "ls /root /etc") == "/etc:\npasswd\n\n/root:\n"


def test_list_tells_name_age_size_and_place(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "-a", "chroot", "web", status=0)
    empty = home.wirt("snapshot", "list", "web", status=0)
    made = home.wirt("snapshot", "create", "web", status=0).stdout.split()[1]
    home.wirt("start", "web", status=0)
    sh(home, "echo x > /root/note")
    home.wirt("stop", "web", status=0)
    home.wirt("snapshot", "create", "web", "two", status=0)
    where = home.wirt("snapshot", "mount", "web", "two", status=0).stdout.strip()
    listed = home.wirt("snapshot", "list", "web", status=0).stdout.splitlines()
    as_json = json.loads(home.wirt("snapshot", "list", "--json", "web", status=0).stdout)
    looked_at = sorted(path.name for path in Path(where).iterdir())[:2]
    hidden = home.wirt("snapshot", "unmount", "web", "two", status=0).stdout

    assert (empty.stdout, empty.stderr) == (
        "",
        "no snapshots yet; make one with: wirt snapshot create web\n",
    )
    assert listed[0].split() == ["NAME", "CREATED", "AGE", "SIZE", "MEMORY", "MOUNTED"]
    assert re.fullmatch(
        rf"{made}  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  [\d.]+ m?s +0 B +- +-", listed[1]
    )
    assert listed[2].endswith(f"  {where}")
    assert [(one["name"], one["mounted"]) for one in as_json] == [(made, None), ("two", where)]
    assert as_json[0]["bytes"] == 0
    assert 4096 <= as_json[1]["bytes"] <= 32768
    assert looked_at == ["bin", "boot"]
    assert hidden == "snapshot two of guest web unmounted\n"
    assert list(Path(where).parent.parent.glob("mounted/*")) == []


def test_destroy_takes_snapshots_and_their_mounts_along(home_on: HomeUnderTest, pool: str) -> None:
    home_on.wirt("create", "-t", TINY, "--pool", pool, "web", status=0)
    home_on.wirt("snapshot", "create", "web", "one", status=0)
    where = Path(home_on.wirt("snapshot", "mount", "web", "one", status=0).stdout.strip())
    home_on.wirt("destroy", "web", status=0)

    assert not where.exists()
    assert list(where.parents[2].iterdir()) == []


def test_image_of_a_guest_goes_back_to_what_it_was_and_cannot_be_looked_into(
    home: HomeUnderTest,
) -> None:
    home.wirt("create", "-t", TINY, "-a", "qemu", "web", status=0)
    layer = Path(home.home.pool("image"), home.guests()[0].id, "qcow2/disk")
    before = layer.read_bytes()
    home.wirt("snapshot", "create", "web", "one", status=0)
    refused = home.wirt("snapshot", "mount", "web", "one")
    layer.write_bytes(b"lost")
    home.wirt("snapshot", "restore", "web", "one", status=0)
    home.wirt("snapshot", "delete", "web", "one", status=0)

    assert (refused.returncode, refused.stderr) == (
        6,
        "wirt: snapshot one cannot be shown: the file system on its image is the guest's own; "
        "restore it, and look from inside the guest\n",
    )
    assert layer.read_bytes() == before
    assert sorted(os.listdir(layer.parents[1])) == ["qcow2"]


def test_snapshot_of_a_running_chroot_on_a_directory_is_refused(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "-a", "chroot", "web", status=0)
    home.wirt("start", "web", status=0)
    done = home.wirt("snapshot", "create", "web", "one")

    assert (done.returncode, done.stderr) == (
        6,
        "wirt: guest web is running, and neither has pool directory snapshots of one instant nor "
        "can approach chroot hold a guest still; stop it first\n",
    )
