"""Limits of a running container: read back from the kernel, and felt by the guest."""

import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import homes
from tests.conftest import TINY
from tests.containers import (
    cpu_limit,
    cpu_pin,
    cpu_weight,
    io_weight,
    io_write,
    kernel_says,
    memory_guarantee,
    swap,
)
from tests.homes import HomeUnderTest

from wirt.host import affinity, disks
from wirt.units import MIB, render_cpus

FORKS = "n=0; while [ $n -lt 64 ]; do sleep 60 >/dev/null 2>&1 & n=$((n + 1)); done; echo all"
BURNS = (
    "timeout -s INT 2 sh -c 'trap \"echo \\$i; exit 0\" INT; i=0; while :; do i=$((i + 1)); done'"
)
"""Says how far it came in two seconds."""
WRITES_2_MIB = "dd if=/dev/zero of=/file bs=256k count=8 oflag=direct 2>/dev/null"
READS_2_MIB = "dd if=/file of=/dev/null bs=256k count=8 iflag=direct 2>/dev/null"
FILES = "ulimit -Hn; awk '/open files/ {print $4, $5}' /proc/1/limits"
"""What a command may have open, then what init may."""
OPENS_100 = (
    "exec tail -f $(for n in $(seq 100); do : >/tmp/$n; echo /tmp/$n; done) & sleep 0.5; kill $!"
)
HOLDS_40_MIB = (
    "echo 1000 >/proc/self/oom_score_adj; exec head -c 40m /dev/zero | tail -c 40m >/dev/null"
)
"""Lets the kernel end these processes and not the guest's init, should it look for one more."""


@pytest.fixture
def web(home: HomeUnderTest) -> HomeUnderTest:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    return home


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


def test_weights_share_one_processor_out_between_burners(web: HomeUnderTest) -> None:
    cpu = str(affinity.usable()[0])
    web.wirt("create", "-t", TINY, "shop", status=0)
    web.wirt("start", "shop", status=0)
    web.wirt("set", "web", "--cpu-pin", cpu, status=0)
    web.wirt("set", "shop", "--cpu-pin", cpu, "--cpu-weight", "300", status=0)
    burning = [web.spawn("exec", name, "--", "sh", "-c", BURNS) for name in ("web", "shop")]
    came, shop_came = [int(one.communicate(timeout=60)[0]) for one in burning]

    # Three to one, but that they do not begin at the same instant, on a node that has more to do.
    assert 1.6 < shop_came / came < 4.0


def test_guarantee_is_kept_against_a_neighbour_of_more_weight(web: HomeUnderTest) -> None:
    cpu = str(affinity.usable()[0])
    web.wirt("create", "-t", TINY, "shop", status=0)
    web.wirt("start", "shop", status=0)
    web.wirt("set", "shop", "--cpu-pin", cpu, "--cpu-weight", "200", status=0)
    said = web.wirt("set", "web", "--cpu-pin", cpu, "--cpu-guarantee", "0.5", status=0).stdout
    web.wirt("restart", "--force", "web", status=0)
    burning = [web.spawn("exec", name, "--", "sh", "-c", BURNS) for name in ("web", "shop")]
    came, shop_came = [int(one.communicate(timeout=60)[0]) for one in burning]

    assert said == f"guest web has 0.5 CPUs guaranteed, CPUs {cpu} to run on now\n"
    # Its weight alone would be half of the neighbour's.
    assert came > shop_came


def test_node_guarantees_no_more_than_it_has_but_with_force(web: HomeUnderTest) -> None:
    has = len(affinity.usable())
    web.wirt("create", "-t", TINY, "--cpus", str(has), "shop", status=0)
    web.wirt("set", "web", "--cpu-guarantee", "0.5", status=0)
    refused = web.wirt("set", "shop", "--cpu-guarantee", str(has), status=4)
    forced = web.wirt("set", "shop", "--cpu-guarantee", str(has), "--force", status=0)
    web.wirt("node", "--reserve", "20", status=0)
    node = json.loads(web.wirt("node", "--json", status=0).stdout)

    assert refused.stderr == (
        f"wirt: guest shop cannot be guaranteed {has} CPUs: the node has {has * 0.9:g} CPUs for "
        f"guests, and others are guaranteed 0.5 CPUs; ask for at most {has * 0.9 - 0.5:g} CPUs, or "
        "pass --force\n"
    )
    assert forced.stdout == f"guest shop has {has} CPUs guaranteed now\n"
    assert node["cpus"]["guaranteed"] == has + 0.5
    assert node["cpus"]["reserved"] == pytest.approx(has * 0.2)
    assert (node["guests"], node["running"]) == (2, 1)


