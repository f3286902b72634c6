"""What a container that writes as hard as it can leaves of the disk to its neighbour and to the node."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

WRITERS = 4
SECONDS = 3.0
"""Of each measurement."""
HOGS = (
    f"for n in $(seq {WRITERS}); do (while :; do dd if=/dev/zero of=/root/big$n bs=1M count=48 "
    "conv=fsync; rm /root/big$n; done) & done; wait"
)
WORK = (
    f"ends=$(($(cut -d. -f1 /proc/uptime) + {SECONDS:.0f})); n=0; "
    "while [ $(cut -d. -f1 /proc/uptime) -lt $ends ]; do "
    "dd if=/dev/zero of=/root/small bs=256k count=4 conv=fsync 2>/dev/null; n=$((n + 1)); done; echo $n"
)
"""A MiB at a time that is on the disk before the next begins: says how many."""


@pytest.fixture(params=["directory", "image"])
def home(home: HomeUnderTest, request: pytest.FixtureRequest) -> HomeUnderTest:
    pool = ["--pool", request.param, *(["--disk", "1G"] if request.param == "image" else [])]
    for name in ("evil", "good"):
        home.wirt("create", "-t", TINY, "--memory", "256M", *pool, name, status=0)
        home.wirt("start", name, status=0)
    return home


@contextmanager
def writing(home: HomeUnderTest) -> Iterator[None]:
    hogs = home.spawn("exec", "evil", "--", "sh", "-c", HOGS)
    try:
        # Its first files are on their way.
        time.sleep(1.0)
        yield
    finally:
        home.wirt("stop", "--force", "evil", status=0)
        hogs.communicate(timeout=30)


def work(home: HomeUnderTest) -> int:
    return int(home.wirt("exec", "good", "--", "sh", "-c", WORK, status=0).stdout)


def seconds_of_the_node(base: Path) -> float:
    """Return how long the node takes to have something on its disk."""
    began = time.monotonic()
    with open(base / "node", "wb") as file:
        file.write(b"0" * (1 << 20))
        file.flush()
        os.fsync(file.fileno())
    return time.monotonic() - began


@pytest.mark.alone
def test_neighbour_of_a_writer_that_is_bounded_keeps_half_of_its_disk_at_least(
    home: HomeUnderTest,
) -> None:
    home.wirt("set", "evil", "--io-write", "16M", status=0)
    alone = work(home)
    with writing(home):
        beside = work(home)
        node = max(seconds_of_the_node(home.base) for _ in range(5))

    assert beside >= alone / 2
    assert node < 1.0


@pytest.mark.alone
def test_writer_without_a_bound_keeps_neither_its_neighbour_nor_the_node_from_going_on(
    home: HomeUnderTest,
) -> None:
    with writing(home):
        beside = work(home)
        node = max(seconds_of_the_node(home.base) for _ in range(5))
        began = time.monotonic()
        home.wirt("show", "good", status=0)
        shown = time.monotonic() - began

    # Whoever writes most has most: docs/design/0017-limits-and-guarantees.md.
    assert beside >= 1
    assert node < 5.0
    assert shown < 5.0
