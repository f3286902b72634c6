"""A terminal joined with a console: what is shown, what is typed, and how it ends."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from wirt.host import attach


class Viewer:
    """Somebody who looks at the console whose log is ``log``, in a thread of their own."""

    def __init__(self, log: Path, stack: ExitStack) -> None:
        def pipe() -> tuple[int, int]:
            ends = os.pipe2(os.O_CLOEXEC)
            for end in ends:
                stack.callback(os.close, end)
            return ends

        self.log = log
        self._log = os.open(log, os.O_RDONLY)
        stack.callback(os.close, self._log)
        self._keyboard, self.keys = pipe()
        self.screen, self._screen = pipe()
        self._died, self.life = pipe()
        self.console, self._console = pipe()
        os.set_blocking(self._console, False)
        self.has_left: bool | None = None
        self._thread: threading.Thread | None = None

    def look(self, begin: int = 0, *, types: bool = True) -> None:
        """Begin to look."""

        def run() -> None:
            self.has_left = attach.join(
                self._log,
                begin,
                self._died,
                console=self._console if types else None,
                keyboard=self._keyboard,
                screen=self._screen,
            )

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def say(self, text: bytes) -> None:
        """Have the machine say something."""
        with self.log.open("ab") as log:
            log.write(text)

    def seen(self, size: int) -> bytes:
        """Wait until this many bytes were shown, and return them."""
        found = b""
        while len(found) < size:
            found += os.read(self.screen, size - len(found))
        return found

    def type(self, text: bytes) -> None:
        os.write(self.keys, text)

    def end(self) -> bool | None:
        """Wait until they look no more, and return whether they left."""
        assert self._thread is not None
        self._thread.join(10)
        return self.has_left


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[Viewer]:
    (tmp_path / "log").write_bytes(b"early\n")
    with ExitStack() as stack:
        yield Viewer(tmp_path / "log", stack)


def test_what_was_said_before_and_what_is_said_now_is_shown(viewer: Viewer) -> None:
    viewer.look()
    early = viewer.seen(6)
    viewer.say(b"later\x1b[H")
    later = viewer.seen(8)
    viewer.type(attach.ESCAPE)

    assert (early, later) == (b"early\n", b"later\x1b[H")
    assert viewer.end() is True


def test_what_is_typed_before_the_escape_reaches_the_console_and_nothing_after_it(
    viewer: Viewer,
) -> None:
    viewer.look()
    viewer.type(b"root\r" + attach.ESCAPE + b"never")

    assert viewer.end() is True
    assert os.read(viewer.console, 100) == b"root\r"


def test_long_paste_arrives_whole(viewer: Viewer) -> None:
    text = bytes(range(0x20, 0x7F)) * 30
    viewer.look()
    viewer.type(text)
    found = b""
    while len(found) < len(text):
        found += os.read(viewer.console, len(text))
    viewer.type(attach.ESCAPE)

    assert found == text
    assert viewer.end() is True


def test_console_that_nobody_reads_holds_nobody_up(viewer: Viewer) -> None:
    try:
        while True:
            os.write(viewer._console, b"x" * 4096)
    except BlockingIOError:
        pass
    viewer.look()
    viewer.type(b"lost" + attach.ESCAPE)

    assert viewer.end() is True


def test_end_of_the_keyboard_is_leaving(viewer: Viewer) -> None:
    viewer.look()
    os.dup2(viewer._died, viewer.keys)  # closes the only writing end

    assert viewer.end() is True


def test_last_words_of_a_machine_that_ends_are_shown(viewer: Viewer) -> None:
    viewer.look()
    viewer.seen(6)
    viewer.say(b"Power down\n")
    os.write(viewer.life, b"x")

    assert viewer.end() is False
    assert viewer.seen(11) == b"Power down\n"


def test_who_only_reads_types_nothing(viewer: Viewer) -> None:
    viewer.type(b"ignored")
    viewer.look(types=False)
    viewer.seen(6)
    os.write(viewer.life, b"x")

    assert viewer.end() is False
    assert os.read(viewer._keyboard, 100) == b"ignored"


def test_log_that_was_emptied_is_shown_from_its_beginning(viewer: Viewer) -> None:
    viewer.look()
    viewer.seen(6)
    viewer.log.write_bytes(b"new\n")
    again = viewer.seen(4)
    viewer.type(attach.ESCAPE)

    assert again == b"new\n"
    assert viewer.end() is True


@pytest.mark.parametrize(
    ("content", "most", "begin"),
    [(b"", 10, 0), (b"one\ntwo\n", 10, 0), (b"one\ntwo\nthree\n", 10, 8), (b"x" * 20, 10, 10)],
)
def test_last_lines_begin_after_a_line_end(
    tmp_path: Path, content: bytes, most: int, begin: int
) -> None:
    (tmp_path / "log").write_bytes(content)
    with (tmp_path / "log").open("rb") as log:
        assert attach.find_last_lines(log.fileno(), most) == begin