def test_weight_and_pin_are_kept_and_given_back(web: HomeUnderTest) -> None:
    cpus = affinity.usable()
    said = web.wirt("set", "web", "--cpu-weight", "10000", "--cpu-pin", str(cpus[-1]), status=0)
    at_once = cpu_weight(web), cpu_pin(web)
    web.wirt("restart", "--force", "web", status=0)
    kept = cpu_weight(web), cpu_pin(web)
    inside = web.wirt("exec", "web", "--", "grep", "Cpus_allowed_list", "/proc/self/status")
    web.wirt("set", "web", "--cpu-pin", "auto", status=0)
    chosen = web.wirt("exec", "web", "--", "nproc", status=0).stdout
    back = web.wirt("set", "web", "--cpu-weight", "100", "--cpu-pin", "all", status=0)

    assert chosen == "1\n"
    assert said.stdout == f"guest web has a CPU weight of 10000, CPUs {cpus[-1]} to run on now\n"
    assert at_once == kept == (10_000, str(cpus[-1]))
    assert inside.stdout.split()[1] == str(cpus[-1])
    assert back.stdout == "guest web has a CPU weight of 100, all CPUs to run on now\n"
    assert (cpu_weight(web), cpu_pin(web)) == (100, render_cpus(cpus))


def test_part_of_a_processor_is_all_that_a_container_gets_until_it_is_given_back(
    web: HomeUnderTest,
) -> None:
    said = web.wirt("set", "web", "--cpu-limit", "0.2", status=0).stdout
    at_once = cpu_limit(web)
    web.wirt("restart", "--force", "web", status=0)
    kept = cpu_limit(web)
    refused = web.wirt("set", "web", "--cpu-limit", "2", status=2)
    web.wirt("set", "web", "--cpu-limit", "0", status=0)

    assert said == "guest web has at most 0.2 CPUs' time now\n"
    assert at_once == kept == 0.2
    assert refused.stderr == (
        "wirt: a guest of 1 CPUs cannot be held to 2; ask for 0.01 to 1, or 0 for all of them\n"
    )
    assert cpu_limit(web) == 1


def test_swap_and_guarantee_are_kept_and_given_back(web: HomeUnderTest) -> None:
    change = ["--memory", "96M", "--swap", "16M", "--memory-guarantee", "64M"]
    said = web.wirt("set", "web", *change, status=0).stdout
    at_once = swap(web), memory_guarantee(web)
    web.wirt("restart", "--force", "web", status=0)
    kept = swap(web), memory_guarantee(web)
    shown = web.wirt("show", "web", status=0).stdout
    back = web.wirt("set", "web", "--swap", "unlimited", "--memory-guarantee", "0", status=0)

    assert said == (
        "guest web has 96 MiB of memory, 64 MiB of memory guaranteed, 16 MiB of swap now\n"
    )
    assert at_once == kept == (16 * MIB, 64 * MIB)
    assert "memory       96 MiB, 64 MiB guaranteed, 16 MiB of swap\n" in shown
    assert back.stdout == "guest web has no memory guaranteed, unlimited swap now\n"
    assert (swap(web), memory_guarantee(web)) == (None, 0)


def test_memory_may_become_more_than_memory_and_swap_were_together(web: HomeUnderTest) -> None:
    web.wirt("set", "web", "--memory", "64M", "--swap", "0", status=0)
    for size in ("256M", "48M"):
        web.wirt("set", "web", "--memory", size, status=0)

        assert swap(web) == 0


