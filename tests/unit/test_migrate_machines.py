"""Guests whose engine sends them to another node, over two nodes of fakes."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests import fakes, pair
from tests.pair import Nodes

from wirt.approaches.fakemachine import FakeMachines
from wirt.errors import Failed, Unsupported
from wirt.model.guest import Guest
from wirt.model.migration import Mode
from wirt.ops.start import start


@pytest.fixture
def machines(tmp_path: Path, root_user: None) -> Iterator[Nodes]:
    """Give two nodes, and on the first a guest whose engine sends it; it runs."""
    with pair.open_nodes(tmp_path) as made:
        store = made.stores["a"]
        web = msgspec.structs.replace(store.find("web"), approach="fakemachine")
        store.settle(web.id, web)
        start(made.context(), "web")
        yield made


def memory_of(nodes: Nodes, name: str, guest: Guest) -> Path:
    """Return the file that plays the memory of a guest that runs."""
    base = nodes.bases[name]
    return base / "kernel/guests" / fakes.home_in(base).place(guest.id).name / "init"


def test_machine_goes_with_disk_and_memory_from_engine_to_engine(machines: Nodes) -> None:
    web = machines.stores["a"].find("web")
    memory_of(machines, "a", web).write_text("thoughts")
    done = machines.go()

    assert done.mode is Mode.LIVE
    assert [stage.name for stage in done.stages][1:4] == ["prepare there", "send", "start there"]
    assert done.engine_seconds == 0.0
    assert machines.holders() == [("b", "running")]
    assert machines.engines() == machines.roots() == ["b"]
    assert memory_of(machines, "b", web).read_text() == "thoughts"


@pytest.mark.parametrize(("where", "number"), [("here", 2), ("there", 1), ("there", 2)])
def test_machine_that_cannot_be_sent_or_taken_goes_on_here(
    machines: Nodes, monkeypatch: pytest.MonkeyPatch, where: str, number: int
) -> None:
    context = machines.context(fail="approach" if where == "there" else "", at=number)
    if where == "here":
        approach = context.approach("fakemachine")
        assert isinstance(approach, FakeMachines)
        monkeypatch.setattr(approach, "_fail_at", 1)
    with pytest.raises(Failed, match=r"(await|send|take)_machine was told to fail"):
        machines.go(context)
    web = machines.stores["a"].find("web")

    assert machines.holders() == [("a", "running")]
    assert machines.engines() == machines.roots() == ["a"]
    assert not (memory_of(machines, "a", web).parent / "still").exists()
    assert machines.stores["a"].intents() == []


def test_machine_of_another_kind_is_refused_and_so_is_a_downtime_that_nobody_can_hold(
    machines: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = machines.context()
    approach = context.approach("fakemachine")
    assert isinstance(approach, FakeMachines)
    monkeypatch.setattr(approach, "kind", "two")
    with pytest.raises(Unsupported) as other:
        machines.go(context, mode=Mode.LIVE)
    with pytest.raises(Unsupported) as refresh:
        machines.go(mode=Mode.REFRESH, downtime=0.1)

    assert str(other.value) == (
        "node b cannot go on with guest web: its machines are of kind one, and not two"
    )
    assert str(refresh.value) == (
        "guest web cannot be held to a downtime: it goes refresh, and not by its engine; "
        "leave --downtime out"
    )
    assert machines.holders() == [("a", "running")]
