"""``wirt compare`` with the shipped template: real guests of every approach, Apache in them, Siege on the node."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import homes
from tests.guest.conftest import ShippedTemplate
from tests.homes import HomeUnderTest
from tests.leaks import World

from wirt.bench import results
from wirt.bench.sample import HOST, HOST_AGAIN, Run
from wirt.bench.spending import harness_of
from wirt.bench.subject import HOST_HTTP_PORT
from wirt.host.process import find_by_argument

TESTS = ["--test", "pipe", "--test", "dhry2reg", "--seconds", "0.2"]
APPROACHES = ["chroot", "lxc", "uml", "qemu"]
SECONDS = 240.0
FIELDS = {
    "suite",
    "test",
    "subject",
    "copies",
    "value",
    "unit",
    "n",
    "ratio",
    "ci_low",
    "ci_high",
    "index",
    "verdict",
}


def compare(home: HomeUnderTest, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a comparison to its end, however slow its guests are."""
    process = home.spawn("compare", *arguments)
    out, err = process.communicate(timeout=SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def left_of(home: HomeUnderTest) -> list[str]:
    left = home.world().difference(World.empty())
    return [line for line in left if not line.startswith("files:")]


def only_run(home: HomeUnderTest) -> Path:
    (path,) = Path(home.home.results).glob("*/run.jsonl")
    return path


def read(home: HomeUnderTest) -> Run:
    return results.read_run(only_run(home))


def wait_for_sample(home: HomeUnderTest) -> None:
    """Return as soon as a comparison has measured something."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for path in Path(home.home.results).glob("*/run.jsonl"):
            if '"kind":"sample"' in path.read_text():
                return
    raise AssertionError("nothing was measured")


def cells(said: dict[str, Any]) -> set[tuple[str, str, int]]:
    return {(one["test"], one["subject"], one["copies"]) for one in said["results"]}


@pytest.fixture(scope="module")
def light_home(template: ShippedTemplate) -> Iterator[HomeUnderTest]:
    """Give a home in which a comparison of chroots and containers, two web servers at once, has been made."""
    with homes.open_home(Path(template.directory)) as home:
        done = compare(home, "-a", "chroot", "-a", "lxc", *TESTS, "--blocks", "2", "--guests", "2")
        assert done.returncode == 0, done.stderr
        yield home


def test_comparison_of_chroots_and_containers_measures_every_cell_in_every_block(
    light_home: HomeUnderTest,
) -> None:
    said = json.loads(
        light_home.wirt("results", "show", only_run(light_home).parent.name, "--json").stdout
    )

    guests = ("chroot", "lxc")
    assert cells(said) == {
        *((test, name, 1) for test in ("pipe", "dhry2reg", "apache") for name in ("host", *guests)),
        *(("apache", name, 2) for name in guests),
    }
    assert all(one.keys() >= FIELDS for one in said["results"])
    assert {one["n"] for one in said["results"]} == {2}
    assert {one["index"] for one in said["results"] if one["subject"] == "host"} == {10.0}
    of_guests = [one for one in said["results"] if one["subject"] != "host"]
    assert all(one["ratio"] > 0 for one in of_guests)
    assert {(one["ci_low"], one["ci_high"]) for one in of_guests} == {(None, None)}


def test_comparison_keeps_all_figures_of_siege_for_each_server_and_in_sum(
    light_home: HomeUnderTest,
) -> None:
    pairs = [s for s in read(light_home).samples if (s.suite, s.copies) == ("http", 2)]

    assert len(pairs) == 8  # warm-up and measured, of two approaches, in two blocks
    for sample in pairs:
        servers, total = sample.detail["servers"], sample.detail["sum"]
        assert len(servers) == 2
        assert total["transactions"] == sum(one["transactions"] for one in servers)
        assert total["availability"] == 100.0
        longest = max(one["elapsed_time"] for one in servers)
        assert sample.value == total["transactions"] / longest > 0
        assert sample.value <= total["transaction_rate"] * 1.01  # Siege rounds its own rates


def test_comparison_is_reported_and_leaves_nothing(light_home: HomeUnderTest) -> None:
    page = only_run(light_home).with_name("report.html").read_text()

    assert "lxc" in page
    assert light_home.guests() == []
    assert left_of(light_home) == []


def test_comparison_tells_where_its_time_went(light_home: HomeUnderTest) -> None:
    run = read(light_home)
    spent = harness_of(run)

    inside = sum(sample.seconds for sample in run.samples)
    assert spent["workloads"] >= inside
    assert spent["workloads"] + spent["guests"] <= spent["total"]


def test_comparison_of_every_approach_measures_programs_and_web_servers(
    guest_home: HomeUnderTest,
) -> None:
    chosen = [argument for name in APPROACHES for argument in ("-a", name)]
    done = compare(guest_home, *chosen, *TESTS, "--blocks", "1", "--guests", "1", "--json")

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert cells(json.loads(done.stdout)) == {
        (test, name, 1) for test in ("pipe", "dhry2reg", "apache") for name in ("host", *APPROACHES)
    }
    passes = [sample for sample in read(guest_home).samples if sample.suite == "unix"]
    assert {sample.subject for sample in passes} == {HOST, HOST_AGAIN, *APPROACHES}
    for sample in passes:
        # A kernel of its own has a clock of its own, which began when it did; all others read the node's.
        look = sample.detail["clock"]
        own = sample.subject in ("uml", "qemu")
        assert (0 if own else look["host_begin"]) < look["guest_end"]
        assert look["guest_end"] < (SECONDS if own else look["host_end"])
    steps = {(effort.subject, effort.step) for effort in read(guest_home).efforts}
    assert {(name, "ready") for name in (HOST, HOST_AGAIN, *APPROACHES)} <= steps
    assert guest_home.guests() == []
    assert left_of(guest_home) == []


def test_comparison_interrupted_while_siege_is_at_work_ends_at_once_and_leaves_nothing(
    guest_home: HomeUnderTest,
) -> None:
    process = guest_home.spawn(
        "compare", "-a", "lxc", "--suite", "http", "--guests", "1", "--seconds", "100"
    )
    try:
        wait_for_sample(
            guest_home
        )  # the warm-up: now Siege is at work for longer than anyone waits
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=SECONDS)
    finally:
        process.kill()

    assert process.returncode == 130
    assert "go on with: wirt compare --resume " in said
    assert time.monotonic() - began < 20
    assert guest_home.guests() == []
    assert left_of(guest_home) == []


def test_comparison_killed_while_siege_is_at_work_takes_siege_along(
    guest_home: HomeUnderTest, tmp_path: Path
) -> None:
    process = guest_home.spawn(
        *("compare", "-a", "lxc", "--suite", "http", "--guests", "1", "--seconds", "100"),
        environment={"TMPDIR": str(tmp_path)},
    )
    try:
        wait_for_sample(guest_home)
        wait_for_besiegers(guest_home, wanted=True)
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)

    wait_for_besiegers(guest_home, wanted=False)
    guest_home.wirt("list", status=0)
    assert list(tmp_path.iterdir()) == []
    assert guest_home.guests() == []
    assert left_of(guest_home) == []


def wait_for_besiegers(home: HomeUnderTest, *, wanted: bool) -> None:
    """Wait until some Siege, or none, runs with the home's configuration."""
    deadline = time.monotonic() + SECONDS
    while bool(find_by_argument(f"--rc={home.home.siege}/siegerc")) is not wanted:
        assert time.monotonic() < deadline, "Siege " + ("never began" if wanted else "goes on")
        time.sleep(0.05)


def test_web_server_of_the_host_whose_port_is_taken_is_a_failure_that_says_so(
    guest_home: HomeUnderTest,
) -> None:
    with socket.create_server(("0.0.0.0", HOST_HTTP_PORT)):
        done = compare(
            guest_home,
            *("-a", "lxc", "--suite", "http", "--suite", "lifecycle"),
            *("--guests", "1", "--seconds", "0.2", "--blocks", "1"),
        )
    run = read(guest_home)

    assert done.returncode == 1
    assert {failure.subject for failure in run.failures} == {HOST, HOST_AGAIN}
    assert all("Address already in use" in failure.message for failure in run.failures)
    assert all(f":{HOST_HTTP_PORT}: " in failure.message for failure in run.failures)
    assert {s.subject for s in run.samples} == {"lxc"}
    # Web serving is measured, so a life tells when its first page came.
    (answered,) = [s for s in run.samples if s.test == "answer"]
    assert 0 < answered.seconds < 60
    assert left_of(guest_home) == []
