"""Limits of a running container: read back from the kernel, and felt by the guest."""

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.host.cgroup import find_hierarchies
from wirt.units import MIB

FORKS = "n=0; while [ $n -lt 64 ]; do sleep 60 >/dev/null 2>&1 & n=$((n + 1)); done; echo all"
HOLDS_40_MIB = "exec head -c 40m /dev/zero | tail -c 40m >/dev/null"


@pytest.fixture
def web(home: HomeUnderTest) -> HomeUnderTest:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    return home


def kernel_says(home: HomeUnderTest, controller: str, first: str, second: str) -> str:
    """Return what the kernel holds the one guest's processes to."""
    name = f"w{home.home.tag}-{home.guests()[0].id}"
    hierarchy = next(h for h in find_hierarchies() if controller in h.controllers)
    file = first if hierarchy.version == 1 else second
    with open(f"{hierarchy.path}/{name}/lxc.payload.{name}/{file}") as text:
        return text.read().split()[0]


def test_set_of_a_running_container_is_the_kernels_at_once_and_kept(web: HomeUnderTest) -> None:
    said = web.wirt("set", "web", "--memory", "96M", "--processes", "99", status=0).stdout
    memory = kernel_says(web, "memory", "memory.limit_in_bytes", "memory.max")
    processes = kernel_says(web, "pids", "pids.max", "pids.max")
    web.wirt("restart", "--force", "web", status=0)

    assert said == "guest web has 96 MiB of memory, 99 processes now\n"
    assert (memory, processes) == (str(96 * MIB), "99")
    assert kernel_says(web, "memory", "memory.limit_in_bytes", "memory.max") == memory
    assert kernel_says(web, "pids", "pids.max", "pids.max") == processes


def test_fork_bomb_ends_at_the_limit_and_the_guest_can_still_be_ended(web: HomeUnderTest) -> None:
    free = web.wirt("exec", "web", "--", "sh", "-c", FORKS, status=0)
    web.wirt("restart", "--force", "web", status=0)
    web.wirt("set", "web", "--processes", "32", status=0)
    bound = web.wirt("exec", "web", "--", "sh", "-c", FORKS)
    web.wirt("stop", "--force", "web", status=0)

    assert free.stdout == "all\n"
    assert bound.returncode != 0
    assert "can't fork" in bound.stderr


def test_memory_taken_from_a_running_container_is_missed_there(web: HomeUnderTest) -> None:
    before = web.wirt("exec", "web", "--", "sh", "-c", HOLDS_40_MIB)
    web.wirt("set", "web", "--memory", "32M", status=0)
    after = web.wirt("exec", "web", "--", "sh", "-c", HOLDS_40_MIB)

    assert before.returncode == 0
    assert after.returncode == 128 + 9


def test_set_of_a_container_to_nothing_new_says_what_to_do(web: HomeUnderTest) -> None:
    done = web.wirt("set", "web", status=2)

    assert done.stderr == "wirt: there is nothing to set; say what, such as --disk 8G\n"
