"""What processes hold, asked of the kernel about this one."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from wirt.host import processusage
from wirt.host.processusage import ProcessUsage

GONE = 2**22 + 1
"""No process has this number."""


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def measured() -> ProcessUsage:
    return processusage.measure([os.getpid(), GONE])


def open_often(path: str, times: int, held: ExitStack) -> None:
    """Open a file once, and have so many descriptors of it."""
    first = os.open(path, os.O_RDONLY)
    held.callback(os.close, first)
    for _ in range(times - 1):
        held.callback(os.close, os.dup(first))


def grown(before: ProcessUsage) -> tuple[int, int, int]:
    """Return how many more files, TCP sockets and others are open."""
    after = measured()
    return (
        (after.files or 0) - (before.files or 0),
        after.tcp_sockets - before.tcp_sockets,
        after.other_sockets - before.other_sockets,
    )


def test_file_is_one_however_often_it_is_duplicated_and_another_if_opened_again(
    held: ExitStack,
) -> None:
    before = measured()
    for _ in range(3):
        open_often("/etc/passwd", 5, held)

    assert grown(before) == (3, 0, 0)


def test_files_too_many_to_be_compared_count_each_and_leave_the_others_exact(
    held: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = measured()
    open_often("/etc/group", 2, held)
    open_often("/etc/passwd", 60, held)
    exact = grown(before)
    monkeypatch.setattr(processusage, "_MOST_COMPARED", 50)

    assert exact == (2, 0, 0)
    assert grown(before) == (61, 0, 0)


def test_sockets_are_told_apart_before_they_are_bound(held: ExitStack) -> None:
    before = measured()
    for family in (socket.AF_INET, socket.AF_INET6):
        held.enter_context(socket.socket(family, socket.SOCK_STREAM))
        held.enter_context(socket.socket(family, socket.SOCK_DGRAM))
    local = held.enter_context(socket.socket(socket.AF_UNIX))
    held.callback(os.close, os.dup(local.fileno()))

    assert grown(before) == (5, 2, 3)
