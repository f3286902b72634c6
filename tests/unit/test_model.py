import itertools

import msgspec
import pytest
from tests.guests import make_guest

from wirt.errors import InvalidInput, WrongState
from wirt.model import lifecycle, names
from wirt.model.guest import Guest, Handle
from wirt.model.home import Home
from wirt.model.lifecycle import State, next_state
from wirt.model.limits import Limits, check_limits, effective_weight
from wirt.units import MIB

VERBS = [
    "migrate",
    "start",
    "stop",
    "destroy",
    "exec",
    "freeze",
    "thaw",
    "rename",
    "snapshot",
    "restore",
    "set",
    "count",
    "clone",
    "console",
    "mount",
    "unmount",
    "template",
    "checkpoint",
    "resume",
    "disk",
    "export",
]
OUTCOMES: dict[tuple[State, str], State | str | None] = {
    (State.STOPPED, "start"): State.RUNNING,
    (State.STOPPED, "stop"): "guest web is not running; there is nothing to stop",
    (State.STOPPED, "destroy"): None,
    (State.STOPPED, "exec"): "guest web is not running; start it first",
    (State.RUNNING, "start"): "guest web is running already; to start it anew, stop it first",
    (State.RUNNING, "stop"): State.STOPPED,
    (State.RUNNING, "destroy"): "guest web is running; stop it first or pass --force",
    (State.RUNNING, "exec"): State.RUNNING,
    (State.FROZEN, "start"): "guest web is frozen; thaw it, and it goes on",
    (State.FROZEN, "stop"): "guest web is frozen; thaw it first or pass --force",
    (State.FROZEN, "destroy"): "guest web is frozen; thaw and stop it first or pass --force",
    (State.FROZEN, "exec"): "guest web is frozen; thaw it first",
    (State.STOPPED, "freeze"): "guest web is not running; start it first",
    (State.RUNNING, "freeze"): State.FROZEN,
    (State.FROZEN, "freeze"): "guest web is frozen already; there is nothing to freeze",
    (State.STOPPED, "thaw"): "guest web is not running; there is nothing to thaw",
    (State.RUNNING, "thaw"): "guest web is not frozen; there is nothing to thaw",
    (State.FROZEN, "thaw"): State.RUNNING,
    (State.STOPPED, "count"): "guest web is not running; start it first",
    (State.RUNNING, "count"): State.RUNNING,
    (State.FROZEN, "count"): State.FROZEN,
    (State.STOPPED, "rename"): State.STOPPED,
    (State.RUNNING, "rename"): State.RUNNING,
    (State.FROZEN, "rename"): State.FROZEN,
    (State.STOPPED, "snapshot"): State.STOPPED,
    (State.RUNNING, "snapshot"): State.RUNNING,
    (State.STOPPED, "restore"): State.STOPPED,
    (State.RUNNING, "restore"): "guest web is running; stop it first or pass --force",
    (State.STOPPED, "set"): State.STOPPED,
    (State.RUNNING, "set"): State.RUNNING,
    (State.FROZEN, "set"): State.FROZEN,
    (State.FROZEN, "snapshot"): State.FROZEN,
    (State.FROZEN, "restore"): "guest web is frozen; thaw and stop it first or pass --force",
    (State.STOPPED, "clone"): State.STOPPED,
    (State.RUNNING, "clone"): State.RUNNING,
    (State.FROZEN, "clone"): State.FROZEN,
    (State.STOPPED, "mount"): State.MOUNTED,
    (State.RUNNING, "mount"): "guest web is running; stop it first, or copy files with wirt copy",
    (State.FROZEN, "mount"): "guest web is frozen; thaw and stop it first",
    (State.STOPPED, "unmount"): "guest web is not mounted; there is nothing to unmount",
    (State.RUNNING, "unmount"): "guest web is running; its root is in use until it is stopped",
    (State.FROZEN, "unmount"): "guest web is frozen; its root is in use until it is stopped",
    (State.STOPPED, "template"): State.STOPPED,
    (State.RUNNING, "template"): State.RUNNING,
    (State.FROZEN, "template"): State.FROZEN,
    (State.MOUNTED, "mount"): State.MOUNTED,
    (State.MOUNTED, "unmount"): State.STOPPED,
    (State.MOUNTED, "rename"): State.MOUNTED,
    (State.MOUNTED, "set"): State.MOUNTED,
    (State.STOPPED, "export"): State.STOPPED,
    (State.RUNNING, "export"): "guest web is running; stop it first",
    (State.FROZEN, "export"): "guest web is frozen; thaw and stop it first",
    (State.MOUNTED, "export"): "guest web is mounted; unmount it first",
    (State.STOPPED, "disk"): State.STOPPED,
    (State.RUNNING, "disk"): State.RUNNING,
    (State.FROZEN, "disk"): "guest web is frozen; thaw it first",
    (State.MOUNTED, "disk"): "guest web is mounted; unmount it first",
    (State.MOUNTED, "start"): "guest web is mounted; unmount it first",
    (State.MOUNTED, "exec"): "guest web is mounted; unmount it first",
    (State.MOUNTED, "snapshot"): "guest web is mounted; unmount it first",
    (State.MOUNTED, "clone"): "guest web is mounted; unmount it first",
    (State.MOUNTED, "template"): "guest web is mounted; unmount it first",
    (State.MOUNTED, "destroy"): "guest web is mounted; unmount it first or pass --force",
    (State.MOUNTED, "restore"): "guest web is mounted; unmount it first or pass --force",
    (State.MOUNTED, "stop"): "guest web is not running; there is nothing to stop",
    (State.MOUNTED, "thaw"): "guest web is not running; there is nothing to thaw",
    (State.MOUNTED, "freeze"): "guest web is not running; start it first",
    (State.MOUNTED, "count"): "guest web is not running; start it first",
    (State.STOPPED, "migrate"): None,
    (State.RUNNING, "migrate"): None,
    (State.FROZEN, "migrate"): "guest web is frozen; thaw it first",
    (State.MOUNTED, "migrate"): "guest web is mounted; unmount it first",
    (State.STOPPED, "console"): (
        "guest web is not running; start it first; pass --log to see what it said"
    ),
    (State.RUNNING, "console"): State.RUNNING,
    (State.FROZEN, "console"): State.FROZEN,
    (State.MOUNTED, "console"): "guest web is mounted; unmount it first",
    (State.STOPPED, "checkpoint"): "guest web is not running; start it first",
    (State.RUNNING, "checkpoint"): State.RUNNING,
    (State.FROZEN, "checkpoint"): "guest web is frozen; thaw it first",
    (State.MOUNTED, "checkpoint"): "guest web is not running; start it first",
    (State.STOPPED, "resume"): State.RUNNING,
    (State.RUNNING, "resume"): "guest web is running; stop it first or pass --force",
    (State.FROZEN, "resume"): "guest web is frozen; thaw it, or pass --force to go back",
    (State.MOUNTED, "resume"): "guest web is mounted; unmount it first",
}


