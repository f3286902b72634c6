"""What is said to QEMU's monitor, against one that says what it is told to."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wirt.approaches.qemu.monitor import QMP_SOCKET, talking
from wirt.errors import Failed

GREETING = b'{"QMP": {}}\n'
READY = b'{"return": {}}\n'


@contextmanager
def saying(directory: Path, *lines: bytes) -> Iterator[list[bytes]]:
    """Play a monitor: it greets, and says one of ``lines`` after each line that it hears, which are given."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / QMP_SOCKET))
        listener.listen()

        def play() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as questions:
                connection.sendall(GREETING)
                for line in lines:
                    heard.append(questions.readline())
                    connection.sendall(line)

        thread = threading.Thread(target=play)
        thread.start()
        yield heard
        thread.join()


def test_events_between_question_and_answer_are_kept_for_who_waits(tmp_path: Path) -> None:
    answer = b'{"event": "STOP"}\n{"event": "MIGRATION"}\n{"return": {"status": "paused"}}\n'
    with saying(tmp_path, READY, answer) as heard, talking(str(tmp_path)) as monitor:
        said = monitor.execute("query-status")
        event = monitor.wait_for("MIGRATION", timeout=1)

    assert said == {"status": "paused"}
    assert event == {"event": "MIGRATION"}
    assert heard[1] == b'{"execute":"query-status"}\n'


def test_refusal_is_told_in_qemus_words(tmp_path: Path) -> None:
    refusal = b'{"error": {"class": "GenericError", "desc": "no such thing"}}\n'
    with (
        saying(tmp_path, READY, refusal),
        talking(str(tmp_path)) as monitor,
        pytest.raises(Failed) as caught,
    ):
        monitor.execute("query-status")

    assert str(caught.value) == "QEMU's monitor did not take query-status: no such thing"


def test_qemu_that_ends_does_not_answer(tmp_path: Path) -> None:
    with (
        saying(tmp_path, READY),
        talking(str(tmp_path)) as monitor,
        pytest.raises(Failed, match=r"^QEMU's monitor did not take cont: "),
    ):
        monitor.execute("cont")


def test_nobody_listening_is_said(tmp_path: Path) -> None:
    with pytest.raises(Failed) as caught, talking(str(tmp_path)):
        pass

    assert str(caught.value) == "QEMU does not listen at qmp.sock: No such file or directory"
