"""A server whose memory grows goes from node to node and back, over one connection: what it held is what it holds."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.guest.test_checkpoints import PORT, begin, counts
from tests.guest.test_migrations import Road, road

from wirt.model.migration import Mode

__all__ = ["counts", "road"]

CLIENT = """
import socket, sys, time
ends = time.monotonic() + 60
while True:
    try:
        talk = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=120)
        break
    except ConnectionRefusedError:
        if time.monotonic() > ends:
            raise
        time.sleep(0.1)
with talk.makefile("rwb", buffering=0) as lines:
    for line in sys.stdin:
        lines.write(line.encode())
        print(lines.readline().decode(), end="", flush=True)
"""
"""Says over one connection what it is told to, and what was answered."""


class Talk:
    """A connection to the server of ``counts.c``."""

    def __init__(self, talking: "subprocess.Popen[str]") -> None:
        self._talking = talking

    def say(self, line: str) -> str:
        """Return what is answered."""
        assert self._talking.stdin is not None
        assert self._talking.stdout is not None
        self._talking.stdin.write(f"{line}\n")
        self._talking.stdin.flush()
        return self._talking.stdout.readline()


@contextmanager
def talking(road: Road, address: str) -> Iterator[Talk]:
    with subprocess.Popen(
        road.enter(sys.executable, "-c", CLIENT, address, str(PORT)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        try:
            yield Talk(client)
        finally:
            client.kill()


@pytest.mark.parametrize(
    "sizes", [(18,), pytest.param((18, 64, 256, 1024), marks=pytest.mark.long)], ids=str
)
def test_server_that_grows_goes_again_and_again_with_all_that_it_holds(
    road: Road, counts: Path, sizes: tuple[int, ...]
) -> None:
    """Sizes are MiB that it holds when it goes."""
    road.here.wirt("create", "web", "--memory", "2G", status=0)
    road.here.wirt("start", "web", status=0)
    road.here.wirt("copy", str(counts), "web:/counts", status=0)
    begin(road.here, "/counts", str(PORT), "1")
    address = next(one.address for one in road.here.guests() if one.name == "web")
    held, said, gone = 1, [], []
    with talking(road, address) as talk:
        for size in sizes:
            said.append(talk.say(f"+{size - held}"))
            held = size
            gone.append(road.go("web"))
            said.append(talk.say("?"))
            print(size, gone[-1].downtime_seconds, gone[-1].unseen_seconds, flush=True)

    assert said == [f"{number} whole\n" for number in range(1, 2 * len(sizes) + 1)]
    assert [one.mode for one in gone] == [Mode.LIVE] * len(sizes)
    for size, one in zip(sizes, gone, strict=True):
        assert sum(one.memory_ahead) + (one.memory_at_last or 0) > size << 20
