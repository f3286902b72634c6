"""The guest agent's protocol, spoken with answers that were written before they were asked for."""

import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.fake_agent import FakeAgent

from wirt.approaches.agent import Agent, Ended, GuestGone, request_size
from wirt.errors import Failed, TimedOut

SHORT = 0.05
LONG = 10.0


class Wire:
    """Both ends of a line, and a guest that can die."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self._died, self._alive = os.pipe()
        self.agent = Agent(self.ours.fileno(), self.ours.fileno(), died=self._died)

    def say(self, *lines: bytes) -> None:
        self.theirs.sendall(b"".join(line + b"\n" for line in lines))

    def end_guest(self) -> None:
        os.close(self._alive)
        self._alive = -1

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()
        os.close(self._died)
        if self._alive >= 0:
            os.close(self._alive)


@pytest.fixture
def wire() -> Iterator[Wire]:
    line = Wire()
    yield line
    line.close()


@pytest.fixture
def fake(wire: Wire) -> Iterator[FakeAgent]:
    with FakeAgent(wire.theirs.fileno(), wire.theirs.fileno()).serving() as agent:
        yield agent


def test_synchronise_with_an_agent_that_listens_returns(wire: Wire, fake: FakeAgent) -> None:
    wire.agent.synchronise(LONG)

    assert fake.asked == ["guest-sync-delimited"]


def test_synchronise_drops_what_was_said_to_an_earlier_conversation(
    wire: Wire, fake: FakeAgent
) -> None:
    wire.say(
        b'{"return": {"pid": 7}}',
        b'\xff{"return": 42}',
        b'{"return": {"exited": tr',
        b'{"error": {"class": "GenericError", "desc": "JSON parse error"}}',
        b"\xff\xfe\x00 no JSON at all",
    )

    wire.agent.synchronise(LONG)

    assert wire.agent.call("guest-ping") == {}


@pytest.mark.parametrize("requests", [1, 2])
def test_synchronise_with_an_agent_that_missed_a_request_wakes_it_and_drops_what_it_says_too_often(
    wire: Wire, requests: int
) -> None:
    theirs = wire.theirs.fileno()
    with FakeAgent(theirs, theirs, sleeps_through=requests).serving():
        wire.agent.synchronise(LONG)

        assert wire.agent.call("guest-ping") == {}


def test_synchronise_with_silence_times_out(wire: Wire) -> None:
    with pytest.raises(TimedOut, match="did not answer in time"):
        wire.agent.synchronise(SHORT)


def test_synchronise_with_a_guest_that_ended_says_so_at_once(wire: Wire) -> None:
    wire.end_guest()

    with pytest.raises(GuestGone):
        wire.agent.synchronise(LONG)


def test_call_to_a_closed_line_says_that_the_guest_ended(wire: Wire) -> None:
    wire.theirs.shutdown(socket.SHUT_WR)

    with pytest.raises(GuestGone):
        wire.agent.call("guest-ping", timeout=LONG)


def test_call_reads_what_was_answered_before_the_guest_ended(wire: Wire) -> None:
    wire.say(b'{"return": {}}')
    wire.end_guest()

    assert wire.agent.call("guest-ping", timeout=LONG) == {}


def test_call_that_is_refused_gives_the_agents_reason(wire: Wire, fake: FakeAgent) -> None:
    with pytest.raises(Failed) as caught:
        wire.agent.call("guest-fly")

    assert caught.value.message == "the guest's agent refused guest-fly: unknown"


@pytest.mark.parametrize("said", [b'{"return": {"exi', b"[1]", b"\xff\xff", b'{"error": 1}'])
def test_call_with_no_answer_shows_what_was_said(wire: Wire, said: bytes) -> None:
    wire.say(said)

    with pytest.raises(Failed) as caught:
        wire.agent.call("guest-ping")

    assert caught.value.message == "the guest's agent gave no answer to guest-ping"
    assert caught.value.detail == said.decode(errors="replace")


def test_answers_in_pieces_and_in_one_piece_are_kept_apart(wire: Wire) -> None:
    wire.say(b'{"return": 1}', b'{"return": 2}')

    assert [wire.agent.call("guest-ping") for _ in range(2)] == [1, 2]


def test_answer_longer_than_a_line_buffer_comes_whole(wire: Wire, fake: FakeAgent) -> None:
    pid = wire.agent.start_command(
        ["/bin/sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x"], environment=PATH
    )

    ended = result(wire.agent, pid)

    assert ended.stdout == b"x" * 1_000_000


PATH = {"PATH": "/usr/bin:/bin"}


def result(agent: Agent, pid: int) -> Ended:
    while True:
        ended = agent.take_result(pid)
        if ended is not None:
            return ended


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -9 $$", 137), (":", 0)])
def test_result_of_a_command_has_its_status(
    wire: Wire, fake: FakeAgent, script: str, status: int
) -> None:
    pid = wire.agent.start_command(["/bin/sh", "-c", script], environment=PATH)

    assert result(wire.agent, pid).status == status


def test_result_of_a_command_that_runs_is_none(wire: Wire, fake: FakeAgent) -> None:
    pid = wire.agent.start_command(["/bin/sh", "-c", "read line"], environment=PATH)
    running = wire.agent.start_command(["/bin/sleep", "30"], environment=PATH)

    still = wire.agent.take_result(running)
    fake.processes[running].kill()

    assert still is None
    assert result(wire.agent, running).status == 137
    assert result(wire.agent, pid).status == 1


def test_command_gets_its_input_and_its_environment_alone(wire: Wire, fake: FakeAgent) -> None:
    argv = ["/bin/sh", "-c", 'cat; echo "$A"; echo "${HOME-none}"']

    pid = wire.agent.start_command(argv, environment={**PATH, "A": "é ="}, stdin=b"in\n")

    assert result(wire.agent, pid).stdout.decode() == "in\né =\nnone\n"


def test_write_file_goes_in_pieces_no_longer_than_asked(
    wire: Wire, fake: FakeAgent, tmp_path: Any
) -> None:
    content = bytes(range(256)) * 20

    wire.agent.write_file(f"{tmp_path}/file", content, chunk=1000)

    assert (tmp_path / "file").read_bytes() == content
    assert fake.asked.count("guest-file-write") == 6
    assert fake.longest < 1500


def test_request_size_is_what_goes_over_the_line(wire: Wire, fake: FakeAgent) -> None:
    argv = ["/bin/true", "a" * 100, "é"]

    wire.agent.start_command(argv, environment=PATH, stdin=b"x" * 10)

    assert fake.longest == request_size(argv, PATH, b"x" * 10)


def test_shut_down_waits_for_no_answer(wire: Wire) -> None:
    wire.agent.shut_down()

    assert json.loads(wire.theirs.recv(4096)) == {
        "execute": "guest-shutdown",
        "arguments": {"mode": "powerdown"},
    }
