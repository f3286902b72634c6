"""What a group's files mean, in both versions: trees that look as the kernel's do."""

from pathlib import Path

from wirt.host.cgroup import Cgroup, Hierarchy
from wirt.host.cgroupusage import Account, GroupUsage, cpu_seconds, find_guarantee, measure

FIRST = {
    "pids/web/pids.current": "7\n",
    "pids/web/pids.max": "64\n",
    "pids/web/pids.peak": "9\n",
    "pids/web/pids.events": "max 2\n",
    "pids/web/inner/pids.events": "max 3\n",
    # Full itself, as what is below it has been; and bounded, but never full.
    "pids/web/full/pids.max": "36\n",
    "pids/web/full/pids.peak": "36\n",
    "pids/web/full/pids.events": "max 50\n",
    "pids/web/full/below/pids.events": "max 50\n",
    "pids/web/roomy/pids.max": "36\n",
    "pids/web/roomy/pids.peak": "35\n",
    "pids/web/roomy/pids.events": "max 1\n",
    "pids/web/unknown/pids.max": "36\n",
    "pids/web/unknown/pids.events": "max 50\n",
    "memory/web/memory.usage_in_bytes": "8192\n",
    "memory/web/memory.max_usage_in_bytes": "12288\n",
    "memory/web/memory.limit_in_bytes": "1048576\n",
    "memory/web/memory.failcnt": "4\n",
    "memory/web/memory.memsw.usage_in_bytes": "12288\n",
    "memory/web/memory.memsw.max_usage_in_bytes": "16384\n",
    "memory/web/memory.memsw.limit_in_bytes": "1576960\n",
    "memory/web/memory.memsw.failcnt": "6\n",
    "memory/web/memory.soft_limit_in_bytes": "65536\n",
    "memory/web/memory.stat": "shmem 1\nhierarchical_memory_limit 1048576\ntotal_swap 4096\ntotal_shmem 100\n",
    "memory/web/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "memory/web/inner/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
}
SECOND = {
    "web/pids.current": "7\n",
    "web/pids.max": "max\n",
    # What was refused below for a bound of there counts in the first and not in the second.
    "web/pids.events": "max 5\n",
    "web/pids.events.local": "max 2\n",
    "web/inner/pids.events": "max 3\n",
    "web/memory.current": "8192\n",
    "web/memory.peak": "12288\n",
    "web/memory.max": "1048576\n",
    "web/memory.events": "low 0\nhigh 0\nmax 4\noom 1\noom_kill 3\n",
    "web/memory.low": "65536\n",
    "web/memory.swap.current": "4096\n",
    "web/memory.swap.max": "max\n",
    "web/memory.swap.events": "high 0\nmax 0\nfail 0\n",
    "web/memory.stat": "anon 1\nkernel 500\nshmem 100\nslab_reclaimable 300\n",
}


def write(base: Path, content: dict[str, str]) -> None:
    for name, text in content.items():
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def tree(path: Path, version: int, *controllers: str) -> Hierarchy:
    return Hierarchy(path=str(path), version=version, controllers=frozenset(controllers))


def test_group_of_version_1_is_summed_with_those_below_it(tmp_path: Path) -> None:
    write(tmp_path, FIRST)
    hierarchies = [tree(tmp_path / name, 1, name) for name in ("pids", "memory")]

    assert measure(Cgroup("web", hierarchies)) == GroupUsage(
        processes=Account(held=7, most=9, limit=64, refused=6),
        memory=Account(held=8192, most=12288, limit=1 << 20, refused=4),
        memory_and_swap=Account(held=12288, most=16384),
        swap=Account(held=4096, limit=528384, refused=6),
        kernel=Account(),
        shared=100,
        reclaimable=None,
        killed=3,
    )


def test_group_of_version_2_counts_what_its_own_bound_refused(tmp_path: Path) -> None:
    write(tmp_path, SECOND)
    hierarchy = tree(tmp_path, 2, "pids", "memory")

    assert measure(Cgroup("web", [hierarchy])) == GroupUsage(
        processes=Account(held=7, most=None, limit=None, refused=2),
        memory=Account(held=8192, most=12288, limit=1 << 20, refused=4),
        memory_and_swap=Account(held=12288),
        swap=Account(held=4096, refused=0),
        kernel=Account(held=500),
        shared=100,
        reclaimable=300,
        killed=3,
    )


def test_group_that_nothing_bounds_has_no_limits(tmp_path: Path) -> None:
    unbounded = "9223372036854771712\n"
    for name in ("limit_in_bytes", "memsw.limit_in_bytes", "soft_limit_in_bytes"):
        write(tmp_path, {f"web/memory.{name}": unbounded})
    groups = [Cgroup("web", [tree(tmp_path, version, "memory")]) for version in (1, 2)]
    write(tmp_path, {"web/memory.max": "max\n", "web/memory.low": "0\n"})

    for group in groups:
        found = measure(group)
        assert (found.memory.limit, found.swap.limit, find_guarantee(group)) == (None, None, 0)


def test_guarantee_of_a_group_is_what_either_version_calls_so(tmp_path: Path) -> None:
    write(tmp_path / "first", FIRST)
    write(tmp_path / "second", SECOND)
    first = Cgroup("web", [tree(tmp_path / "first" / "memory", 1, "memory")])
    second = Cgroup("web", [tree(tmp_path / "second", 2, "memory")])

    assert (find_guarantee(first), find_guarantee(second)) == (65536, 65536)
    assert find_guarantee(Cgroup("web", [tree(tmp_path, 2)])) == 0


def test_group_that_nobody_counts_is_unknown(tmp_path: Path) -> None:
    assert measure(Cgroup("web", [tree(tmp_path, 2)])) == GroupUsage()
    assert measure(Cgroup("web", [tree(tmp_path, 2, "pids", "memory")])) == GroupUsage()


def test_processor_time_is_counted_in_either_version(tmp_path: Path) -> None:
    write(tmp_path / "first", {"web/cpuacct.usage": "1500000000\n"})
    write(tmp_path / "second", {"web/cpu.stat": "usage_usec 2500000\nuser_usec 1\n"})
    first, second = tree(tmp_path / "first", 1, "cpuacct"), tree(tmp_path / "second", 2)

    assert cpu_seconds(Cgroup("web", [second, first])) == 1.5
    assert cpu_seconds(Cgroup("web", [second])) == 2.5
    assert cpu_seconds(Cgroup("other", [second, first])) is None
    assert cpu_seconds(Cgroup("web", [])) is None
