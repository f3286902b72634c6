"""The kernel's own control groups, whichever kind this node has. Works only in groups of its own."""

import secrets
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from wirt.errors import Failed, InvalidInput
from wirt.host.cgroup import Cgroup, Hierarchy, find_hierarchies, has_file, list_controllers


def of_version(version: int) -> list[Hierarchy]:
    """Return the trees of one version."""
    return [hierarchy for hierarchy in find_hierarchies() if hierarchy.version == version]


HIERARCHIES = find_hierarchies()
KINDS = [kind for kind in (HIERARCHIES, of_version(1), of_version(2)) if kind]
"""What this node has, and the parts of it that stand for a node with pure v1 or pure v2."""


@pytest.fixture(params=KINDS, ids=lambda kind: "+".join(sorted({f"v{h.version}" for h in kind})))
def group(request: pytest.FixtureRequest) -> Iterator[Cgroup]:
    """Give a group that does not exist yet, and take it away with all that is in it."""
    group = Cgroup(f"wirttest-{secrets.token_hex(4)}", request.param)
    yield group
    group.kill()
    group.remove()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that would run for long."""
    with subprocess.Popen(["sleep", "600"]) as started:
        yield started
        started.kill()


def directories(group: Cgroup) -> list[Path]:
    return [p for h in group.hierarchies if (p := Path(h.path, group.name)).exists()]


def test_list_controllers_of_this_node_has_what_guests_need() -> None:
    assert {"cpu", "memory"} <= list_controllers(find_hierarchies())


@pytest.mark.parametrize("group", [HIERARCHIES], indirect=True, ids=["all"])
def test_groups_have_the_files_of_their_kernel_and_no_others(group: Cgroup) -> None:
    # In every tree: where no group has the controller, its files are taken to be there.
    group.ensure()

    assert has_file("pids", "pids.max", HIERARCHIES)
    assert not has_file("pids", "pids.least", HIERARCHIES)
    assert not has_file("nosuch", "pids.max", HIERARCHIES)


def test_ensure_twice_makes_the_group_in_every_hierarchy(group: Cgroup) -> None:
    group.ensure()
    group.ensure()

    assert group.exists()
    assert len(directories(group)) == len(group.hierarchies)


def test_remove_of_group_with_groups_below_leaves_nothing(group: Cgroup) -> None:
    Cgroup(f"{group.name}/inner/most", group.hierarchies).ensure()

    group.remove()
    group.remove()

    assert not group.exists()
    assert directories(group) == []


def test_add_moves_a_process_and_what_it_forks_stays_in(group: Cgroup) -> None:
    group.ensure()
    shell = subprocess.Popen(
        ["sh", "-c", "read go; sleep 600 & echo ready; wait"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert shell.stdin is not None
    assert shell.stdout is not None
    group.add(shell.pid)
    shell.stdin.write(b"\n")
    shell.stdin.close()
    shell.stdout.readline()

    pids = group.pids()

    assert shell.pid in pids
    assert len(pids) == 2
    group.kill()
    shell.stdout.close()
    shell.wait()


def test_pids_of_group_with_groups_below_has_theirs_too(
    group: Cgroup, sleeper: subprocess.Popen[bytes]
) -> None:
    inner = Cgroup(f"{group.name}/inner", group.hierarchies)
    inner.ensure()
    inner.add(sleeper.pid)

    assert group.pids() == [sleeper.pid]


def test_kill_ends_every_process_of_the_group_and_no_other(
    group: Cgroup, sleeper: subprocess.Popen[bytes]
) -> None:
    group.ensure()
    inside = subprocess.Popen(["sleep", "600"])
    group.add(inside.pid)

    group.kill()

    assert group.pids() == []
    assert inside.wait() == -9
    assert sleeper.poll() is None


def test_kill_of_frozen_group_ends_it(group: Cgroup, sleeper: subprocess.Popen[bytes]) -> None:
    group.ensure()
    group.add(sleeper.pid)
    group.freeze()

    group.kill()

    assert sleeper.wait() == -9


def test_kill_ends_what_is_frozen_by_a_group_below(
    group: Cgroup, sleeper: subprocess.Popen[bytes]
) -> None:
    inner = Cgroup(f"{group.name}/inner", group.hierarchies)
    inner.ensure()
    inner.add(sleeper.pid)
    inner.freeze()

    group.kill()

    assert sleeper.wait() == -9


def test_files_that_freeze_a_group_are_known_before_it_is_there(
    group: Cgroup, sleeper: subprocess.Popen[bytes]
) -> None:
    known = group.freezers()
    group.ensure()
    group.add(sleeper.pid)
    file, value = next(iter(known.items()))
    Path(file).write_text(value)
    was_freezing = group.is_freezing()
    group.thaw()

    assert Path(file).parent == group.freezer()
    assert was_freezing


def test_kill_of_group_that_does_not_exist_is_no_error(group: Cgroup) -> None:
    group.kill()

    assert group.pids() == []


def test_freeze_stops_the_processes_until_thaw(group: Cgroup) -> None:
    group.ensure()
    echo = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert echo.stdin is not None
    assert echo.stdout is not None
    group.add(echo.pid)

    group.freeze()
    frozen = group.is_frozen()
    echo.stdin.write(b"said while frozen\n")
    echo.stdin.flush()
    answered_while_frozen, _, _ = select.select([echo.stdout], [], [], 0.1)
    group.thaw()
    after = echo.stdout.readline()

    assert frozen
    assert not group.is_frozen()
    assert answered_while_frozen == []
    assert after == b"said while frozen\n"
    echo.communicate()


def test_freeze_of_group_that_is_gone_says_so(group: Cgroup) -> None:
    with pytest.raises(Failed, match=f"the cgroup {group.name} cannot be frozen: it is gone"):
        group.freeze()


def test_add_of_process_that_is_gone_is_one_of_our_errors(group: Cgroup) -> None:
    group.ensure()
    gone = subprocess.Popen(["true"])
    gone.wait()

    with pytest.raises(Failed, match="No such process"):
        group.add(gone.pid)


def test_memory_of_group_with_a_process_is_counted(group: Cgroup) -> None:
    group.ensure()
    holder = subprocess.Popen(
        ["sh", "-c", "read go; head -c 16777216 /dev/zero | tail -c 16777216 | wc -c; read end"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    group.add(holder.pid)
    holder.stdin.write(b"\n")
    holder.stdin.flush()
    holder.stdout.readline()

    current, peak = group.memory_current(), group.memory_peak()

    has_memory = "memory" in list_controllers(group.hierarchies)
    assert (current is not None and current > 0) == has_memory
    assert peak is None or peak >= 16 * 1024**2
    holder.communicate(b"\n")


def test_memory_of_group_that_does_not_exist_is_unknown(group: Cgroup) -> None:
    assert group.memory_current() is None
    assert group.memory_peak() is None


@pytest.mark.parametrize("name", ["", "/", ".", "..", "a/../.."])
def test_group_without_a_name_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="names no cgroup of its own"):
        Cgroup(name)
