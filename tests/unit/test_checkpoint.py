"""Checkpoints over a node of fakes: what they change, what they refuse, and that a failure is undone."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.approaches.base import Checkpointable
from wirt.approaches.fake import FakeApproach
from wirt.approaches.registry import load_approach
from wirt.approaches.stillness import ResumesStill
from wirt.errors import Conflict, Corrupt, Error, Failed, NotFound, Unsupported, WrongState
from wirt.model.capability import no
from wirt.model.checkpoint import Obstacle
from wirt.model.lifecycle import State
from wirt.ops.autostart import set_autostart
from wirt.ops.boot import boot
from wirt.ops.checkpoint import checkpoint, find_obstacles
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.freeze import freeze, thaw
from wirt.ops.resume import resume
from wirt.ops.snapshot import create_snapshot, delete_snapshot, list_snapshots, restore_snapshot
from wirt.ops.start import start
from wirt.ops.steps.checkpointing import checkpointable
from wirt.ops.stop import stop
from wirt.state.memory import MemoryStore

WEB = CreateRequest(name="web", approach="fake", template="tiny")
TRACED = Obstacle(what="process 7 (sh)", reason="is being traced", hint="end its debugger")


@pytest.fixture
def running(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, WEB)
    start(context, "web")
    return context


def fake(context: Context) -> FakeApproach:
    approach = context.approach("fake")
    assert isinstance(approach, FakeApproach)
    return approach


def note_of(context: Context) -> Path:
    guest = context.store.find("web")
    return Path(context.home.pool("fake"), guest.id, "root", "note")


def kept_in(context: Context, name: str) -> Path:
    return Path(context.home.checkpoint(context.store.find("web").id, name))


def test_checkpoint_stops_the_guest_and_resume_goes_on_from_its_disk(running: Context) -> None:
    note_of(running).write_text("before")
    made = checkpoint(running, "web", "one")
    stopped = running.store.find("web")
    note_of(running).write_text("after")
    resumed = resume(running, "web")

    assert stopped.state is State.STOPPED
    assert stopped.snapshots == (made,)
    assert made.memory is not None
    assert resumed.state is State.RUNNING
    assert note_of(running).read_text() == "before"
    assert fake(running).calls[-1] == "resume"
    assert running.store.intents() == []


def test_guest_that_is_kept_running_has_its_card_back(running: Context, tmp_path: Path) -> None:
    made = checkpoint(running, "web", keep_running=True)
    guest = running.store.find("web")

    assert re.fullmatch(r"\d{8}-\d{6}", made.name)
    assert guest.state is State.RUNNING
    assert guest.snapshots == (made,)
    assert not list(tmp_path.rglob("*-cut"))


def test_latest_checkpoint_is_gone_on_from_and_snapshots_are_not(running: Context) -> None:
    note_of(running).write_text("one")
    checkpoint(running, "web", "one", keep_running=True)
    note_of(running).write_text("two")
    checkpoint(running, "web", "two")
    create_snapshot(running, "web", "root-alone")
    resume(running, "web")
    latest = note_of(running).read_text()
    resume(running, "web", "one", force=True)

    assert latest == "two"
    assert note_of(running).read_text() == "one"
    assert [one.memory is None for one in list_snapshots(running, "web")] == [False, False, True]


def test_checkpoint_is_deleted_with_its_memory(running: Context) -> None:
    checkpoint(running, "web", "one")
    there = kept_in(running, "one").is_dir()
    delete_snapshot(running, "web", "one")

    assert there
    assert not kept_in(running, "one").exists()
    assert list_snapshots(running, "web") == []


def test_disk_of_a_checkpoint_can_be_gone_back_to_alone(running: Context) -> None:
    note_of(running).write_text("before")
    checkpoint(running, "web", "one")
    note_of(running).write_text("after")
    restored = restore_snapshot(running, "web", "one")

    assert restored.state is State.STOPPED
    assert note_of(running).read_text() == "before"


def test_obstacle_is_named_and_nothing_is_changed(running: Context) -> None:
    fake(running).obstacles = [TRACED]
    with pytest.raises(WrongState) as caught:
        checkpoint(running, "web", "one")

    assert str(caught.value) == (
        "guest web cannot be checkpointed: process 7 (sh) is being traced; end its debugger"
    )
    assert find_obstacles(running, "web") == [TRACED]
    assert fake(running).calls == ["start"]
    assert running.store.find("web").snapshots == ()


def test_several_obstacles_are_counted(running: Context) -> None:
    fake(running).obstacles = [TRACED, msgspec.structs.replace(TRACED, what="mount /mnt")]
    with pytest.raises(WrongState) as caught:
        checkpoint(running, "web", "one")

    assert str(caught.value) == (
        "guest web cannot be checkpointed: process 7 (sh) is being traced, and 1 more; "
        "see wirt checkpoint --check web"
    )


@pytest.mark.parametrize(
    ("prepare", "act", "kind", "message"),
    [
        (
            lambda c: stop(c, "web", force=True),
            lambda c: checkpoint(c, "web"),
            WrongState,
            "guest web is not running; start it first",
        ),
        (
            lambda c: checkpoint(c, "web", "one", keep_running=True),
            lambda c: checkpoint(c, "web", "one"),
            Conflict,
            "guest web has a snapshot one already; choose another name or delete it first: "
            "wirt snapshot delete web one",
        ),
        (
            lambda c: checkpoint(c, "web", "one", keep_running=True),
            lambda c: resume(c, "web"),
            WrongState,
            "guest web is running; stop it first or pass --force",
        ),
        (
            lambda c: stop(c, "web", force=True),
            lambda c: resume(c, "web"),
            NotFound,
            "guest web has no checkpoint; make one while it runs: wirt checkpoint web",
        ),
        (
            lambda c: checkpoint(c, "web", "one"),
            lambda c: resume(c, "web", "two"),
            NotFound,
            "guest web has no checkpoint two; see wirt snapshot list web",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(
    running: Context,
    prepare: Callable[[Context], object],
    act: Callable[[Context], object],
    kind: type[Error],
    message: str,
) -> None:
    prepare(running)
    before = running.store.find("web")
    with pytest.raises(kind) as caught:
        act(running)

    assert str(caught.value) == message
    assert running.store.find("web") == before
    assert running.store.intents() == []


def test_guest_that_is_frozen_is_frozen_still_when_it_has_been_checkpointed(
    running: Context,
) -> None:
    freeze(running, "web")
    place = running.home.place(running.store.find("web").id)
    checkpoint(running, "web", "one", keep_running=True)

    assert running.store.find("web").state is State.FROZEN
    assert fake(running).is_frozen(place)
    assert thaw(running, "web").state is State.RUNNING


def test_frozen_guest_whose_memory_could_not_be_kept_without_a_step_is_refused(
    running: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(running, "web")
    needs = msgspec.structs.replace(FakeApproach.needs, checkpoints_frozen=False)
    monkeypatch.setattr(FakeApproach, "needs", needs)
    for act in (checkpoint, find_obstacles):
        with pytest.raises(WrongState, match=r"^guest web is frozen; thaw it first$"):
            act(running, "web")

    assert running.store.intents() == []


def test_guest_that_is_resumed_still_is_frozen_until_it_is_thawed(running: Context) -> None:
    checkpoint(running, "web", "one")
    resumed = resume(running, "web", "one", is_still=True)
    place = running.home.place(resumed.id)

    assert resumed == running.store.find("web")
    assert (resumed.state, resumed.suspended) == (State.FROZEN, None)
    assert fake(running).is_frozen(place)
    assert thaw(running, "web").state is State.RUNNING


def test_approach_that_lets_whatever_is_resumed_go_on_says_so(running: Context) -> None:
    checkpoint(running, "web", "one")
    before = running.store.find("web")
    hasty = fakes.without(ResumesStill, running.approach("fake"))
    context = msgspec.structs.replace(running, approach=lambda name: hasty)
    with pytest.raises(Unsupported) as caught:
        resume(context, "web", is_still=True)

    assert str(caught.value) == (
        "guest web cannot be brought back frozen: approach fake lets it go on; resume it, and freeze it then"
    )
    assert running.store.find("web") == before


def test_approach_that_cannot_keep_memory_says_so(running: Context) -> None:
    forgetful = fakes.without(Checkpointable, running.approach("fake"))
    context = msgspec.structs.replace(running, approach=lambda name: forgetful)
    with pytest.raises(Unsupported) as caught:
        checkpoint(context, "web")

    assert str(caught.value) == (
        "guest web cannot be checkpointed: approach fake cannot keep what a guest's memory holds; "
        "keep its disk: wirt snapshot create"
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda d: (d / "memory").write_text("altered"),
            "checkpoint one of guest web is damaged: memory is not what was written",
        ),
        (
            lambda d: (d / "memory").unlink(),
            "checkpoint one of guest web is damaged: files of it are missing or strange",
        ),
        (
            lambda d: (d / "manifest.json").write_text("{"),
            "checkpoint one of guest web is damaged: its manifest cannot be read",
        ),
    ],
)
def test_damaged_checkpoint_is_refused_before_anything_is_changed(
    running: Context, damage: Callable[[Path], object], message: str
) -> None:
    checkpoint(running, "web", "one")
    note_of(running).write_text("after")
    damage(kept_in(running, "one"))
    with pytest.raises(Corrupt) as caught:
        resume(running, "web")

    assert caught.value.message == message
    assert caught.value.hint == (
        "it cannot be resumed; go back to its disk alone: wirt snapshot restore"
    )
    assert note_of(running).read_text() == "after"
    assert running.store.find("web").state is State.STOPPED


def test_checkpoint_of_another_processor_is_refused_before_anything_is_changed(
    running: Context,
) -> None:
    checkpoint(running, "web", "one")
    note_of(running).write_text("after")
    manifest = kept_in(running, "one") / "manifest.json"
    own, other = (f'"machine":"{name}"' for name in (os.uname().machine, "s390x"))
    manifest.write_text(manifest.read_text().replace(own, other))
    with pytest.raises(Unsupported) as caught:
        resume(running, "web")

    assert str(caught.value) == (
        "checkpoint one of guest web is of a node with another processor: s390x; go back to its "
        "disk alone: wirt snapshot restore"
    )
    assert note_of(running).read_text() == "after"
    assert running.store.find("web").state is State.STOPPED


@pytest.mark.parametrize("keep_running", [True, False])
def test_checkpoint_that_fails_leaves_nothing_and_the_guest_goes_on(
    tmp_path: Path, *, keep_running: bool
) -> None:
    context = fakes.open_context(tmp_path, MemoryStore(), fail="approach", fail_at=2)
    create(context, WEB)
    start(context, "web")
    before = context.store.find("web")
    with pytest.raises(Failed, match="checkpoint was told to fail"):
        checkpoint(context, "web", "one", keep_running=keep_running)

    assert context.store.find("web") == before
    assert not kept_in(context, "one").exists()
    assert not list(tmp_path.rglob("*-cut"))
    assert context.store.intents() == []


def test_resume_that_fails_leaves_the_guest_stopped(tmp_path: Path) -> None:
    context = fakes.open_context(tmp_path, MemoryStore(), fail="approach", fail_at=4)
    create(context, WEB)
    start(context, "web")
    checkpoint(context, "web", "one")
    with pytest.raises(Failed, match="resume was told to fail"):
        resume(context, "web")

    assert context.store.find("web").state is State.STOPPED
    assert context.store.find("web").suspended == "one"
    assert context.store.intents() == []


def test_suspended_guest_is_started_anew_only_if_that_is_said(running: Context) -> None:
    checkpoint(running, "web", "one")
    suspended = running.store.find("web").suspended
    with pytest.raises(WrongState) as caught:
        start(running, "web")
    begun = start(running, "web", anew=True)

    assert suspended == "one"
    assert str(caught.value) == (
        "guest web is suspended, and a start would lose what it was doing; let it go on: "
        "wirt resume web one; or give that up: wirt start web --anew"
    )
    assert begun.state is State.RUNNING
    assert begun.suspended is None
    assert [one.name for one in begun.snapshots] == ["one"]


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda c: resume(c, "web"), id="resumed"),
        pytest.param(lambda c: restore_snapshot(c, "web", "one"), id="gone-back"),
        pytest.param(lambda c: delete_snapshot(c, "web", "one"), id="given-up"),
    ],
)
def test_guest_is_suspended_until_that_is_over(
    running: Context, end: Callable[[Context], object]
) -> None:
    checkpoint(running, "web", "one")
    end(running)

    assert running.store.find("web").suspended is None


def test_guest_that_is_kept_running_is_not_suspended(running: Context) -> None:
    checkpoint(running, "web", "one", keep_running=True)
    stop(running, "web")

    assert running.store.find("web").suspended is None
    assert start(running, "web").state is State.RUNNING


def test_boot_lets_a_suspended_guest_go_on(running: Context) -> None:
    set_autostart(running, "web", 5)
    checkpoint(running, "web", "one")
    booted = list(boot(running, ready_seconds=1))

    assert [(one.guest.name, one.resumed, one.error) for one in booted] == [("web", True, None)]
    assert fake(running).calls[-1] == "resume"
    assert running.store.find("web").suspended is None


def test_check_on_a_node_that_cannot_keep_memory_says_so(
    running: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = no("memory", "CRIU is not installed", "scripts/set-up criu unpacks one")
    monkeypatch.setattr(FakeApproach, "probe_checkpoints", lambda self: answer)
    with pytest.raises(Unsupported) as caught:
        find_obstacles(running, "web")

    assert str(caught.value) == (
        "guest web cannot be checkpointed: CRIU is not installed; scripts/set-up criu unpacks one"
    )


def test_approach_that_knows_why_it_cannot_says_so(running: Context) -> None:
    context = msgspec.structs.replace(running, approach=lambda name: load_approach("uml"))
    with pytest.raises(Unsupported) as caught:
        checkpointable(context, context.store.find("web"))

    assert str(caught.value) == (
        "guest web cannot be checkpointed: the guest's memory is that of many processes of the node, "
        "which trace each other, and User-Mode Linux cannot write it down; "
        "keep its disk: wirt snapshot create"
    )