@pytest.mark.parametrize(("state", "verb"), list(itertools.product(State, VERBS)))
def test_next_state_of_every_pair_is_a_state_or_a_refusal(state: State, verb: str) -> None:
    outcome = OUTCOMES[(state, verb)]
    try:
        reached: State | str | None = next_state(state, verb, "web")
    except WrongState as error:
        reached = str(error)

    assert reached == outcome


def test_table_of_states_knows_no_other_verbs() -> None:
    assert {verb for _, verb in lifecycle.TRANSITIONS} == set(VERBS)


@pytest.mark.parametrize("name", ["a", "web-1", "0", "a" * 40, "a--b"])
def test_check_name_of_a_dns_label_returns_it(name: str) -> None:
    assert names.check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a.b", "a/b", "..", "a b", "a\n", "ä", "a_b", "٣", "a\0"]
)
def test_check_name_of_anything_else_says_what_to_use(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        names.check_name(name, "template")

    assert str(caught.value) == (
        f"{name!r} is not a template name; use a-z, 0-9 and inner hyphens, such as web-1"
    )


@pytest.mark.parametrize("name", ["a", "debian-12-web", "debian-12.0-x86_64", "9"])
def test_template_may_be_called_as_others_call_theirs(name: str) -> None:
    assert names.check_template_name(name) == name


@pytest.mark.parametrize("name", ["", ".a", "..", "a/b", "A", "-a", "a.", "a_", "a\n"])
def test_template_name_of_anything_else_says_what_to_use(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        names.check_template_name(name)

    assert str(caught.value) == (
        f"{name!r} is not a template name; use a-z, 0-9 and inner hyphens, dots and underscores, "
        "such as debian-12-web"
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/c/debian-12.0-x86_64.tar.gz", "debian-12.0-x86_64"),
        ("centos-7-x86_64-minimal.tgz", "centos-7-x86_64-minimal"),
        ("root.tar", "root"),
        ("/images/app.oci/", "app"),
        ("/images/app", "app"),
    ],
)
def test_template_is_called_as_its_archive_without_endings(path: str, name: str) -> None:
    assert names.name_of_archive(path) == name


def test_check_name_that_is_too_long_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidInput) as caught:
        names.check_name("b" * 4000)

    assert str(caught.value) == (
        "guest name 'bbbbbbbbbbbbbbbbbbbb'... has 4000 characters; use at most 40"
    )


