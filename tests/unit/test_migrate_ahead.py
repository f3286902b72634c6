"""Memory of a guest that goes to another node while it still runs: over two nodes of fakes."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest
from tests import fakes, pair
from tests.pair import Nodes
from tests.unit.test_migrate import memory_of
from typing_extensions import override

from wirt.approaches.base import Approach
from wirt.approaches.fake import FakeApproach
from wirt.approaches.tracking import TracksMemory
from wirt.console.migration import render_migration
from wirt.errors import Conflict, OutOfSpace
from wirt.model.capability import Capability, no
from wirt.model.guest import Guest
from wirt.model.migration import Migration, Mode
from wirt.model.node import Node
from wirt.ops import nodes as known
from wirt.ops.context import Context
from wirt.ops.migrate import MigrateRequest, check, migrate
from wirt.ops.moving import live
from wirt.ops.moving.ahead import is_worth_another
from wirt.ops.moving.protocol import VERSION, Facts
from wirt.ops.start import start
from wirt.transport.base import Link, LinkLost
from wirt.transport.fake import FakeLink
from wirt.units import GIB, MIB

PLENTY = 1 << 60
REQUEST = MigrateRequest(guest="web", node="b")


@pytest.fixture
def nodes(tmp_path: Path, root_user: None) -> Iterator[Nodes]:
    with pair.open_nodes(tmp_path) as made:
        start(made.context(), "web")
        memory_of(made, "a", web_of(made)).write_text("what it held")
        yield made


def web_of(nodes: Nodes) -> Guest:
    return nodes.stores["a"].find("web")


def goes(nodes: Nodes, context: Context) -> tuple[Migration, list[str]]:
    """Have the guest go, and return how, and what was said on the way."""
    said: list[str] = []
    return migrate(context, REQUEST, progress=said.append), said


def stages_of(done: Migration) -> list[str]:
    names = [stage.name for stage in done.stages]
    return names[names.index("first copy") : names.index("make room")]


@pytest.mark.parametrize(
    ("sizes", "is_worth_it"),
    [
        ([], True),
        ([GIB], True),
        ([4096], True),
        ([GIB, 512 * MIB], True),
        ([GIB, 512 * MIB + 1], False),
        ([GIB, MIB + 1], True),
        ([GIB, MIB], False),
        ([16 * GIB, 8 * GIB, 4 * GIB, 2 * GIB], True),
        ([16 * GIB, 8 * GIB, 4 * GIB, 2 * GIB, GIB], False),
    ],
)
def test_it_is_sent_again_while_that_makes_it_less(sizes: list[int], *, is_worth_it: bool) -> None:
    assert is_worth_another(sizes) == is_worth_it


def test_memory_goes_ahead_and_only_what_has_changed_at_last(nodes: Nodes) -> None:
    web = web_of(nodes)
    done, said = goes(nodes, nodes.context())

    assert said[0] == "live: guest web can go with its memory; its memory is sent ahead"
    assert said.count("send memory ahead") == 2
    assert stages_of(done) == [
        "first copy",
        *("memory ahead", "copy again"),
        *("memory ahead", "copy again"),
    ]
    assert nodes.holders() == [("b", "running")]
    assert memory_of(nodes, "b", web).read_text() == "what it held"
    assert len(done.memory_ahead) == 2
    assert min(done.memory_ahead) > 0
    assert (done.memory_at_last, done.in_one_piece) == (0, None)
    assert os.listdir(nodes.other().home.guest(web.id)) == []


class Busy(FakeLink):
    """A way on which something happens to the guest whenever memory has been sent."""

    def __init__(self, link: FakeLink, happens: Callable[[int], None]) -> None:
        super().__init__(link.name, link._serve)
        self._happens = happens
        self._given = 0

    @override
    def give(self, source: str, target: str) -> int:
        self._given += 1
        sent = super().give(source, target)
        self._happens(self._given)
        return sent


def over(nodes: Nodes, happens: Callable[[int], None]) -> Context:
    """Return node a's context, with a way on which something happens."""

    def link(node: Node) -> Link:
        return Busy(fakes.link_to(nodes.bases["b"], node), happens)

    return fakes.open_context(nodes.bases["a"], nodes.stores["a"], link=link)


