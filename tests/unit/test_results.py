import errno
import os
from pathlib import Path

import msgspec
import pytest
from tests.unit.measured import header, run, sample, series

from wirt.bench import results
from wirt.bench.results import RunWriter, Summary
from wirt.bench.sample import (
    HOST,
    IMPORTED,
    Effort,
    Failure,
    Finish,
)
from wirt.errors import (
    Busy,
    Conflict,
    Corrupt,
    Failed,
    InvalidInput,
    NotFound,
    OutOfSpace,
    WrongState,
)

EFFORT = Effort(subject="lxc", step="create the guest", seconds=0.2)
FAILURE = Failure(subject="qemu", block=1, test=None, message="no answer", log="panic", at=5.0)
NEXT = sample("lxc", 99.0, block=1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def path(home: Path) -> Path:
    return home / "20260101-1200" / "run.jsonl"


@pytest.fixture
def interrupted(path: Path) -> Path:
    """Write a run of 15 samples that was interrupted: 16 whole lines."""
    results.write_run(path, run(series(HOST, range(1, 16)), finished=False))
    return path


def damage(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def message(path: Path) -> str:
    with pytest.raises(Corrupt) as caught:
        results.read_run(path)
    return str(caught.value)


def test_write_and_read_gives_the_same_run(path: Path) -> None:
    whole = run(
        [sample(HOST, 1.5, detail={"count": 3, "servers": [{"transactions": 1.0}]})],
        efforts=[EFFORT],
        failures=[FAILURE],
        finish=Finish(at=9.0, capped=["unix/pipe/lxc/1"], harness={"total": 1.0}),
    )
    results.write_run(path, whole)

    assert results.read_run(path) == whole


def test_append_has_the_record_in_the_file_at_once(path: Path) -> None:
    with RunWriter.create(path, header()) as writer:
        writer.append(NEXT)

        assert results.read_run(path) == run([NEXT], finished=False)


def test_read_of_an_interrupted_run_has_no_end(interrupted: Path) -> None:
    assert results.read_run(interrupted).finish is None


def test_read_of_a_file_cut_short_says_the_line_and_how_to_go_on(interrupted: Path) -> None:
    damage(interrupted, interrupted.read_bytes() + b'{"kind":"sample","suite":"un')

    assert message(interrupted) == (
        "results/20260101-1200/run.jsonl is cut short at line 17; "
        "run wirt compare --resume 20260101-1200 to continue it"
    )


def test_read_of_a_whole_last_line_without_its_end_is_cut_short_too(interrupted: Path) -> None:
    damage(interrupted, interrupted.read_bytes().rstrip(b"\n"))

    assert message(interrupted).startswith(
        "results/20260101-1200/run.jsonl is cut short at line 16; "
    )


def test_read_of_zeros_after_a_power_loss_is_cut_short(interrupted: Path) -> None:
    damage(interrupted, interrupted.read_bytes() + bytes(4096))

    assert "is cut short at line 17" in message(interrupted)


def test_read_of_every_possible_cut_never_fails_otherwise(interrupted: Path) -> None:
    content = interrupted.read_bytes()
    lines = content.count(b"\n")
    said = set()
    for end in range(0, len(content), 7):
        interrupted.write_bytes(content[:end])
        try:
            results.read_run(interrupted)
        except Corrupt as error:
            said.add(error.message)

    assert len(said) == lines + 1  # empty, within line 1, within line 2, ...
    assert all("is empty" in text or "is cut short at line" in text for text in said)


def test_read_of_a_newer_format_says_to_upgrade(path: Path) -> None:
    damage(path, b'{"kind":"header","format":3,"run":{"new":"shape"}}\n{"kind":"novelty"}\n')

    assert message(path) == (
        "results/20260101-1200/run.jsonl was written by a newer Wirt "
        "(format 3, this one reads 2); upgrade Wirt"
    )


def test_read_of_an_empty_file_says_to_measure_again(path: Path) -> None:
    damage(path, b"")

    assert message(path) == (
        "results/20260101-1200/run.jsonl is empty; remove results/20260101-1200 and measure again"
    )


def test_read_of_a_cut_header_says_to_measure_again(path: Path) -> None:
    damage(path, b'{"kind":"header","form')

    assert message(path) == (
        "results/20260101-1200/run.jsonl is cut short at line 1, before anything was measured; "
        "remove results/20260101-1200 and measure again"
    )


@pytest.mark.parametrize(
    "content", [b"hello\n", b"\x80\xff\x00\n", b"[]\n", b'{"kind":"sample"}\n', b"\n\n"]
)
def test_read_of_something_else_is_refused(path: Path, content: bytes) -> None:
    damage(path, content)

    assert message(path) == (
        "results/20260101-1200/run.jsonl is not a results file of Wirt; "
        "wirt results list shows the runs there are"
    )


@pytest.mark.parametrize(
    "line", [b"garbage", b"\xff\xfe", b'{"kind":"novelty"}', b'{"kind":"sample","suite":5}', b""]
)
def test_read_of_a_damaged_line_says_which(interrupted: Path, line: bytes) -> None:
    lines = interrupted.read_bytes().split(b"\n")
    damage(interrupted, b"\n".join([*lines[:4], line, *lines[4:]]))

    assert message(interrupted) == (
        "results/20260101-1200/run.jsonl is damaged at line 5; "
        "restore it from a copy, or measure again"
    )


def test_read_of_a_header_with_fields_missing_is_damaged(path: Path) -> None:
    damage(path, b'{"kind":"header","format":1,"run":"x"}\n')

    assert "is damaged at line 1" in message(path)


def test_read_of_a_second_header_is_damaged(interrupted: Path) -> None:
    content = interrupted.read_bytes()
    damage(interrupted, content + content)

    assert "is damaged at line 17" in message(interrupted)


@pytest.mark.parametrize("tail", [b'{"kind":"finish","at":1.0,"capped":[]}\n', b'{"ki'])
def test_read_of_anything_after_the_end_is_damaged(path: Path, tail: bytes) -> None:
    results.write_run(path, run([NEXT]))
    damage(path, path.read_bytes() + tail)

    assert "is damaged at line 4" in message(path)


def test_read_of_a_file_elsewhere_shows_its_whole_path(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    damage(path, b"")

    assert message(path).startswith(f"{path} is empty")


def test_read_of_a_file_that_is_not_there_says_where_to_look(path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        results.read_run(path)

    assert str(caught.value) == (
        "there is no file results/20260101-1200/run.jsonl; "
        "wirt results list shows the runs there are"
    )


def test_resume_of_an_interrupted_run_appends_to_it(interrupted: Path) -> None:
    before, writer = results.open_resume(interrupted)
    with writer:
        writer.append(NEXT)
        writer.append(Finish(at=1.0, capped=[]))

    after = results.read_run(interrupted)
    assert len(before.samples) == 15
    assert after.samples == [*before.samples, NEXT]
    assert after.finish is not None


def test_resume_of_a_file_cut_short_drops_the_partly_written_line(interrupted: Path) -> None:
    whole = interrupted.read_bytes()
    damage(interrupted, whole + b'{"kind":"sample","suite":"un')
    _, writer = results.open_resume(interrupted)
    with writer:
        assert interrupted.read_bytes() == whole
        writer.append(NEXT)

    assert results.read_run(interrupted).samples[-1] == NEXT


def test_resume_of_a_complete_run_is_refused(path: Path) -> None:
    results.write_run(path, run([NEXT]))

    with pytest.raises(WrongState) as caught:
        results.open_resume(path)
    assert str(caught.value) == (
        "run 20260101-1200 is complete, there is nothing to resume; "
        "wirt results show 20260101-1200 shows it"
    )


@pytest.mark.parametrize("finished", [True, False])
def test_resume_of_an_imported_run_is_refused_whether_it_has_its_end_or_not(
    path: Path, finished: bool
) -> None:
    imported = msgspec.structs.replace(
        run([NEXT], finished=finished), header=header(profile=IMPORTED)
    )
    results.write_run(path, imported)

    with pytest.raises(WrongState) as caught:
        results.open_resume(path)
    assert str(caught.value) == (
        "run 20260101-1200 was imported, so there is nothing here to go on measuring; "
        "wirt results show 20260101-1200 shows it"
    )


def test_read_of_an_imported_file_cut_short_says_to_import_it_again(path: Path) -> None:
    imported = msgspec.structs.replace(run([NEXT]), header=header(profile=IMPORTED))
    results.write_run(path, imported)
    damage(path, path.read_bytes()[:-70])

    assert message(path) == (
        "results/20260101-1200/run.jsonl is cut short at line 3; take it in again: wirt results import"
    )


def test_find_interrupted_is_the_one_begun_last_also_if_its_last_line_is_cut(home: Path) -> None:
    for name, started, changes, finished in (
        ("first", 10.0, {}, False),
        ("second", 20.0, {}, False),
        ("whole", 30.0, {}, True),
        ("foreign", 40.0, {"profile": IMPORTED}, False),
        ("broken", 50.0, {}, False),
    ):
        one = msgspec.structs.replace(
            run([NEXT], finished=finished), header=header(run=name, started=started, **changes)
        )
        results.write_run(results.run_path(home, name), one)
    damage(home / "broken" / "run.jsonl", b"not json\n")
    second = home / "second" / "run.jsonl"
    damage(second, second.read_bytes() + b'{"kind":"sam')

    assert results.find_interrupted(home) == "second"


def test_find_interrupted_without_one_says_so(home: Path) -> None:
    with pytest.raises(NotFound) as caught:
        results.find_interrupted(home)
    assert str(caught.value) == (
        "there is no interrupted run to go on with; "
        "begin one with wirt compare; wirt results list shows the runs there are"
    )


def test_resume_of_a_damaged_file_is_refused_and_changes_nothing(interrupted: Path) -> None:
    content = b"garbage\n" + interrupted.read_bytes() + b"{"
    damage(interrupted, content)

    with pytest.raises(Corrupt):
        results.open_resume(interrupted)
    assert interrupted.read_bytes() == content


def test_resume_of_a_run_being_measured_is_refused(path: Path) -> None:
    with RunWriter.create(path, header()), pytest.raises(Busy) as caught:
        results.open_resume(path)

    assert str(caught.value) == (
        "run 20260101-1200 is being measured by another wirt compare; wait for it to end, or stop it"
    )


def test_resume_after_a_refused_resume_finds_the_lock_free(interrupted: Path) -> None:
    interrupted.write_bytes(interrupted.read_bytes() + b"garbage\n")
    for _ in range(2):
        with pytest.raises(Corrupt):
            results.open_resume(interrupted)


def test_resume_of_no_file_is_refused(path: Path) -> None:
    with pytest.raises(NotFound):
        results.open_resume(path)


def test_create_of_a_run_that_exists_leaves_it_alone(interrupted: Path) -> None:
    content = interrupted.read_bytes()

    with pytest.raises(Conflict) as caught:
        RunWriter.create(interrupted, header())
    assert str(caught.value) == (
        "there is a run 20260101-1200 already; give the new one another name"
    )
    assert interrupted.read_bytes() == content


def test_create_on_a_full_disk_leaves_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real_write(fd, data[:10]))

    with pytest.raises(OutOfSpace) as caught:
        RunWriter.create(path, header())
    assert str(caught.value) == (
        "the disk is full, results/20260101-1200/run.jsonl cannot be written; "
        "free some space and try again"
    )
    assert not path.exists()


def test_write_of_a_whole_run_on_a_full_disk_leaves_no_part_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real_write(fd, data[:-10]))

    with pytest.raises(OutOfSpace):
        results.write_run(path, run([NEXT]))
    assert not path.exists()


def test_append_on_a_full_disk_leaves_whole_lines(
    interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = interrupted.read_bytes()
    real_write = os.write
    _, writer = results.open_resume(interrupted)
    monkeypatch.setattr(os, "write", lambda fd, data: real_write(fd, data[:10]))

    with writer, pytest.raises(OutOfSpace) as caught:
        writer.append(NEXT)

    assert str(caught.value) == (
        "the disk is full, results/20260101-1200/run.jsonl cannot be continued; "
        "free some space, then run wirt compare --resume 20260101-1200"
    )
    assert interrupted.read_bytes() == whole


def test_append_that_the_disk_refuses_says_why(
    interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    _, writer = results.open_resume(interrupted)
    monkeypatch.setattr(os, "fsync", refuse)

    with writer, pytest.raises(Failed) as caught:
        writer.append(NEXT)
    assert caught.value.message == (
        "results/20260101-1200/run.jsonl cannot be written: Input/output error"
    )


@pytest.mark.parametrize("name", ["../etc", "a/b", "..", ".", "", "-x", ".hidden", "a b", "x" * 65])
def test_run_path_of_a_name_that_is_no_id_is_refused(home: Path, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        results.run_path(home, name)

    assert str(caught.value) == (
        f"{name!r} is not the id of a run; wirt results list shows the runs there are"
    )


def test_find_run_that_is_not_there_says_where_to_look(home: Path) -> None:
    with pytest.raises(NotFound) as caught:
        results.find_run(home, "20250101-0000")

    assert str(caught.value) == (
        "there is no run 20250101-0000; wirt results list shows the runs there are"
    )


def test_find_run_that_exists_returns_its_file(home: Path, interrupted: Path) -> None:
    assert results.find_run(home, "20260101-1200") == interrupted


def test_new_run_id_is_the_time_and_never_taken(home: Path) -> None:
    assert results.new_run_id(home, 1767268800.0) == "20260101-1200"
    (home / "20260101-1200").mkdir(parents=True)
    (home / "20260101-1200-2").mkdir()

    assert results.new_run_id(home, 1767268800.0) == "20260101-1200-3"


def test_list_runs_is_in_order_of_time_with_the_unreadable_ones(home: Path) -> None:
    later = run(series(HOST, [1, 2]), about={"started": 2.0, "run": "a"}, failures=[FAILURE])
    earlier = run(
        [sample(HOST, 1, phase="warmup")], about={"started": 1.0, "run": "b"}, finished=False
    )
    results.write_run(home / "a" / "run.jsonl", later)
    results.write_run(home / "b" / "run.jsonl", earlier)
    damage(home / "c" / "run.jsonl", b"garbage\n")
    (home / "not-a-run").mkdir()

    broken, first, second = results.list_runs(home)

    assert broken == Summary(
        run="c",
        problem="results/c/run.jsonl is not a results file of Wirt; "
        "wirt results list shows the runs there are",
    )
    assert (first.run, first.samples, first.blocks, first.complete) == ("b", 0, 0, False)
    assert (second.run, second.samples, second.blocks, second.complete) == ("a", 2, 2, True)
    assert second.failures == 1
    assert second.subjects == ["host", "host-again", "lxc", "qemu"]
    assert second.profile == "quick"


def test_list_runs_says_which_is_being_measured_and_resume_passes_it_over(home: Path) -> None:
    path = home / "20260101-1200" / "run.jsonl"
    with RunWriter.create(path, header()):
        (measured,) = results.list_runs(home)
        with pytest.raises(NotFound):
            results.find_interrupted(home)
    (left,) = results.list_runs(home)

    assert (measured.running, left.running) == (True, False)
    assert results.find_interrupted(home) == "20260101-1200"


def test_list_runs_of_a_new_home_is_empty(home: Path) -> None:
    assert results.list_runs(home) == []
