"""``wirt snapshot export`` and ``import`` as a person types them: containers that go on from a file, here and elsewhere."""

import re
import subprocess
import time
from pathlib import Path

from tests import homes
from tests.conftest import TINY
from tests.homes import WIRT, HomeUnderTest
from tests.leaks import World
from tests.netns import other_network

COUNTING = (
    "i=0; while :; do i=$((i+1)); echo $i >/root/new; mv /root/new /root/count; usleep 10000; done"
)


def begin(home: HomeUnderTest, *options: str) -> None:
    """Start a guest that counts, and has changed and deleted files of its template."""
    home.wirt("create", "-t", TINY, *options, "web", status=0)
    home.wirt("start", "web", status=0)
    # CRIU works in the guest's /tmp.
    prepare = "chmod 1777 /tmp; rm /etc/passwd; echo kept >/root/note; ln /root/note /root/again"
    home.wirt("exec", "web", "--", "sh", "-c", prepare, status=0)
    counting = f"setsid sh -c {COUNTING!r} </dev/null >/dev/null 2>&1 &"
    home.wirt("exec", "web", "--", "sh", "-c", counting, status=0)


def count(said: str) -> int:
    return int(said) if said.strip() else 0


def test_container_goes_on_from_a_file_on_every_pool(
    home_on: HomeUnderTest, pool: str, tmp_path: Path
) -> None:
    file = str(tmp_path / "web.wirt")

    def sh(script: str) -> str:
        return home_on.wirt("exec", "web", "--", "sh", "-c", script, status=0).stdout

    begin(home_on, "--pool", pool, "--disk", "64M")
    home_on.wirt("checkpoint", "web", "one", status=0)
    said = home_on.wirt("snapshot", "export", "web", "one", file, status=0).stdout
    home_on.wirt("destroy", "web", status=0)
    made = home_on.wirt("snapshot", "import", file, status=0)
    address = home_on.guests()[0].address
    home_on.wirt("resume", "web", status=0)
    first = count(sh("cat /root/count"))
    deadline = time.monotonic() + 10
    while count(sh("cat /root/count")) <= first:
        assert time.monotonic() < deadline, "it does not count on"

    assert re.fullmatch(rf"snapshot one of guest web exported: {file}, \S+ .iB\n", said)
    assert made.stdout == (
        f"guest web imported: lxc, {address}, snapshot one; go on with wirt resume web\n"
    )
    assert made.stderr == "verify\ntemplate\nunpack\n"
    assert sh("cat /root/note; stat -c %h /root/again; ls /etc/passwd || :") == "kept\n2\n"
    assert sh("touch /root/written && echo yes") == "yes\n"


def test_container_goes_on_in_a_home_that_has_nothing(home: HomeUnderTest, tmp_path: Path) -> None:
    file = str(tmp_path / "web.wirt")
    begin(home)
    home.wirt("checkpoint", "web", "one", "--keep-running", status=0)
    home.wirt("snapshot", "export", "web", "one", file, status=0)
    with homes.open_base() as base, other_network() as netns:
        there = HomeUnderTest(base)

        def on_b(*arguments: str) -> str:
            done = subprocess.run(
                ["nsenter", f"--net={netns}", WIRT, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=there.environment,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        on_b("snapshot", "import", file, "web-2")
        on_b("resume", "web-2")
        counted = count(on_b("exec", "web-2", "--", "cat", "/root/count"))
        templates = on_b("template", "list")
        ours, theirs = home.guests()[0], there.guests()[0]
        on_b("destroy", "--force", "web-2")
        left = there.world().difference(World.empty())

    assert counted > 0
    assert TINY in templates
    assert (theirs.name, theirs.id, theirs.address) == ("web-2", ours.id, ours.address)
    assert [line for line in left if not line.startswith("files:")] == []


def test_file_that_was_cut_short_changes_nothing(home: HomeUnderTest, tmp_path: Path) -> None:
    file = tmp_path / "web.wirt"
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("snapshot", "create", "web", "one", status=0)
    home.wirt("snapshot", "export", "web", "one", str(file), "--without-template", status=0)
    home.wirt("destroy", "web", status=0)
    file.write_bytes(file.read_bytes()[:-9])
    before = home.world()
    done = home.wirt("snapshot", "import", str(file))

    assert done.returncode == 9
    assert done.stderr.splitlines()[-1] == (
        "wirt: web.wirt is cut short: its end is missing; copy it again from where it was written"
    )
    assert home.world().difference(before) == []
