"""Pipes between a guest's command and what it shall not hold: a thread passes on what goes through.

A descriptor of a file is the file: whoever has it can empty it, take O_APPEND off and write over what others have written, seek back
and read what was not meant for it, and go on with all that when the command it was given to has long ended. A pipe can only be
written to or read from, and is broken for whoever still holds it when the command has ended.
"""

import fcntl
import os
import select
import stat
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from wirt.host import files
from wirt.host.run import Streams

if TYPE_CHECKING:
    from typing import TypeGuard

_CHUNK = 65536


@contextmanager
def apart(streams: Streams) -> Iterator[Streams]:
    """Give descriptors for a command of a guest in the place of those that are files of the node's.

    Terminals and other character devices, pipes and sockets are handed on as they are. Output and errors that go to one file go
    through one pipe, and so stay in order.

    Raises:
        OutOfSpace, NotPermitted, Failed: at the end; the command's input could not be read or its output not be written.
    """
    stdin, stdout, stderr = streams.stdin, streams.stdout, streams.stderr
    with ExitStack() as pumps:
        if _is_file(streams.stdin):
            pumps.enter_context(files.translated("read the input of the command"))
            stdin = pumps.enter_context(feeding(streams.stdin))
        if _is_file(streams.stdout):
            pumps.enter_context(files.translated("write the output of the command"))
            stdout = pumps.enter_context(draining(into(streams.stdout)))
        if _is_file(streams.stderr):
            if _is_file(streams.stdout) and os.path.sameopenfile(streams.stdout, streams.stderr):
                stderr = stdout
            else:
                pumps.enter_context(files.translated("write the errors of the command"))
                stderr = pumps.enter_context(draining(into(streams.stderr)))
        yield Streams(stdin=stdin, stdout=stdout, stderr=stderr)


def _is_file(descriptor: int | None) -> "TypeGuard[int]":
    """Return whether a descriptor is of a file, a disk or a directory."""
    if descriptor is None:
        return False
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        # Closed; the command finds it so too.
        return False
    return not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


@contextmanager
def draining(take: Callable[[bytes], bool]) -> Iterator[int]:
    """Give a descriptor to write to, and hand on what is written until the block ends, without waiting for who else holds it.

    Args:
        take: is given it piece by piece; returns whether it wants more. If not, the pipe breaks for who goes on writing.

    Raises:
        OSError: at the end; of ``take``.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    def work(over: int) -> None:
        try:
            for part in _parts(reader, over):
                if not take(part):
                    break
        finally:
            os.close(reader)

    with _beside(work):
        try:
            yield writer
        finally:
            os.close(writer)


@contextmanager
def feeding(source: int) -> Iterator[int]:
    """Give a descriptor to read from what comes from another one, until the block ends.

    What was not read by then is given back, if the source is one in which that can be.

    Raises:
        OSError: at the end; the source could not be read.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    taken, rest = 0, b""

    def work(over: int) -> None:
        nonlocal taken, rest
        try:
            while not _is_over(source, select.POLLIN, over):
                if not (rest := os.read(source, _CHUNK)):
                    break
                taken += len(rest)
                while rest and not _is_over(writer, select.POLLOUT, over):
                    with suppress(BlockingIOError):
                        rest = rest[os.write(writer, rest) :]
        finally:
            os.close(writer)

    try:
        with _beside(work):
            yield reader
    finally:
        # A guest may have written to its own input; what was before this command is not read again for that.
        back = min(taken, len(rest) + _held(reader))
        os.close(reader)
        with suppress(OSError):
            os.lseek(source, -back, os.SEEK_CUR)


@contextmanager
def _beside(work: Callable[[int], None]) -> Iterator[None]:
    """Do something in a thread until the block has ended, of which it is told by a descriptor that can be read then."""
    # Loaded here: most commands have no use for it.
    import threading

    failed: list[OSError] = []
    over = os.eventfd(0, os.EFD_CLOEXEC)

    def run() -> None:
        try:
            work(over)
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        os.eventfd_write(over, 1)
        thread.join()
        os.close(over)
    if failed:
        raise failed[0]


def into(target: int) -> Callable[[bytes], bool]:
    """Return what takes pieces by writing them to a descriptor, for as long as somebody reads there."""

    def write(part: bytes) -> bool:
        left = memoryview(part)
        try:
            while left:
                left = left[os.write(target, left) :]
        except BrokenPipeError:
            return False
        return True

    return write


def _parts(reader: int, over: int) -> Iterator[bytes]:
    """Give what is written to a pipe until that is over, and what is in it by then: not what a process left behind goes on writing."""
    while not _is_over(reader, select.POLLIN, over):
        # A guest may read its own output back.
        with suppress(BlockingIOError):
            if not (part := os.read(reader, _CHUNK)):
                return
            yield part
    left = _held(reader)
    with suppress(BlockingIOError):
        while left and (part := os.read(reader, left)):
            left -= len(part)
            yield part


def _is_over(descriptor: int, event: int, over: int) -> bool:
    """Wait until something can be read or written, or it is over, and return whether that is so."""
    poll = select.poll()
    poll.register(descriptor, event)
    poll.register(over, select.POLLIN)
    return any(ready == over for ready, _ in poll.poll())


def _held(pipe: int) -> int:
    """Return how many bytes are in a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