def test_what_changes_after_the_last_round_goes_too(nodes: Nodes) -> None:
    web = web_of(nodes)
    here = memory_of(nodes, "a", web)

    def change(number: int) -> None:
        if here.exists():
            here.write_text(f"what it held after {number}")

    done, _ = goes(nodes, over(nodes, change))

    assert memory_of(nodes, "b", web).read_text() == "what it held after 2"
    assert done.memory_at_last


def test_memory_of_which_nobody_knows_what_changes_goes_in_one_piece_and_it_is_said_before(
    nodes: Nodes,
) -> None:
    context, web = nodes.context(), web_of(nodes)
    approach = context.approach("fake")
    assert isinstance(approach, FakeApproach)
    approach.tracking = no("changes", "the kernel marks no pages")
    before = check(context, REQUEST)
    done, said = goes(nodes, context)

    told = (
        "guest web can go with its memory; its memory goes in one piece: the kernel marks no pages"
    )
    assert before == (Mode.LIVE, told)
    assert said[0] == f"live: {told}"
    assert stages_of(done) == ["first copy", "copy again"]
    assert memory_of(nodes, "b", web).read_text() == "what it held"
    assert (done.memory_ahead, done.in_one_piece) == ((), "the kernel marks no pages")


def test_approach_that_writes_nothing_ahead_is_said_to(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = nodes.context()
    forgetful = fakes.without(TracksMemory, context.approach("fake"))
    changed = msgspec.structs.replace(context, approach=lambda name: forgetful)
    done, _ = goes(nodes, changed)

    assert done.in_one_piece == "approach fake does not know what changes in it"


class Blind:
    """An approach that can say why it writes nothing ahead."""

    def __init__(self, approach: Approach) -> None:
        self._approach = approach

    def __getattr__(self, name: str) -> object:
        return getattr(self._approach, name)

    def probe_tracking(self) -> Capability:
        return no("changes", "nobody sees what is written")


def test_approach_that_knows_why_it_writes_nothing_ahead_is_asked(nodes: Nodes) -> None:
    context = nodes.context()
    blind = Blind(fakes.without(TracksMemory, context.approach("fake")))
    changed = msgspec.structs.replace(context, approach=lambda name: cast(Approach, blind))
    done, _ = goes(nodes, changed)

    assert done.in_one_piece == "nobody sees what is written"


def test_memory_of_a_machine_is_counted_as_all_that_it_may_have(
    nodes: Nodes, tmp_path: Path
) -> None:
    context, web = nodes.context(), web_of(nodes)
    limits = msgspec.structs.replace(web.limits, memory=MIB, memory_max=3 * MIB)
    grown = msgspec.structs.replace(web, limits=limits)
    approach = FakeApproach(str(tmp_path))
    approach.needs = msgspec.structs.replace(approach.needs, own_kernel=True)
    machine = msgspec.structs.replace(context, approach=lambda name: approach)

    sizes = [
        live.count_memory(one, guest)
        for one, guest in ((context, grown), (machine, grown), (machine, web))
    ]

    assert sizes[0] < MIB
    assert sizes[1:] == [3 * MIB, web.limits.memory]


def with_room(monkeypatch: pytest.MonkeyPatch, *rooms: int) -> None:
    """Have this node say each time how much room it has; the last is said again and again."""
    left = list(rooms)

    def measure(context: Context, guest: Guest, size: int) -> int:
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(live, "measure_room", measure)


@pytest.mark.parametrize("where", ["this node", "node b"])
def test_node_without_room_for_the_rounds_has_memory_come_in_one_piece(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    held = PLENTY if where == "node b" else GIB
    monkeypatch.setattr(live, "count_memory", lambda context, guest: held)
    with_room(monkeypatch, 2 * PLENTY if where == "node b" else GIB)
    _, why = check(nodes.context(), REQUEST)

    number = r"[\d.]+ [KMGTPE]?i?B"
    assert re.fullmatch(
        "guest web can go with its memory; its memory goes in one piece: "
        rf"{where} has {number} free for what is sent ahead, and {number} may be needed",
        why,
    )
    if where == "this node":
        assert why.endswith(
            "this node has 1 GiB free for what is sent ahead, and 2 GiB may be needed"
        )


def test_room_that_others_have_taken_ends_the_rounds(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "count_memory", lambda context, guest: MIB)
    with_room(monkeypatch, GIB, GIB, 0)
    done, _ = goes(nodes, nodes.context())

    assert len(done.memory_ahead) == 1
    assert done.in_one_piece is None
    assert nodes.holders() == [("b", "running")]


def test_room_that_others_have_taken_before_the_first_has_memory_go_in_one_piece(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "count_memory", lambda context, guest: MIB)
    with_room(monkeypatch, GIB, 0)
    done, said = goes(nodes, nodes.context())

    reason = "this node has 0 B free for what is sent ahead, and 2 MiB may be needed"
    assert said[0].endswith("; its memory is sent ahead")
    assert f"its memory goes in one piece: {reason}" in said
    assert (done.memory_ahead, done.in_one_piece) == ((), reason)


@pytest.mark.parametrize("call", [1, 2])
def test_round_that_fails_leaves_nothing_and_has_memory_go_in_one_piece(
    nodes: Nodes, call: int
) -> None:
    web = web_of(nodes)

    def link(node: Node) -> Link:
        return fakes.link_to(nodes.bases["b"], node)

    failing = fakes.open_context(
        nodes.bases["a"], nodes.stores["a"], link=link, fail="approach", fail_at=call
    )
    done, said = goes(nodes, failing)

    assert (done.memory_ahead, done.in_one_piece) == ((), "write_ahead was told to fail")
    assert "its memory goes in one piece: write_ahead was told to fail" in said
    assert memory_of(nodes, "b", web).read_text() == "what it held"
    assert nodes.holders() == [("b", "running")]


def test_round_that_finds_no_room_there_has_memory_go_in_one_piece(nodes: Nodes) -> None:
    web = web_of(nodes)
    there: list[list[str]] = []

    def happens(number: int) -> None:
        place = live.memory_of(nodes.other(), web)
        if number == 1:
            raise OutOfSpace("cannot send memory to node b: No space left on device")
        if os.path.isdir(place):
            there.append(os.listdir(place))

    done, _ = goes(nodes, over(nodes, happens))

    assert done.in_one_piece == "cannot send memory to node b: No space left on device"
    # What had come is taken back before all of it is sent.
    assert there == [[], ["memory"]]
    assert memory_of(nodes, "b", web).read_text() == "what it held"


def test_node_that_is_lost_between_two_rounds_leaves_the_guest_here(nodes: Nodes) -> None:
    web = web_of(nodes)

    def happens(number: int) -> None:
        raise LinkLost("node b does not answer: the link was cut")

    with pytest.raises(LinkLost, match="the link was cut"):
        goes(nodes, over(nodes, happens))

    assert nodes.holders() == [("a", "running")]
    assert memory_of(nodes, "a", web).read_text() == "what it held"
    assert os.listdir(nodes.context().home.guest(web.id)) == []
    assert nodes.roots() == ["a"]


def test_how_its_memory_went_is_printed(nodes: Nodes) -> None:
    done, _ = goes(nodes, nodes.context())
    ahead = msgspec.structs.replace(
        done, memory_ahead=(64 * MIB, 3 * MIB), memory_at_last=MIB, in_one_piece=None
    )
    whole = msgspec.structs.replace(
        done, memory_ahead=(), memory_at_last=64 * MIB, in_one_piece="no"
    )

    assert "\nmemory: 64 MiB, 3 MiB ahead, 1 MiB while it stood still\n" in render_migration(ahead)
    assert "\nmemory: 64 MiB while it stood still, in one piece: no\n" in render_migration(whole)


def test_node_of_another_version_is_refused() -> None:
    facts = Facts(version=VERSION - 1, home_id="", subnet="", guests=0, data="")
    with pytest.raises(Conflict) as caught:
        known.check_facts(Node(name="b", home="/b"), facts)

    assert str(caught.value) == (
        f"Wirt on node b talks version {VERSION - 1}, and here {VERSION}; install the same version on both"
    )
