"""What everyone may ask of an approach that can keep what its guests' memory holds."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.contract.approach_contract import Started
from tests.contract.test_approach import prepared_guest

from wirt.approaches.base import Checkpointable, Freezable
from wirt.approaches.fake import FakeApproach
from wirt.approaches.stillness import ResumesStill
from wirt.approaches.tracking import TracksMemory
from wirt.errors import Corrupt, Error, Failed, Unsupported
from wirt.host import files
from wirt.model.presence import Presence


@pytest.fixture(params=["fake", "lxc"])
def started(request: pytest.FixtureRequest, tiny_templates: Path) -> Iterator[Started]:
    with prepared_guest(request.param, tiny_templates) as prepared:
        yield Started(prepared=prepared, handle=prepared.start())


@pytest.fixture
def directory(started: Started, tmp_path: Path) -> str:
    path = tmp_path / "checkpoint"
    path.mkdir()
    # Below the home: processes that are restored come here as root of the guest.
    return str(path)


def checkpointable(started: Started) -> Checkpointable:
    approach = started.prepared.approach
    assert isinstance(approach, Checkpointable)
    return approach


def keep(
    started: Started,
    directory: str,
    *,
    keep_running: bool = False,
    at_last: Callable[[], None] = lambda: None,
) -> list[Presence]:
    """Make a checkpoint and return what a probe said while the guest stood still, as soon as it did and at last."""
    seen = []

    def look() -> None:
        seen.append(started.prepared.probe())

    def look_at_last() -> None:
        look()
        at_last()

    checkpointable(started).checkpoint(
        started.prepared.launch.place,
        started.handle,
        directory,
        keep_running=keep_running,
        standing_still=look,
        written=look_at_last,
    )
    return seen


def test_guest_can_be_checkpointed_here(started: Started) -> None:
    approach = checkpointable(started)

    assert approach.probe_checkpoints().available
    launch = started.prepared.launch
    cards = {launch.nic.name: launch.nic.addresses}
    assert approach.find_obstacles(launch.place, cards=cards) == []


def test_guest_that_is_kept_running_goes_on(started: Started, directory: str) -> None:
    seen = keep(started, directory, keep_running=True)

    assert seen == [Presence.PRESENT] * 2
    assert started.exec("echo", "on")[1] == "on\n"
    assert not checkpointable(started).is_checkpointing(started.prepared.launch.place)


def test_guest_that_was_stopped_goes_on_from_its_checkpoint(
    started: Started, directory: str
) -> None:
    prepared = started.prepared
    keep(started, directory)
    ended = prepared.probe()
    prepared.approach.kill(prepared.launch.place)
    handle = checkpointable(started).resume(prepared.launch, directory)

    assert ended is not Presence.PRESENT
    assert prepared.probe() is Presence.PRESENT
    assert Started(prepared=prepared, handle=handle).exec("echo", "on")[1] == "on\n"


def test_guest_goes_on_from_a_checkpoint_again_and_again(started: Started, directory: str) -> None:
    prepared = started.prepared
    keep(started, directory)
    for _ in range(2):
        prepared.approach.kill(prepared.launch.place)
        handle = checkpointable(started).resume(prepared.launch, directory)

    assert Started(prepared=prepared, handle=handle).exec("echo", "on")[1] == "on\n"


@pytest.mark.parametrize("when", ["standing_still", "written"])
def test_guest_goes_on_if_nobody_can_keep_its_disk(
    started: Started, directory: str, when: str
) -> None:
    calls = {"standing_still": lambda: None, "written": lambda: None, when: no_disk}

    with pytest.raises(Failed, match="there is no disk"):
        checkpointable(started).checkpoint(
            started.prepared.launch.place,
            started.handle,
            directory,
            keep_running=False,
            **calls,
        )

    assert started.exec("echo", "on")[1] == "on\n"
    assert not checkpointable(started).is_checkpointing(started.prepared.launch.place)


@pytest.mark.parametrize("fails", [True, False])
def test_guest_that_is_frozen_is_frozen_still_when_it_was_kept_or_could_not_be(
    started: Started, directory: str, *, fails: bool
) -> None:
    approach, place = checkpointable(started), started.prepared.launch.place
    assert isinstance(approach, Freezable)
    approach.freeze(place)
    if fails:
        with pytest.raises(Failed, match="there is no disk"):
            keep(started, directory, keep_running=True, at_last=no_disk)
    else:
        keep(started, directory, keep_running=True)
    frozen = approach.is_frozen(place)
    approach.thaw(place)

    assert frozen
    assert started.exec("echo", "on")[1] == "on\n"
    assert not approach.is_checkpointing(place)


def test_guest_that_is_brought_back_still_is_frozen_until_it_is_thawed(
    started: Started, directory: str
) -> None:
    prepared, approach = started.prepared, checkpointable(started)
    place = prepared.launch.place
    assert isinstance(approach, Freezable)
    assert isinstance(approach, ResumesStill)
    keep(started, directory)
    prepared.approach.kill(place)
    handle = approach.resume_still(prepared.launch, directory)
    frozen = approach.is_frozen(place)
    approach.thaw(place)

    assert frozen
    assert Started(prepared=prepared, handle=handle).exec("echo", "on")[1] == "on\n"


def no_disk() -> None:
    raise Failed("there is no disk")


def test_nothing_is_cancelled_where_no_checkpoint_is_made(started: Started) -> None:
    approach, place = checkpointable(started), started.prepared.launch.place
    approach.cancel_checkpoint(place)

    assert not approach.is_checkpointing(place)
    assert started.prepared.probe() is Presence.PRESENT


def test_checkpoint_of_a_guest_that_does_not_run_fails(started: Started, directory: str) -> None:
    started.prepared.approach.kill(started.prepared.launch.place)

    with pytest.raises(Failed):
        keep(started, directory)


def test_guest_does_not_go_on_from_an_empty_directory(started: Started, directory: str) -> None:
    prepared = started.prepared
    prepared.approach.kill(prepared.launch.place)

    with pytest.raises(Corrupt):
        checkpointable(started).resume(prepared.launch, directory)
    prepared.approach.kill(prepared.launch.place)

    assert prepared.probe() is Presence.ABSENT


def test_guest_that_runs_cannot_be_resumed(started: Started, directory: str) -> None:
    keep(started, directory, keep_running=True)

    with pytest.raises(Error):
        checkpointable(started).resume(started.prepared.launch, directory)

    assert started.prepared.probe() is Presence.PRESENT


def tracking(started: Started) -> TracksMemory:
    approach = started.prepared.approach
    assert isinstance(approach, TracksMemory)
    return approach


def test_guest_goes_on_from_what_was_written_ahead_and_what_was_not(
    started: Started, directory: str
) -> None:
    """Where it is not known what changes nothing is written ahead, the guest goes on, and all of it is written at last."""
    prepared, approach = started.prepared, tracking(started)
    place = prepared.launch.place
    can = approach.tracks(place).available
    for _ in range(2):
        if can:
            approach.write_ahead(place, directory)
        else:
            with pytest.raises(Failed):
                approach.write_ahead(place, directory)
        assert started.exec("echo", "on")[1] == "on\n"
        assert not checkpointable(started).is_checkpointing(place)
    keep(started, directory)
    prepared.approach.kill(place)
    handle = checkpointable(started).resume(prepared.launch, directory)

    assert can == approach.probe_tracking().available
    assert Started(prepared=prepared, handle=handle).exec("echo", "on")[1] == "on\n"


def test_what_was_written_ahead_and_is_gone_is_written_again(
    started: Started, directory: str
) -> None:
    prepared, approach = started.prepared, tracking(started)
    place = prepared.launch.place
    if approach.tracks(place).available:
        approach.write_ahead(place, directory)
    files.empty_tree(directory)
    keep(started, directory)
    prepared.approach.kill(place)
    handle = checkpointable(started).resume(prepared.launch, directory)

    assert Started(prepared=prepared, handle=handle).exec("echo", "on")[1] == "on\n"


def test_processor_that_has_less_is_told_from_this_one(started: Started, directory: str) -> None:
    approach = checkpointable(started)
    keep(started, directory)
    approach.check_memory(directory)
    if isinstance(approach, FakeApproach):
        Path(directory, "processor").touch()
        reason = "this node's processor is another"
    else:
        written = Path(directory, "images/cpuinfo.img")
        written.write_bytes(with_all_features(written.read_bytes()))
        reason = "this node's processor lacks what programs may use that found it when they were started: "
    with pytest.raises(Unsupported) as caught:
        approach.check_memory(directory)

    assert caught.value.message.startswith(reason)


def with_all_features(image: bytes) -> bytes:
    """Return CRIU's description of a processor that has all that leaf 7 of CPUID tells of, which none has.

    Behind two magic numbers and a length it is a message with one field, whose field 6 is there once for each word of features.
    """
    at, word, wanted = 14, 0, b"\x30\xff\xff\xff\xff\x0f"
    while True:
        tag, start = image[at], at
        at += 1
        while image[at] & 0x80:
            at += 1
        at += 1
        if tag == 0x30:
            if word == 9:
                break
            word += 1
    grown = len(wanted) - (at - start)
    lengths = (image[8] + grown, image[13] + grown)
    assert max(lengths) < 0x80
    head = image[:8] + bytes([lengths[0]]) + image[9:13] + bytes([lengths[1]])
    return head + image[14:start] + wanted + image[at:]
