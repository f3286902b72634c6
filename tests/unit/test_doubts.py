"""Results files that have the form of one and values that no run can have written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.measured import run, sample, web
from tests.unit.world import planned

from wirt.bench import compare, export, results
from wirt.bench.properties import describe_approaches
from wirt.bench.report.markdown import render_markdown
from wirt.bench.sample import (
    HOST,
    BlockEnd,
    Effort,
    Failure,
    Meanwhile,
    Preparation,
    Run,
    Sample,
)
from wirt.errors import Corrupt, Error

EFFORT = Effort(subject="lxc", step="create the guest", seconds=0.2)
FAILURE = Failure(subject="qemu", block=1, test=None, message="no answer", log="panic", at=5.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results" / "20260101-1200" / "run.jsonl"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (sample("ghost", 1.0), "the header knows no subject 'ghost'"),
        (sample(HOST, 1e308), "value is 1e+308"),
        (sample(HOST, -1.0), "value is -1"),
        (
            sample(HOST, 1.0, detail={"sum": {"transactions": 1}}),
            "Siege's availability is no number, or is missing",
        ),
        (
            sample(HOST, 1.0, detail={"sum": "many"}),
            "Expected `object`, got `str` - at `$.detail.sum`",
        ),
        (
            sample(HOST, 1.0, detail={"counts": ["many"]}),
            "Expected `float`, got `str` - at `$.detail.counts[0]`",
        ),
        (sample(HOST, 1.0, detail={"counts": [1e300]}), "counts is 1e+300"),
    ],
)
def test_read_of_a_pass_that_no_run_can_have_written_says_what_is_wrong(
    path: Path, wrong: Sample, reason: str
) -> None:
    results.write_run(path, run([sample(HOST, 1.0), wrong]))

    with pytest.raises(Corrupt, match="is damaged at line 3") as caught:
        results.read_run(path)

    assert caught.value.detail == reason


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"cpu": "many"}, "Expected `object | null`, got `str` - at `$.environment.cpu`"),
        (
            {"load_before": "low"},
            "Expected `float | null`, got `str` - at `$.environment.load_before`",
        ),
        ({"load_before": -1.0}, "load_before is -1"),
        (
            {"approaches": [1]},
            "Expected `object | null`, got `array` - at `$.environment.approaches`",
        ),
        (
            {"mitigations": {"spectre": 5}},
            "Expected `str`, got `int` - at `$.environment.mitigations[...]`",
        ),
    ],
)
def test_read_of_an_environment_of_other_types_says_what_is_wrong(
    path: Path, environment: dict[str, Any], reason: str
) -> None:
    results.write_run(path, run([sample(HOST, 1.0)], about={"environment": environment}))

    with pytest.raises(Corrupt, match="is damaged at line 1") as caught:
        results.read_run(path)

    assert caught.value.detail == reason


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every value in an object, the inner ones too."""
    yield place
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in pairs:
        yield from leaves(inner, (*place, key))


def changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = changed(value[place[0]], place[1:], new)
    return copy


def whole_run() -> Run:
    """Return a short run that has every kind of record."""
    node = Meanwhile(others_percent=1.0, cpu_seconds=9.0, stolen_seconds=0.5, throttled=1)
    environment = {
        "cpu": {"count": 2, "usable": 2, "model": "x", "governor": "performance"},
        "cgroup_limits": {"cpus": 1.5},
        "load_before": 0.5,
        "node_is_guest": "kvm",
        "kernel": "6.1",
        "mitigations": {"spectre": "Not affected"},
        "approaches": {"lxc": {"available": True, "reason": ""}},
        "memory_bytes": 5,
    }
    return run(
        [
            sample(HOST, 5.0, detail={"counts": [5.0], "timebase": 1}),
            sample("lxc", 4.0, detail={"counts": [4.0], "timebase": 1}),
            *web(HOST, 1, [9.0]),
            *web("lxc", 1, [8.0]),
        ],
        about={
            "environment": environment,
            "prepared": [Preparation(step="packages", seconds=9.0)],
            "planned": [planned()],
        },
        efforts=[EFFORT],
        failures=[FAILURE],
        ends=[BlockEnd(block=0, command=1.0, harness={"total": 9.0}, node=node)],
    )


@pytest.mark.parametrize("new", [None, "x", "", -1, 1e300, True, [], {}, [{}], {"a": 1}])
def test_file_with_any_value_changed_is_read_or_refused_in_one_line(path: Path, new: Any) -> None:
    results.write_run(path, whole_run())
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    said: list[str] = []
    for number, line in enumerate(lines):
        for place in leaves(line):
            other = [*lines[:number], changed(line, place, new), *lines[number + 1 :]]
            path.write_text("".join(f"{json.dumps(one)}\n" for one in other))
            try:
                found = results.read_run(path)
            except Error as error:
                said.append(error.message)
                continue
            analysis = compare.analyse(found)
            render_markdown(analysis, describe_approaches(found.header))
            export.render_json(analysis)

    assert said
    assert not any("\n" in message for message in said)
