"""How two processes of Wirt talk over a pair of pipes: a line of JSON for each question, and one for its answer.

An error of one side comes out as the same error on the other.

The side that asks sends an empty line now and then, whatever it is at: a machine that vanishes, or a cable that is pulled, is
noticed by the other side's own programs only after hours.
"""

import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import msgspec

from wirt.errors import Error, Failed
from wirt.host import files
from wirt.transport.base import LinkLost

BEAT_SECONDS = 10.0
SILENCE_SECONDS = 60.0
"""How long nothing may be heard of the side that asks before it is taken for dead."""


class _Question(msgspec.Struct, frozen=True):
    verb: str
    body: msgspec.Raw


class _Trouble(msgspec.Struct, frozen=True):
    kind: str
    message: str
    detail: str | None
    hint: str | None


class _Answer(msgspec.Struct, frozen=True):
    body: msgspec.Raw = msgspec.Raw(b"null")
    trouble: _Trouble | None = None


def serve(
    reader: IO[bytes],
    writer: IO[bytes],
    do: Callable[[str, bytes], bytes],
    *,
    patience: float = SILENCE_SECONDS,
) -> None:
    """Answer questions until there are no more, or nobody is heard any more.

    Args:
        reader: where they come from.
        writer: where the answers go.
        do: what is done for a verb and its question; returns the answer.
        patience: how many seconds nothing may be heard.
    """
    for line in _lines(reader, patience):
        question = msgspec.json.decode(line, type=_Question)
        try:
            with files.translated(question.verb):
                answer = _Answer(body=msgspec.Raw(do(question.verb, bytes(question.body))))
        except Error as error:
            kind = type(error).__name__
            answer = _Answer(trouble=_Trouble(kind, error.message, error.detail, error.hint))
        writer.write(msgspec.json.encode(answer) + b"\n")
        writer.flush()


def _lines(reader: IO[bytes], patience: float) -> Iterator[bytes]:
    """Give every line that says something."""
    heard = b""
    while select.select([reader], [], [], patience)[0]:
        # Past the reader's own buffer, of which select would not know.
        more = os.read(reader.fileno(), 1 << 16)
        if not more:
            return
        *lines, heard = (heard + more).split(b"\n")
        yield from filter(None, lines)


@contextmanager
def talking(
    node: str,
    reader: IO[bytes],
    writer: IO[bytes],
    why: Callable[[], str],
    *,
    every: float = BEAT_SECONDS,
) -> "Iterator[PipeSession]":
    """Give the side that asks, which lets itself be heard every so many seconds until the block ends; the rest is as there."""
    session = PipeSession(node, reader, writer, why)
    over = threading.Event()

    def beat() -> None:
        while not over.wait(every) and session.beat():
            pass

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield session
    finally:
        over.set()
        beating.join()


class PipeSession:
    """The side that asks.

    Args:
        node: what the other one is called.
        reader: where its answers come from.
        writer: where it reads.
        why: says what is known of why it does not answer.
    """

    def __init__(
        self, node: str, reader: IO[bytes], writer: IO[bytes], why: Callable[[], str]
    ) -> None:
        self._node = node
        self._reader = reader
        self._writer = writer
        self._why = why
        self._writing = threading.Lock()

    def beat(self) -> bool:
        """Let ourselves be heard; return whether there is anybody."""
        try:
            self._write(b"\n")
        except OSError:
            return False
        return True

    def ask(self, verb: str, question: bytes = b"null") -> bytes:
        """Ask, and return the answer.

        Raises:
            LinkLost: there is none.
            Error: what was raised over there.
        """
        try:
            self._write(msgspec.json.encode(_Question(verb, msgspec.Raw(question))) + b"\n")
            line = self._reader.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise self._lost()
        try:
            answer = msgspec.json.decode(line, type=_Answer)
        except msgspec.DecodeError as error:
            raise LinkLost(
                f"node {self._node} says what is no answer: {line[:60]!r}",
                hint="what its shell prints at the login must not go to standard output",
            ) from error
        if answer.trouble is not None:
            raise _rebuilt(answer.trouble)
        return bytes(answer.body)

    def _write(self, line: bytes) -> None:
        with self._writing:
            self._writer.write(line)
            self._writer.flush()

    def _lost(self) -> LinkLost:
        said = self._why().strip()
        last = said.splitlines()[-1] if said else "it gave no reason"
        return LinkLost(f"node {self._node} does not answer: {last}", detail=said or None)


def _rebuilt(trouble: _Trouble) -> Error:
    kind = next((one for one in _kinds(Error) if one.__name__ == trouble.kind), Failed)
    return kind(trouble.message, detail=trouble.detail, hint=trouble.hint)


def _kinds(kind: type[Error]) -> Iterator[type[Error]]:
    """Give the errors of ``errors``, which all are made in the same way."""
    if kind.__module__ == Error.__module__:
        yield kind
        for below in kind.__subclasses__():
            yield from _kinds(below)
