"""The verbs on snapshots over a node of fakes: what they change, what they refuse, and that a failure is undone."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.approaches.base import Freezable
from wirt.approaches.fake import FakeApproach
from wirt.errors import Conflict, Failed, InvalidInput, NotFound, Unsupported, WrongState
from wirt.model.lifecycle import State
from wirt.ops.cleanup import clean_up
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.snapshot import (
    create_snapshot,
    delete_snapshot,
    list_snapshots,
    mount_snapshot,
    restore_snapshot,
    unmount_snapshot,
)
from wirt.ops.start import start
from wirt.state.memory import MemoryStore

WEB = CreateRequest(name="web", approach="fake", template="tiny")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    made = fakes.open_context(tmp_path, MemoryStore())
    create(made, WEB)
    return made


def note_of(context: Context) -> Path:
    guest = context.store.find("web")
    return Path(context.home.pool("fake"), guest.id, "root", "note")


def things(base: Path) -> set[str]:
    return {str(path.relative_to(base)) for path in base.rglob("*")}


def test_create_and_restore_of_a_stopped_guest_lead_back(context: Context) -> None:
    note_of(context).write_text("before")
    create_snapshot(context, "web", "one")
    note_of(context).write_text("after")
    restored = restore_snapshot(context, "web", "one")

    assert note_of(context).read_text() == "before"
    assert [one.name for one in restored.snapshots] == ["one"]
    assert context.store.find("web") == restored
    assert context.store.intents() == []


def test_create_without_a_name_is_called_by_its_time(context: Context) -> None:
    made = create_snapshot(context, "web")

    assert re.fullmatch(r"\d{8}-\d{6}", made.name)
    assert [one.name for one in list_snapshots(context, "web")] == [made.name]


def test_create_of_a_running_guest_holds_it_still_for_the_copy_alone(context: Context) -> None:
    start(context, "web")
    create_snapshot(context, "web", "one")
    approach = context.approach("fake")
    assert isinstance(approach, FakeApproach)
    guest = context.store.find("web")

    assert approach.calls == ["start", "freeze", "thaw"]
    assert not approach.is_frozen(context.home.place(guest.id))
    assert guest.state is State.RUNNING


def test_create_of_a_running_guest_that_cannot_be_held_still_is_refused(
    context: Context, tmp_path: Path
) -> None:
    start(context, "web")
    restless = fakes.without(Freezable, context.approach("fake"))
    before = things(tmp_path)
    with pytest.raises(Unsupported) as caught:
        create_snapshot(
            msgspec.structs.replace(context, approach=lambda name: restless), "web", "one"
        )

    assert str(caught.value) == (
        "guest web is running, and neither has pool fake snapshots of one instant nor can approach "
        "fake hold a guest still; stop it first"
    )
    assert things(tmp_path) == before


def test_restore_with_force_ends_a_guest_that_runs(context: Context) -> None:
    create_snapshot(context, "web", "one")
    start(context, "web")
    with pytest.raises(WrongState) as caught:
        restore_snapshot(context, "web", "one")
    restored = restore_snapshot(context, "web", "one", force=True)

    assert str(caught.value) == "guest web is running; stop it first or pass --force"
    assert restored.state is State.STOPPED


def test_delete_takes_one_and_leaves_the_others(context: Context) -> None:
    create_snapshot(context, "web", "one")
    create_snapshot(context, "web", "two")
    delete_snapshot(context, "web", "one")

    assert [one.name for one in context.store.find("web").snapshots] == ["two"]
    assert [one.name for one in list_snapshots(context, "web")] == ["two"]


def test_mount_and_unmount_show_in_the_list(context: Context) -> None:
    create_snapshot(context, "web", "one")
    where = mount_snapshot(context, "web", "one")
    shown = list_snapshots(context, "web")[0].mounted
    with pytest.raises(WrongState) as caught:
        delete_snapshot(context, "web", "one")
    unmount_snapshot(context, "web", "one")
    with pytest.raises(WrongState) as again:
        unmount_snapshot(context, "web", "one")

    assert shown == where
    assert str(caught.value) == (
        "snapshot one of guest web is mounted; unmount it first: wirt snapshot unmount web one"
    )
    assert str(again.value) == (
        "snapshot one of guest web is not mounted; there is nothing to unmount"
    )
    assert list_snapshots(context, "web")[0].mounted is None


def test_create_of_a_name_that_is_taken_changes_nothing(context: Context, tmp_path: Path) -> None:
    create_snapshot(context, "web", "one")
    before = things(tmp_path)
    with pytest.raises(Conflict) as caught:
        create_snapshot(context, "web", "one")

    assert str(caught.value) == (
        "guest web has a snapshot one already; choose another name or delete it first: "
        "wirt snapshot delete web one"
    )
    assert things(tmp_path) == before


@pytest.mark.parametrize("name", ["", "../one", "a.new", "One", "a/b"])
def test_create_with_a_bad_name_changes_nothing(
    context: Context, tmp_path: Path, name: str
) -> None:
    before = things(tmp_path)
    with pytest.raises(InvalidInput) as caught:
        create_snapshot(context, "web", name)

    assert str(caught.value) == (
        f"{name!r} is not a snapshot name; use a-z, 0-9 and inner hyphens, such as web-1"
    )
    assert things(tmp_path) == before


@pytest.mark.parametrize(
    "verb", [restore_snapshot, delete_snapshot, mount_snapshot, unmount_snapshot]
)
def test_verb_on_an_unknown_snapshot_says_where_to_look(
    context: Context, verb: Callable[[Context, str, str], object]
) -> None:
    with pytest.raises(NotFound) as caught:
        verb(context, "web", "one")

    assert str(caught.value) == "guest web has no snapshot one; see wirt snapshot list web"
    assert context.store.intents() == []


def test_destroy_takes_the_snapshots_along(context: Context, tmp_path: Path) -> None:
    create_snapshot(context, "web", "one")
    mount_snapshot(context, "web", "one")
    destroy(context, "web")

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [
        tmp_path / "template" / "init"
    ]


VERBS: dict[str, Callable[[Context], object]] = {
    "snapshot": lambda context: create_snapshot(context, "web", "new"),
    "restore": lambda context: restore_snapshot(context, "web", "old", force=True),
    "delete": lambda context: delete_snapshot(context, "web", "old"),
}
CALLS = {
    ("snapshot", "approach"): 2,  # freeze, thaw
    ("snapshot", "pool"): 1,  # copy
    ("restore", "approach"): 1,  # kill
    ("restore", "pool"): 3,  # copy, detach, finish
    ("restore", "network"): 1,  # detach
    ("delete", "pool"): 1,
}


@pytest.mark.parametrize(("verb", "port"), CALLS)
def test_verb_that_fails_at_any_call_leaves_before_or_after(
    verb: str, port: str, tmp_path: Path
) -> None:
    problems, failures = [], 0
    for number in range(1, 12):
        base, store = tmp_path / str(number), MemoryStore()
        plain = fakes.open_context(base, store)
        create(plain, WEB)
        create_snapshot(plain, "web", "old")
        start(plain, "web")
        note_of(plain).touch()
        guest, before = store.find("web"), things(base)
        try:
            VERBS[verb](fakes.open_context(base, store, fail=port, fail_at=number))
        except Failed:
            failures += 1
        else:
            break
        clean_up(plain)
        same = (store.find("web"), things(base)) == (guest, before)
        VERBS[verb](plain) if same else None
        names = [one.name for one in store.find("web").snapshots]
        wanted = {"snapshot": ["old", "new"], "restore": ["old"], "delete": []}[verb]
        if names != wanted or store.intents() or note_of(plain).exists() is (verb == "restore"):
            problems.append(f"call {number}: {names} {store.intents()}")

    assert problems == []
    assert failures == CALLS[(verb, port)]
