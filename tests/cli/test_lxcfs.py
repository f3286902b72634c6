"""What a container sees of memory, processors and time where lxcfs runs: its own; and that a checkpoint keeps it so."""

import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.host import mount

SECONDS = 20.0


@pytest.fixture
def seeing(home: HomeUnderTest) -> Iterator[HomeUnderTest]:
    """Give a home beside an lxcfs of its own."""
    program = shutil.which("lxcfs")
    assert program is not None
    top = home.base / "lxcfs"
    top.mkdir(mode=0o755)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        [program, "-f", "-p", str(home.base / "lxcfs.pid"), str(top)],
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
    ) as running:
        deadline = time.monotonic() + SECONDS
        while not (top / "proc").is_dir():
            assert time.monotonic() < deadline, "lxcfs does not come up"
            time.sleep(0.01)
        home.environment["WIRT_LXCFS"] = str(top)
        yield home
        for guest in home.guests():
            home.wirt("destroy", "--force", guest.name, status=0)
        running.terminate()
    mount.unmount_below(str(top))


def look(home: HomeUnderTest) -> tuple[str, int, float]:
    """Return a guest's memory, the number of its processors, and how long it says that it runs."""
    script = "grep MemTotal /proc/meminfo; grep -c ^processor /proc/cpuinfo; cat /proc/uptime"
    memory, cpus, uptime = home.wirt(
        "exec", "web", "--", "sh", "-c", script, status=0
    ).stdout.splitlines()
    return memory.split()[1], int(cpus), float(uptime.split()[0])


def test_container_sees_its_own_memory_processors_and_time(seeing: HomeUnderTest) -> None:
    seeing.wirt("create", "-t", TINY, "--memory", "64M", "--cpu-pin", "0", "web", status=0)
    seeing.wirt("start", "web", status=0)
    first = look(seeing)
    seeing.wirt("set", "web", "--memory", "96M", status=0)
    second = look(seeing)

    assert first[:2] == ("65536", 1)
    assert first[2] < SECONDS
    assert second[0] == "98304"


def test_checkpoint_keeps_what_a_container_sees(seeing: HomeUnderTest) -> None:
    seeing.wirt("create", "-t", TINY, "--memory", "64M", "web", status=0)
    seeing.wirt("start", "web", status=0)
    seeing.wirt("checkpoint", "web", status=0)
    seeing.wirt("resume", "web", status=0)

    assert look(seeing)[0] == "65536"


def test_resume_where_lxcfs_is_gone_says_what_is_missing(seeing: HomeUnderTest) -> None:
    seeing.wirt("create", "-t", TINY, "--memory", "64M", "web", status=0)
    seeing.wirt("start", "web", status=0)
    seeing.wirt("checkpoint", "web", status=0)
    mount.unmount_below(seeing.environment["WIRT_LXCFS"])
    done = seeing.wirt("resume", "web")

    assert done.returncode != 0
    assert "/proc/cpuinfo of the node, which is not there any more; start lxcfs, or " in done.stderr
