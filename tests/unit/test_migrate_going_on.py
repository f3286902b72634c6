"""A guest that was to go to another node with its memory, and goes on from it neither there nor here."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests import pair
from tests.pair import Nodes

from wirt.approaches.fake import FakeApproach
from wirt.dialects.vz.migratecodes import MigrateCode, code_of
from wirt.errors import Failed
from wirt.model.lifecycle import State
from wirt.model.migration import Mode
from wirt.ops.migrate import MigrateRequest, migrate
from wirt.ops.start import start


@pytest.fixture
def nodes(tmp_path: Path, root_user: None) -> Iterator[Nodes]:
    with pair.open_nodes(tmp_path) as made:
        yield made


@pytest.mark.parametrize("port", ["network", "pool"])
def test_guest_for_which_nothing_can_be_set_up_there_goes_on_here(nodes: Nodes, port: str) -> None:
    start(nodes.context(), "web")
    web = nodes.stores["a"].find("web")
    # A node without guests takes its bridge away first, then makes it; of the pool the first call makes the root, the next mounts it.
    at = {"network": 2, "pool": 2}[port]
    with pytest.raises(Failed, match="was told to fail"):
        nodes.go(nodes.context(fail=port, at=at))

    assert nodes.holders() == [("a", "running")]
    assert nodes.stores["a"].find("web").handle == web.handle
    assert (nodes.engines(), nodes.roots()) == (["a"], ["a"])
    assert nodes.stores["b"].intents() == []


def test_guest_whose_memory_cannot_be_written_goes_on_here_and_it_is_said_how_else_it_goes(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(nodes.context(), "web")

    def cannot(*_: object, **__: object) -> None:
        raise Failed("CRIU could not dump it: it watches a file that is gone")

    monkeypatch.setattr(FakeApproach, "checkpoint", cannot)
    with pytest.raises(Failed) as caught:
        nodes.go()

    assert str(caught.value) == (
        "CRIU could not dump it: it watches a file that is gone; "
        "it can go with a short stop: --mode refresh"
    )
    assert nodes.holders() == [("a", "running")]


def test_it_is_told_what_goes_on_so_that_a_failure_has_its_place(nodes: Nodes) -> None:
    start(nodes.context(), "web")
    told: list[str] = []
    migrate(nodes.context(), MigrateRequest(guest="web", node="b"), progress=told.append)
    codes = [code_of(Failed("it failed"), stage=stage) for stage in told]

    assert list(zip(told, codes, strict=True))[-6:] == [
        ("stop", MigrateCode.STOP_HERE),
        ("last copy", MigrateCode.COPY),
        ("set up there", MigrateCode.START_THERE),
        ("dump", MigrateCode.STOP_HERE),
        ("send memory", MigrateCode.COPY),
        ("start there", MigrateCode.START_THERE),
    ]


def test_guest_with_a_routed_card_has_nothing_set_up_there_while_it_could_go_on_here(
    nodes: Nodes,
) -> None:
    web = nodes.stores["a"].find("web")
    nodes.stores["a"].settle(web.id, msgspec.structs.replace(web, is_routed=True))
    start(nodes.context(), "web")
    done = nodes.go()

    assert done.mode is Mode.LIVE
    assert "set up there" not in [stage.name for stage in done.stages]


def test_guest_that_goes_on_neither_there_nor_here_is_stopped_and_nothing_of_its_memory_left(
    nodes: Nodes,
) -> None:
    start(nodes.context(), "web")
    web = nodes.stores["a"].find("web")
    context = nodes.context(fail="approach", at=1)
    approach = context.approach("fake")
    assert isinstance(approach, FakeApproach)
    approach.resumes = False
    with pytest.raises(Failed) as caught:
        nodes.go(context)

    assert str(caught.value) == (
        "guest web could go on neither there nor here, and is stopped: resume was told to fail; "
        "start it anew: wirt start web"
    )
    assert nodes.holders() == [("a", "stopped")]
    assert (nodes.engines(), nodes.roots()) == ([], ["a"])
    assert os.listdir(context.home.guest(web.id)) == []
    assert not glob.glob(f"/dev/shm/wirt-{context.home.place(web.id).name}*")
    assert start(nodes.context(), "web").state is State.RUNNING