@pytest.fixture
def node_swap(tmp_path: Path) -> Iterator[None]:
    """Give the node swap for as long as a test lasts."""
    file = tmp_path / "swap"
    file.write_bytes(bytes(96 * MIB))
    file.chmod(0o600)
    subprocess.run(["mkswap", "--quiet", file], check=True)
    subprocess.run(["swapon", file], check=True)
    yield
    subprocess.run(["swapoff", file], check=True)


def test_guest_out_of_memory_swaps_as_far_as_it_may_and_show_says_who_was_ended(
    web: HomeUnderTest, node_swap: None
) -> None:
    web.wirt("set", "web", "--memory", "32M", "--swap", "64M", status=0)
    swapping = web.wirt("exec", "web", "--", "sh", "-c", HOLDS_40_MIB)
    unharmed = web.wirt("show", "web", status=0).stdout
    web.wirt("set", "web", "--swap", "0", status=0)
    short = web.wirt("exec", "web", "--", "sh", "-c", HOLDS_40_MIB)
    shown = web.wirt("show", "web", status=0).stdout

    assert swapping.returncode == 0
    assert "memory       32 MiB, 64 MiB of swap\n" in unharmed
    assert short.returncode == 128 + 9
    # One process is ended, or another too before the memory of the first is there again.
    kills = json.loads(web.wirt("show", "--json", "web", status=0).stdout)["memory_kills"]
    ended = "a process was" if kills == 1 else f"{kills} processes were"
    assert kills in (1, 2)
    assert (
        f"memory       32 MiB, 0 B of swap; ran out of it since its start: {ended} ended\n" in shown
    )


def test_guest_that_is_made_with_bounds_of_bandwidth_has_them_from_its_first_start_on(
    home: HomeUnderTest,
) -> None:
    home.wirt("create", "-t", TINY, "--io-write", "1M", "--rate-out", "2mbit", "web", status=0)
    home.wirt("start", "web", status=0)
    guest = home.guests()[0]
    card = f"w{home.home.tag}{guest.id}"
    table = subprocess.check_output(["nft", "list", "table", "netdev", card], text=True)

    assert io_write(home) == MIB
    assert "rate over 250" in table


@pytest.mark.parametrize("pool", ["directory", "image"])
def test_bandwidth_of_the_disk_is_bounded_and_given_back(home: HomeUnderTest, pool: str) -> None:
    home.wirt("create", "-t", TINY, "--pool", pool, "--disk", "128M", "web", status=0)
    said = home.wirt("set", "web", "--io-write", "1M", "--io-read", "1M", status=0).stdout
    home.wirt("start", "web", status=0)
    shown = home.wirt("show", "web", status=0).stdout

    def seconds(command: str) -> float:
        began = time.perf_counter()
        home.wirt("exec", "web", "--", "sh", "-c", command, status=0)
        return time.perf_counter() - began

    written, read = seconds(WRITES_2_MIB), seconds(READS_2_MIB)
    back = home.wirt("set", "web", "--io-write", "unlimited", "--io-read", "2M", status=0).stdout

    assert said == "guest web has 1 MiB a second from disk, 1 MiB a second to disk now\n"
    assert "disk io      1 MiB a second read, 1 MiB a second written\n" in shown
    assert min(written, read) > 1.5
    assert back == "guest web has 2 MiB a second from disk, any bandwidth to disk now\n"
    assert io_write(home) is None
    assert seconds(READS_2_MIB) < read


def test_number_of_writes_is_bounded_whatever_their_size(web: HomeUnderTest) -> None:
    command = "dd if=/dev/zero of=/file bs=4k count=40 oflag=direct 2>/dev/null"

    def seconds() -> float:
        began = time.perf_counter()
        web.wirt("exec", "web", "--", "sh", "-c", command, status=0)
        return time.perf_counter() - began

    said = web.wirt("set", "web", "--iops-write", "25", "--iops-read", "500", status=0).stdout
    held = seconds()
    shown = web.wirt("show", "web", status=0).stdout
    back = web.wirt("set", "web", "--iops-write", "unlimited", status=0).stdout

    assert said == (
        "guest web has 500 transfers a second from disk, 25 transfers a second to disk now\n"
    )
    assert "disk io      500 reads a second, 25 writes a second\n" in shown
    assert held > 1.2
    assert back == "guest web has any number of transfers to disk now\n"
    assert seconds() < held


