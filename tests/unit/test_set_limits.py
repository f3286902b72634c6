"""Other limits for a guest, over a node of fakes."""

import os
from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.approaches.base import Adjustable
from wirt.approaches.fake import FakeApproach
from wirt.errors import Failed, InvalidInput, Unsupported
from wirt.host import affinity
from wirt.model.capability import Capability, no
from wirt.model.limits import Limits, check_limits
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.set import SetRequest, set_limits
from wirt.ops.start import start
from wirt.ops.stop import stop
from wirt.state.memory import MemoryStore
from wirt.units import GIB, MIB, render_cpus

WEB = CreateRequest(name="web", approach="fake", template="tiny")
WIDER = SetRequest(memory=600 * MIB)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, WEB)
    return context


def held_to(base: Path) -> list[str]:
    """Return what the kernel holds its one guest to that is not the usual."""
    return [
        name.removeprefix("limits-")
        for _, _, names in os.walk(base / "kernel" / "guests")
        for name in names
        if name.startswith("limits-")
    ]


def test_stopped_guest_starts_with_its_new_limits(context: Context, tmp_path: Path) -> None:
    after = set_limits(context, "web", SetRequest(memory=600 * MIB, processes=100))
    start(context, "web")

    assert (after.limits.memory, after.limits.processes, after.limits.cpus) == (600 * MIB, 100, 1)
    assert held_to(tmp_path) == [f"memory={600 * MIB}-processes=100"]


def test_running_guest_is_held_to_its_new_limits_at_once(context: Context, tmp_path: Path) -> None:
    start(context, "web")
    after = set_limits(context, "web", WIDER)

    assert held_to(tmp_path) == [f"memory={600 * MIB}"]
    assert context.store.find("web") == after
    assert context.store.intents() == []


def test_limits_that_the_kernel_refuses_stay_as_they_were(context: Context, tmp_path: Path) -> None:
    start(context, "web")
    before, held = context.store.find("web"), held_to(tmp_path)
    failing = fakes.open_context(tmp_path, context.store, fail="approach", fail_at=1)
    with pytest.raises(Failed):
        set_limits(failing, "web", WIDER)

    assert (context.store.find("web"), held_to(tmp_path)) == (before, held)
    assert context.store.intents() == []


def test_running_guest_that_cannot_be_changed_is_refused(context: Context) -> None:
    start(context, "web")
    stiff = fakes.without(Adjustable, context.approach("fake"))
    with pytest.raises(Unsupported) as caught:
        set_limits(msgspec.structs.replace(context, approach=lambda name: stiff), "web", WIDER)

    assert str(caught.value) == (
        "guest web is running, and approach fake cannot change the limits of a running guest; "
        "stop it first"
    )
    assert context.store.intents() == []


def test_limit_that_the_approach_has_not_is_refused_for_a_stopped_guest_too(
    context: Context,
) -> None:
    stiff = fakes.without(Adjustable, context.approach("fake"))
    with pytest.raises(Unsupported) as caught:
        set_limits(
            msgspec.structs.replace(context, approach=lambda name: stiff),
            "web",
            SetRequest(cpu_weight=200),
        )

    assert str(caught.value) == (
        "the CPU weight of guest web cannot be set: approach fake holds its guests to CPUs, memory "
        "and disk alone; containers (approach lxc) are held to more"
    )


@pytest.mark.parametrize(
    ("request_", "what"),
    [(SetRequest(cpus=2), "number of CPUs"), (SetRequest(memory=64 * MIB), "memory")],
)
def test_what_a_running_guest_keeps_is_refused_and_of_a_stopped_one_set(
    context: Context, monkeypatch: pytest.MonkeyPatch, request_: SetRequest, what: str
) -> None:
    monkeypatch.setattr(FakeApproach, "fixed", frozenset({"cpus", "memory"}))
    start(context, "web")
    before = context.store.find("web")
    with pytest.raises(Unsupported) as caught:
        set_limits(context, "web", request_)
    kept = context.store.find("web")
    stop(context, "web")

    assert str(caught.value) == (
        f"the {what} of guest web cannot be changed while it runs: its kernel was started with it; "
        "stop it first"
    )
    assert kept == before
    assert set_limits(context, "web", request_).limits != before.limits


