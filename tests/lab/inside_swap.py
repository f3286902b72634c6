"""Swap that containers use, and what bounds it. Run in the lab: the machine that tests are run on may have none, and none to give."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.model.counter import PAGE, Counter, Standing
from wirt.units import MIB

SWAP = Path("/var/tmp/wirt-test.swap")
HOLD = "head -c {} /dev/zero | tail -c {} | sleep 1000"
"""Memory that is held until the sleeper ends: what has been read is written to a pipe that nobody empties."""
HOLDS_TOO_MUCH = (
    "echo 1000 >/proc/self/oom_score_adj; exec head -c 60m /dev/zero | tail -c 60m >/dev/null"
)
"""Lets the kernel end these processes and no others."""
SECONDS = 300.0
"""The kernel takes its time under emulation."""


@pytest.fixture
def node_with_swap() -> Iterator[None]:
    subprocess.run(
        ["dd", "if=/dev/zero", f"of={SWAP}", "bs=1M", "count=128"], check=True, capture_output=True
    )
    SWAP.chmod(0o600)
    subprocess.run(["mkswap", SWAP], check=True, capture_output=True)
    subprocess.run(["swapon", SWAP], check=True)
    yield
    subprocess.run(["swapoff", SWAP], check=True)
    SWAP.unlink()


def swap_of(home: HomeUnderTest) -> Counter:
    said = home.wirt("counters", "--json", "web", status=0).stdout
    return next(
        one for one in msgspec.json.decode(said, type=list[Counter]) if one.name == "swappages"
    )


@pytest.mark.usefixtures("node_with_swap")
def test_swap_that_a_guest_uses_is_counted_and_ends_at_its_limit(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "--memory", "32M", "--swap", "24M", "web", status=0)
    home.wirt("start", "web", status=0)
    before = swap_of(home)
    holding = home.spawn("exec", "web", "--", "sh", "-c", HOLD.format("40m", "40m"))
    deadline = time.monotonic() + SECONDS
    while (swap_of(home).held or 0) < 8 * MIB // PAGE:
        assert time.monotonic() < deadline, "nothing is swapped out"
    beyond = home.wirt("exec", "web", "--", "sh", "-c", HOLDS_TOO_MUCH)
    met = swap_of(home)
    home.wirt("stop", "--force", "web", status=0)
    holding.communicate(timeout=SECONDS)

    assert (before.held, before.failcnt, before.limit) == (0, 0, 24 * MIB // PAGE)
    assert before.standing is Standing.ENFORCED
    assert beyond.returncode == 128 + 9
    assert 8 * MIB // PAGE <= (met.maxheld or 0) <= 24 * MIB // PAGE
    assert (met.failcnt or 0) > 0