def test_weight_of_a_disk_that_knows_none_is_refused_and_of_one_that_does_is_the_kernels(
    busybox_tar: Path,
) -> None:
    with homes.open_home() as home:
        home.wirt("template", "import", str(busybox_tar), TINY, status=0)
        home.wirt("pool", "create", "fast", "--size", "300M", status=0)
        home.wirt("create", "-t", TINY, "--pool", "fast", "--disk", "64M", "web", status=0)
        number = disks.find_disks(home.home.pool("fast"))[0]
        queue = Path(f"/sys/dev/block/{number}/queue/scheduler")
        queue.write_text("none")
        refused = home.wirt("set", "web", "--io-weight", "300", status=6)
        queue.write_text("bfq")
        home.wirt("start", "web", status=0)
        said = home.wirt("set", "web", "--io-weight", "300", status=0).stdout
        at_once = io_weight(home)
        home.wirt("restart", "--force", "web", status=0)
        kept = io_weight(home)
        shown = home.wirt("show", "web", status=0).stdout
        home.wirt("set", "web", "--io-weight", "100", status=0)
        back = io_weight(home)
        home.wirt("destroy", "--force", "web", status=0)
        home.wirt("pool", "remove", "fast", status=0)

    assert refused.stderr == (
        f"wirt: the disk weight of guest web cannot be set: disk {number}, which pool fast is on, has "
        "no scheduler that knows weights; give it one: echo bfq > "
        f"/sys/dev/block/{number}/queue/scheduler\n"
    )
    assert said == "guest web has a weight of 300 at its disk now\n"
    assert (at_once, kept, back) == (300, 300, 100)
    assert "disk weight  300\n" in shown


def test_open_files_are_bounded_at_once_for_all_that_runs_and_kept(web: HomeUnderTest) -> None:
    said = web.wirt("set", "web", "--files", "100", status=0).stdout
    inside = web.wirt("exec", "web", "--", "sh", "-c", FILES).stdout
    web.wirt("restart", "--force", "web", status=0)
    kept = web.wirt("exec", "web", "--", "sh", "-c", FILES).stdout
    opened = web.wirt("exec", "web", "--", "sh", "-c", OPENS_100)
    web.wirt("set", "web", "--files", "unlimited", status=0)

    assert said == "guest web has 100 open files for each process now\n"
    assert inside == kept == "100\n100 100\n"
    assert "Too many open files" in opened.stderr
    assert web.wirt("exec", "web", "--", "sh", "-c", OPENS_100).stderr == ""


@pytest.mark.alone
def test_set_of_a_running_container_takes_about_as_long_as_show(web: HomeUnderTest) -> None:
    def seconds(*arguments: str) -> float:
        began = time.perf_counter()
        web.wirt(*arguments, status=0)
        return time.perf_counter() - began

    weights = [str(100 + number) for number in range(11)]
    taken = [
        (seconds("set", "web", "--cpu-weight", weight), seconds("show", "web"))
        for weight in weights
    ]

    assert statistics.median(set_ / show for set_, show in taken) < 1.5


def test_guest_is_made_with_all_that_it_is_to_be_held_to(home: HomeUnderTest) -> None:
    held = ["--cpu-limit", "0.5", "--processes", "100", "--swap", "0", "--files", "256"]
    home.wirt("create", "-t", TINY, *held, "web", status=0)
    limits = home.guests()[0].limits
    said = home.wirt("run", "-t", TINY, "--files", "300", "--", "sh", "-c", "ulimit -n", status=0)
    refused = home.wirt("create", "-t", TINY, "--processes", "1", "other", status=2)

    assert (limits.cpu_limit, limits.processes, limits.swap, limits.files) == (0.5, 100, 0, 256)
    assert said.stdout == "300\n"
    assert refused.stderr == (
        "wirt: a guest cannot be held to 1 processes; ask for 16 to 4194304\n"
    )
    assert [guest.name for guest in home.guests()] == ["web"]