def test_what_a_running_guest_can_only_get_more_of_is_not_taken(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeApproach, "growing", frozenset({"cpus"}))
    start(context, "web")
    grown = set_limits(context, "web", SetRequest(cpus=2))
    with pytest.raises(Unsupported) as caught:
        set_limits(context, "web", SetRequest(cpus=1))

    assert grown.limits.cpus == 2
    assert str(caught.value) == (
        "the number of CPUs of guest web can only grow while it runs; stop it first"
    )


def test_maximum_of_memory_is_of_machines_alone_and_no_less_than_its_memory(
    context: Context,
) -> None:
    with pytest.raises(Unsupported) as other:
        set_limits(context, "web", SetRequest(memory_max=GIB))
    with pytest.raises(InvalidInput) as less:
        check_limits(Limits(memory=GIB, memory_max=512 * MIB), smallest_memory=MIB, node_cpus=1)
    with pytest.raises(Unsupported):
        create(context, msgspec.structs.replace(WEB, name="b", limits=Limits(memory_max=GIB)))

    assert str(other.value) == (
        "guest web cannot have a maximum of memory beside its memory: approach fake has no machines "
        "that grow; change its memory with wirt set --memory, or use the approach qemu or kvm"
    )
    assert str(less.value) == (
        "a guest with 1 GiB of memory cannot have 512 MiB at most; give it a larger --memory-max, "
        "or 0 for none"
    )


def test_guest_is_made_with_limits_and_starts_with_them(context: Context, tmp_path: Path) -> None:
    limits = Limits(processes=100, cpu_weight=300)
    create(context, msgspec.structs.replace(WEB, name="held", limits=limits))
    start(context, "held")

    assert context.store.find("held").limits == limits
    assert held_to(tmp_path) == ["processes=100-cpu_weight=300"]


def test_guest_is_not_made_with_a_limit_that_the_approach_has_not(context: Context) -> None:
    stiff = fakes.without(Adjustable, context.approach("fake"))
    request = msgspec.structs.replace(WEB, name="held", limits=Limits(cpu_weight=200))
    with pytest.raises(Unsupported) as caught:
        create(msgspec.structs.replace(context, approach=lambda name: stiff), request)

    assert str(caught.value) == (
        "the CPU weight of guest held cannot be set: approach fake holds its guests to CPUs, memory "
        "and disk alone; containers (approach lxc) are held to more"
    )
    assert [guest.name for guest in context.store.guests()] == ["web"]


def test_limit_that_the_node_has_not_is_refused_with_its_reason(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probe_limits(self: FakeApproach) -> dict[str, Capability]:
        return {"cpu_pin": no("cpu-pin", "the node has no cgroup controller cpuset", "mount it")}

    monkeypatch.setattr(FakeApproach, "probe_limits", probe_limits)
    with pytest.raises(Unsupported) as caught:
        set_limits(context, "web", SetRequest(cpu_pin=(0,)))

    assert str(caught.value) == (
        "the CPU list of guest web cannot be set: the node has no cgroup controller cpuset; mount it"
    )
    assert context.store.find("web").limits == WEB.limits


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (SetRequest(), "there is nothing to set; say what, such as --disk 8G"),
        (SetRequest(cpus=99), "99 CPUs cannot be given; this node has 2; ask for 1 to 2"),
        (
            SetRequest(processes=3),
            "a guest cannot be held to 3 processes; ask for 16 to 4194304",
        ),
        (
            SetRequest(cpu_weight=0),
            "a guest cannot have the CPU weight 0; ask for 1 to 10000; a guest has 100 unless it is set",
        ),
        (
            SetRequest(cpu_pin=(0, 8191)),
            f"this node has no CPU 8191; it has {render_cpus(affinity.usable())}",
        ),
    ],
)
def test_limits_that_cannot_be_change_nothing(
    context: Context, request_: SetRequest, message: str
) -> None:
    before = context.store.find("web")
    with pytest.raises(InvalidInput) as caught:
        set_limits(context, "web", request_)

    assert str(caught.value) == message
    assert context.store.find("web") == before
