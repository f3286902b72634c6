"""Two hundred guests on two pools, made, started, changed and destroyed in a loop in which a third of the commands is killed.

``WIRT_SEED`` repeats a run as far as the kernel lets it be repeated. What was done is printed (``pytest -s``).
"""

import itertools
import os
import random
import signal
import subprocess
import time
from collections import Counter, defaultdict

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.cli.options import EXEC_FAILED

GUESTS = 200
AT_ONCE = 4
KILLED = 1 / 3
AFTER_A_KILL = {0, -signal.SIGKILL, 3, 4, 5, EXEC_FAILED}
"""What a command may end with: done, killed, or told that the guest is not there, there already, or not in that state."""
POOLS = ("directory", "image")
CHANGES = (
    ["set", "--memory", "96M"],
    ["set", "--cpu-limit", "0.5", "--processes", "200"],
    ["set", "--rate-out", "20mbit"],
    ["set", "--dns", "192.0.2.53"],
    ["freeze"],
    ["thaw"],
    ["snapshot", "create"],
    ["exec"],
)


class Killer:
    """Runs commands, and kills some of them at any instant of the time that they have taken so far."""

    def __init__(self, home: HomeUnderTest, seed: int) -> None:
        self._home = home
        self._chance = random.Random(seed)
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.ended: Counter[tuple[str, int]] = Counter()
        self.problems: list[str] = []

    def choose(self, things: list[str]) -> str:
        """Return one of them."""
        return self._chance.choice(things)

    def change(self, guest: str) -> None:
        """Run a change of a guest."""
        verb, *options = self._chance.choice(CHANGES)
        match verb:
            case "snapshot":
                self.run(verb, *options, guest, f"s{self._chance.randrange(10**9)}")
            case "exec":
                self.run(verb, guest, "--", "sh", "-c", "echo there > /root/file")
            case _:
                self.run(verb, guest, *options)

    def run(self, *command: str) -> None:
        """Run a command of ``wirt``, perhaps not to its end."""
        began = time.monotonic()
        taken = self._seconds[command[0]]
        is_killed = bool(taken) and self._chance.random() < KILLED
        with self._home.spawn(*command) as process:
            try:
                wait = self._chance.uniform(0, max(taken)) if is_killed else 120
                process.wait(wait)
            except subprocess.TimeoutExpired:
                process.kill()
            said = process.stderr.read() if process.stderr else ""
            status = process.wait()
        if status == 0:
            taken[:] = [*taken[-4:], time.monotonic() - began]
        self.ended[command[0], status] += 1
        if status not in AFTER_A_KILL or "Traceback" in said:
            self.problems.append(f"{' '.join(command)} ended {status}: {said}")


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_two_hundred_guests_with_commands_killed_at_random_leave_the_machine_as_it_was(
    home: HomeUnderTest,
) -> None:
    seed = int(os.environ.get("WIRT_SEED") or random.randrange(10**6))
    killer, began = Killer(home, seed), time.monotonic()
    for pool in POOLS:
        # What a home keeps once it has had a guest there.
        home.wirt("create", "-t", TINY, "--pool", pool, "--disk", "64M", "first", status=0)
        home.wirt("start", "first", status=0)
        home.wirt("destroy", "--force", "first", status=0)
    before = home.world()
    there: list[str] = []
    for number in itertools.count():
        if killer.ended["create", 0] >= GUESTS:
            break
        name = f"g{number}"
        pool = POOLS[number % len(POOLS)]
        killer.run("create", "-t", TINY, "--pool", pool, "--disk", "64M", name)
        there.append(name)
        killer.run("start", name)
        killer.change(name)
        killer.change(killer.choose(there))
        if len(there) > AT_ONCE:
            gone = killer.choose(there)
            there.remove(gone)
            killer.run("stop", "--force", gone)
            killer.run("destroy", "--force", gone)
    left = home.guests()
    for guest in left:
        home.wirt("destroy", "--force", guest.name, status=0)
    kills = sum(times for (_, status), times in killer.ended.items() if status == -signal.SIGKILL)
    print(f"seed {seed}: {sum(killer.ended.values())} commands, {kills} of them killed, ", end="")
    print(f"{len(left)} guests left over, {time.monotonic() - began:.0f} s; {dict(killer.ended)}")

    assert killer.problems == []
    assert kills > GUESTS / 2
    assert home.world().difference(before) == []
