"""What the node promises to guests, over a node of fakes with two CPUs and 8 GiB."""

from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.errors import Conflict, InvalidInput
from wirt.host import facts
from wirt.host.facts import CpuTimes
from wirt.model.limits import Limits
from wirt.ops.clone import clone
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.node import report_node, reserve_cpus, reserve_share
from wirt.ops.set import SetRequest, set_limits
from wirt.ops.undo import undo
from wirt.state.memory import MemoryStore
from wirt.units import GIB


@pytest.fixture
def context(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    context = msgspec.structs.replace(context, memory=8 * GIB)
    for name in ("one", "two", "three"):
        create(context, CreateRequest(name=name, approach="fake", template="tiny"))
        set_limits(context, name, SetRequest(cpus=2, memory=6 * GIB))
    return context


def guaranteed(context: Context) -> list[float]:
    return [guest.limits.cpu_guarantee for guest in context.store.guests()]


def test_cpus_are_guaranteed_until_all_but_the_reserve_are_and_no_further(
    context: Context,
) -> None:
    set_limits(context, "one", SetRequest(cpu_guarantee=0.6))
    set_limits(context, "two", SetRequest(cpu_guarantee=1.2))
    with pytest.raises(Conflict) as caught:
        set_limits(context, "three", SetRequest(cpu_guarantee=0.1))

    assert str(caught.value) == (
        "guest three cannot be guaranteed 0.1 CPUs: the node has 1.8 CPUs for guests, and others are "
        "guaranteed 1.8 CPUs; ask for at most 0 CPUs, or pass --force"
    )
    assert guaranteed(context) == [0.6, 0.0, 1.2]


def test_guest_that_is_made_is_guaranteed_what_is_left_and_no_more_but_by_force(
    context: Context,
) -> None:
    set_limits(context, "one", SetRequest(cpu_guarantee=1.2))
    wanted = CreateRequest(
        name="four", approach="fake", template="tiny", limits=Limits(cpus=2, cpu_guarantee=0.7)
    )
    with pytest.raises(Conflict) as caught:
        create(context, wanted)
    names = [guest.name for guest in context.store.guests()]
    create(context, msgspec.structs.replace(wanted, force=True))

    assert str(caught.value) == (
        "guest four cannot be guaranteed 0.7 CPUs: the node has 1.8 CPUs for guests, and others are "
        "guaranteed 1.2 CPUs; ask for at most 0.6 CPUs, or pass --force"
    )
    assert names == ["one", "three", "two"]
    assert context.store.find("four").limits.cpu_guarantee == 0.7


def test_memory_is_guaranteed_until_all_but_the_reserve_is_and_no_further(
    context: Context,
) -> None:
    set_limits(context, "one", SetRequest(memory_guarantee=5 * GIB))
    with pytest.raises(Conflict) as caught:
        set_limits(context, "two", SetRequest(memory_guarantee=3 * GIB))

    assert str(caught.value) == (
        "guest two cannot be guaranteed 3 GiB of memory: the node has 7.2 GiB of memory for guests, "
        "and others are guaranteed 5 GiB of memory; ask for at most 2.2 GiB of memory, or pass --force"
    )


def test_more_is_guaranteed_with_force_and_then_still_less_without(context: Context) -> None:
    for name in ("one", "two"):
        set_limits(context, name, SetRequest(cpu_guarantee=2.0), force=True)
    set_limits(context, "one", SetRequest(cpu_guarantee=1.5))
    set_limits(context, "one", SetRequest(cpu_weight=300))
    with pytest.raises(Conflict):
        set_limits(context, "one", SetRequest(cpu_guarantee=1.6))

    assert guaranteed(context) == [1.5, 0.0, 2.0]


def test_undo_gives_back_no_guarantee_that_others_have_been_given_meanwhile(
    context: Context,
) -> None:
    set_limits(context, "one", SetRequest(cpu_guarantee=1.5))
    set_limits(context, "one", SetRequest(cpu_guarantee=0.0), snapshot=True)
    set_limits(context, "two", SetRequest(cpu_guarantee=1.0))
    with pytest.raises(Conflict) as caught:
        undo(context, "one")
    before = guaranteed(context)
    set_limits(context, "two", SetRequest(cpu_guarantee=0.25))
    undo(context, "one")

    assert str(caught.value) == (
        "guest one cannot be guaranteed 1.5 CPUs: the node has 1.8 CPUs for guests, and others are "
        "guaranteed 1 CPUs; ask for at most 0.8 CPUs, or take guarantees from others"
    )
    assert before == [0.0, 0.0, 1.0]
    assert guaranteed(context) == [1.5, 0.0, 0.25]


def test_clone_is_guaranteed_nothing(context: Context) -> None:
    set_limits(context, "one", SetRequest(cpu_guarantee=1.5, memory_guarantee=5 * GIB))
    cloned = clone(context, "one", "four", progress=lambda _line: None)

    assert (cloned.limits.cpu_guarantee, cloned.limits.memory_guarantee) == (0, 0)
    assert cloned.limits.memory == 6 * GIB


def test_reserve_is_kept_and_decides_what_is_left(context: Context) -> None:
    reserve_share(context, 50)
    with pytest.raises(Conflict):
        set_limits(context, "one", SetRequest(cpu_guarantee=1.1))
    reserve_share(context, 0)
    set_limits(context, "one", SetRequest(cpu_guarantee=2.0))

    assert guaranteed(context)[0] == 2.0


def test_share_of_the_cpus_alone_leaves_the_memory_as_it_is(context: Context) -> None:
    reserve_cpus(context, 75)
    with pytest.raises(Conflict):
        set_limits(context, "one", SetRequest(cpu_guarantee=0.6))
    set_limits(context, "one", SetRequest(memory_guarantee=5 * GIB))
    report = report_node(context)
    reserve_share(context, 25)

    assert report.cpus.reserved == pytest.approx(1.5)
    assert report.memory.reserved == pytest.approx(0.8 * GIB)
    assert report_node(context).cpus.reserved == pytest.approx(0.5)


@pytest.mark.parametrize("percent", [-1, 90.5, float("nan"), float("inf")])
def test_reserve_that_cannot_be_is_refused(context: Context, percent: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        reserve_share(context, percent)
    with pytest.raises(InvalidInput):
        reserve_cpus(context, percent)

    assert str(caught.value) == f"{percent:g} % of the node cannot be reserved; ask for 0 to 90"


def test_report_adds_up_what_guests_have(context: Context) -> None:
    set_limits(context, "one", SetRequest(cpu_guarantee=0.5, memory_guarantee=GIB))
    set_limits(context, "two", SetRequest(cpu_guarantee=0.25, cpu_limit=0.5))
    report = report_node(context)

    assert (report.guests, report.running) == (3, 0)
    assert (report.cpus.has, report.cpus.guaranteed, report.cpus.limited) == (2, 0.75, 4.5)
    assert report.cpus.reserved == pytest.approx(0.2)
    assert (report.memory.has, report.memory.guaranteed) == (8 * GIB, GIB)
    assert report.memory.limited == 18 * GIB
    assert report.disk.limited == 12 * GIB
    assert report.disk.used is not None
    assert 0 < report.disk.used < report.disk.has
    assert report.cpus.used is not None
    assert 0 <= report.cpus.used <= 2


@pytest.mark.parametrize(
    ("idle", "used"),
    [(100.0 + 0.4 + 1e-11, 0.0), (100.0, 2.0), (99.9, 2.0), (100.3, 0.5)],
    ids=["nothing", "all", "count that went back", "a quarter"],
)
def test_use_of_processors_is_between_none_and_all(
    context: Context, monkeypatch: pytest.MonkeyPatch, idle: float, used: float
) -> None:
    looks = iter(
        [
            CpuTimes(total=1000.0, idle=100.0, steal=0.0),
            CpuTimes(total=1000.4, idle=idle, steal=0.0),
        ]
    )
    monkeypatch.setattr(facts, "probe_cpu_times", lambda: next(looks))
    found = report_node(context).cpus.used

    assert found == pytest.approx(used)
    assert found is not None
    assert 0 <= found <= 2
