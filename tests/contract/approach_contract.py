"""What every approach promises. A subclass says which guest it is asked of: a tiny one here, a whole one in tests/guest.

A guest with a kernel of its own takes seconds to start, so that the questions that change nothing share one.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import msgspec
import pytest
from tests.leaks import World, snapshot_world

from wirt.approaches.base import Approach
from wirt.errors import Failed
from wirt.host.run import Streams
from wirt.model.guest import Handle
from wirt.model.launch import Launch
from wirt.model.presence import Presence
from wirt.network.bridge import BridgeNetwork

READY_SECONDS = 90.0


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A guest that could be started."""

    approach: Approach
    launch: Launch
    mark: str
    """Text that everything on the node carries that is of this guest."""
    network: BridgeNetwork | None = None
    """What its card is on, if there is room on it for another."""

    def start(self) -> Handle:
        handle = self.approach.start(self.launch)
        self.approach.wait_ready(self.launch.place, handle, READY_SECONDS)
        return handle

    def probe(self) -> Presence:
        return self.approach.probe(self.launch.place)

    def world(self) -> World:
        return snapshot_world(self.mark)


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A guest that runs."""

    prepared: Prepared
    handle: Handle

    def exec(
        self,
        *argv: str,
        stdin: str = "",
        environment: dict[str, str] | None = None,
        cpus: frozenset[int] | None = None,
    ) -> tuple[int, str, str]:
        """Return exit status, output and errors of a command in the guest."""
        with ExitStack() as stack:
            given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            given.write(stdin.encode())
            given.seek(0)
            status = self.prepared.approach.exec(
                self.prepared.launch.place,
                self.handle,
                list(argv),
                streams=Streams(stdin=given.fileno(), stdout=out.fileno(), stderr=err.fileno()),
                environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(environment or {})},
                cpus=cpus,
            )
            for file in (out, err):
                file.seek(0)
            return status, out.read().decode(), err.read().decode()


Prepare = Callable[[], AbstractContextManager[Prepared]]


class ApproachContract:
    """The questions; a subclass has a class-wide fixture ``prepare``, which prepares a guest when it is called."""

    @pytest.fixture(scope="class")
    @classmethod
    def started(cls, prepare: Prepare) -> Iterator[Started]:
        """Give a running guest for the questions that change nothing."""
        with prepare() as prepared:
            yield Started(prepared=prepared, handle=prepared.start())

    def test_capability_gives_its_reason(self, started: Started) -> None:
        capability = started.prepared.approach.probe_capability()

        assert capability.available
        assert capability.name == started.prepared.approach.name
        assert capability.reason

    def test_probe_of_a_running_guest_is_present(self, started: Started) -> None:
        assert started.prepared.probe() is Presence.PRESENT

    def test_exec_passes_output_and_errors_apart(self, started: Started) -> None:
        assert started.exec("sh", "-c", "echo out; echo err >&2") == (0, "out\n", "err\n")

    def test_exec_passes_the_exit_status(self, started: Started) -> None:
        assert started.exec("sh", "-c", "exit 7")[0] == 7

    def test_exec_of_a_killed_command_is_128_and_the_signal(self, started: Started) -> None:
        assert started.exec("sh", "-c", "kill -9 $$")[0] == 137

    def test_exec_of_an_unknown_command_is_127(self, started: Started) -> None:
        assert started.exec("no-such-command")[0] == 127

    def test_exec_passes_the_input(self, started: Started) -> None:
        assert started.exec("cat", stdin="a line\n" * 10_000)[1] == "a line\n" * 10_000

    def test_exec_passes_arguments_as_they_are(self, started: Started) -> None:
        arguments = ["", "a b", "$HOME", "'", "--", "-x", "*", "é"]

        said = started.exec("sh", "-c", 'for a; do echo "[$a]"; done', "sh", *arguments)[1]

        assert said == "".join(f"[{argument}]\n" for argument in arguments)

    def test_exec_gives_the_environment_and_nothing_else(
        self, started: Started, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WIRT_SECRET", "ours")

        said = started.exec("env", environment={"GIVEN": "a b"})[1].splitlines()

        assert "GIVEN=a b" in said
        assert not any("WIRT_SECRET" in line for line in said)

    def test_second_start_is_refused_and_the_first_runs_on(self, started: Started) -> None:
        with pytest.raises(Failed):
            started.prepared.approach.start(started.prepared.launch)

        assert started.prepared.probe() is Presence.PRESENT
        assert started.exec("true")[0] == 0

    def test_guest_stopped_is_absent_and_leaves_nothing(self, prepare: Prepare) -> None:
        with prepare() as prepared:
            before = prepared.world()
            handle = prepared.start()
            prepared.approach.stop(prepared.launch.place, handle, READY_SECONDS)

            assert prepared.probe() is Presence.ABSENT
            assert prepared.world().difference(before) == []

    def test_guest_killed_is_absent_leaves_nothing_and_can_be_killed_again(
        self, prepare: Prepare
    ) -> None:
        with prepare() as prepared:
            before = prepared.world()
            prepared.approach.kill(prepared.launch.place)
            absent_before = prepared.probe()
            prepared.approach.start(prepared.launch)
            for _ in range(2):
                prepared.approach.kill(prepared.launch.place)

            left = prepared.world().difference(before)

            assert absent_before is Presence.ABSENT
            assert prepared.probe() is Presence.ABSENT
            # The kernel may still be at taking a card away; the network waits for that when it detaches it.
            assert [line for line in left if not line.startswith("interfaces:")] == []

    def test_wait_ready_after_the_guest_has_ended_fails(self, prepare: Prepare) -> None:
        with prepare() as prepared:
            handle = prepared.approach.start(prepared.launch)
            prepared.approach.kill(prepared.launch.place)

            with pytest.raises(Failed):
                prepared.approach.wait_ready(prepared.launch.place, handle, 5.0)


@contextmanager
def ended(prepared: Prepared) -> Iterator[Prepared]:
    """End the guest when the block is left."""
    try:
        yield prepared
    finally:
        prepared.approach.kill(prepared.launch.place)


def all_cpus() -> frozenset[int]:
    """Return the processors that this test may use."""
    return frozenset(os.sched_getaffinity(0))