def test_names_for_the_kernel_fit_and_keep_homes_apart() -> None:
    tags = {names.home_tag(home) for home in ("/var/lib/wirt", "/tmp/a", "/tmp/b")}
    one = names.interface_name(names.home_tag("/var/lib/wirt"), names.new_guest_id())

    assert len(tags) == 3
    assert all(len(tag) == 4 and tag.isalpha() and tag.islower() for tag in tags)
    assert len(one) <= 15
    assert names.kernel_name("abcd", "12ab34") == "wabcd-12ab34"


def test_home_tag_of_one_home_never_changes() -> None:
    # Kernel objects of a running installation carry it: another algorithm would lose them.
    assert names.home_tag("/var/lib/wirt") == "cppy"


def test_home_keeps_what_lasts_apart_from_what_may_vanish() -> None:
    home = Home(data="/d", run="/r")
    place = home.place("12ab34")

    assert place.name == f"w{home.tag}-12ab34"
    assert place.run_dir == "/r/guests/12ab34"
    assert place.log == "/d/guests/12ab34/console.log"
    assert home.lock("12ab34") == "/r/locks/12ab34"
    assert home.pool("btrfs") == "/d/pools/btrfs"


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(cpus=3), "3 CPUs cannot be given; this node has 2; ask for 1 to 2"),
        (Limits(cpus=-1), "-1 CPUs cannot be given; this node has 2; ask for 1 to 2"),
        (
            Limits(memory=31 * MIB),
            "31 MiB of memory are too little to boot; give at least 32 MiB",
        ),
        (
            Limits(cpu_weight=10_001),
            "a guest cannot have the CPU weight 10001; ask for 1 to 10000; a guest has 100 unless it "
            "is set",
        ),
        (
            Limits(cpus=2, cpu_guarantee=2.1),
            "2.1 CPUs cannot be guaranteed to a guest that has 2; ask for 0 to 2 with --cpu-guarantee",
        ),
        (
            Limits(cpus=2, cpu_pin=(0,), cpu_guarantee=1.5),
            "1.5 CPUs cannot be guaranteed to a guest that has 1; ask for 0 to 1 with --cpu-guarantee",
        ),
        (
            Limits(cpu_limit=0.5, cpu_guarantee=0.6),
            "0.6 CPUs cannot be guaranteed to a guest that has 0.5; ask for 0 to 0.5 with "
            "--cpu-guarantee",
        ),
        (
            Limits(cpu_limit=-1),
            "a guest of 1 CPUs cannot be held to -1; ask for 0.01 to 1, or 0 for all of them",
        ),
        (
            Limits(cpu_limit=float("nan")),
            "a guest of 1 CPUs cannot be held to nan; ask for 0.01 to 1, or 0 for all of them",
        ),
        (
            Limits(cpu_guarantee=float("nan")),
            "nan CPUs cannot be guaranteed to a guest that has 1; ask for 0 to 1 with --cpu-guarantee",
        ),
        (
            Limits(memory=32 * MIB, memory_guarantee=33 * MIB),
            "33 MiB of memory cannot be guaranteed to a guest that has 32 MiB; ask for less with "
            "--memory-guarantee, or give it more with --memory",
        ),
        (
            Limits(io_write=1),
            "1 B a second are too little to work with; give at least 64 KiB, or unlimited",
        ),
        (
            Limits(io_read=2 * 1024**4),
            "2 TiB a second cannot be given; ask for at most 1 TiB, or unlimited",
        ),
        (
            Limits(iops_write=1),
            "a guest cannot be held to 1 reads or writes a second; ask for 10 to 4294967295, or "
            "unlimited",
        ),
        (
            Limits(io_weight=1001),
            "a guest cannot have the weight 1001 of a disk; ask for 1 to 1000; a guest has 100 "
            "unless it is set",
        ),
        (Limits(disk=0), "a disk of 0 B is too small; give at least 64 MiB"),
        (
            Limits(disk=1025 * 1024**4),
            "a disk of 1025 TiB cannot be given; ask for at most 1024 TiB",
        ),
        (Limits(memory=65 * 1024**4), "65 TiB of memory cannot be given; ask for at most 64 TiB"),
    ],
)
def test_check_limits_names_the_limit_and_its_bound(limits: Limits, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_limits(limits, smallest_memory=32 * MIB, node_cpus=2)

    assert str(caught.value) == message


def test_check_limits_of_a_kernel_of_its_own_with_more_than_the_node_has_is_refused() -> None:
    with pytest.raises(
        InvalidInput, match="64 MiB of memory cannot be given; ask for at most 63 MiB"
    ):
        check_limits(
            Limits(memory=64 * MIB), smallest_memory=32 * MIB, most_memory=63 * MIB, node_cpus=2
        )


def test_limits_kept_by_the_first_version_are_read_as_what_guests_then_had() -> None:
    kept = b'{"cpus":2,"memory":1073741824,"disk":4294967296}'

    assert msgspec.json.decode(kept, type=Limits) == Limits(cpus=2, memory=1024 * MIB)
    assert msgspec.json.decode(msgspec.json.encode(Limits()), type=Limits) == Limits()


@pytest.mark.parametrize(
    ("limits", "node_cpus", "weight"),
    [
        (Limits(), 2, 100),
        (Limits(cpu_guarantee=0.5), 2, 2500),
        (Limits(cpu_guarantee=0.5), 64, 100),
        (Limits(cpu_guarantee=1, cpu_weight=7000), 2, 7000),
        (Limits(cpus=2, cpu_guarantee=2), 1, 10_000),
        (Limits(cpu_guarantee=1 / 3), 2, 1667),
    ],
)
def test_weight_of_a_guarantee_is_its_part_of_the_node_or_the_guests_own(
    limits: Limits, node_cpus: int, weight: int
) -> None:
    assert effective_weight(limits, node_cpus=node_cpus) == weight


def test_check_limits_at_the_bounds_passes() -> None:
    check_limits(
        Limits(cpus=2, memory=32 * MIB, disk=64 * MIB), smallest_memory=32 * MIB, node_cpus=2
    )


def test_guest_survives_json() -> None:
    guest = make_guest(1, state=State.RUNNING, handle=Handle(pid=7, started=9), boot="x")

    assert msgspec.json.decode(msgspec.json.encode(guest), type=Guest) == guest


def test_guest_cannot_be_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        make_guest(1).name = "other"  # type: ignore[misc]
