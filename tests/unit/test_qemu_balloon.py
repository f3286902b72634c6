"""What is asked of the balloon of a guest that has no driver of it, and of one that gives memory away slowly."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wirt.approaches.qemu import control
from wirt.approaches.qemu.machine import ODD
from wirt.approaches.qemu.monitor import QMP_SOCKET
from wirt.errors import Failed
from wirt.units import MIB


@contextmanager
def machine_that_has(directory: Path, *actual: int) -> Iterator[None]:
    """Play the monitor of a machine started with 256 MiB, which says of its balloon one of ``actual`` after another."""
    said = iter(actual)

    def answer(command: str) -> object:
        if command == "query-memory-size-summary":
            return {"base-memory": 256 * MIB}
        return {"actual": next(said, actual[-1])} if command == "query-balloon" else {}

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / QMP_SOCKET))
        listener.listen()

        def play() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return  # nobody asks any more
                with connection, connection.makefile("rb") as questions:
                    connection.sendall(b'{"QMP": {}}\n')
                    for line in questions:
                        told = {"return": answer(json.loads(line)["execute"])}
                        connection.sendall(json.dumps(told).encode() + b"\n")

        thread = threading.Thread(target=play)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_guest_that_gives_nothing_away_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "STILL_SECONDS", 0.2)
    with machine_that_has(tmp_path, 256 * MIB), pytest.raises(Failed) as caught:
        control.balloon(str(tmp_path), 128 * MIB)

    assert str(caught.value) == (
        "the guest still has 256 MiB of memory; it may need it (see free in the guest), or its kernel "
        "knows no virtio balloon"
    )


def test_guest_that_gives_memory_away_slowly_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "STILL_SECONDS", 1.0)
    steps = [
        size * MIB for size in range(256, 127, -4)
    ]  # more than a second of them, by twentieths
    with machine_that_has(tmp_path, *steps):
        control.balloon(str(tmp_path), 128 * MIB)


def test_guest_without_a_balloon_that_is_to_have_all_of_its_memory_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "STILL_SECONDS", 0.2)
    with machine_that_has(tmp_path, 256 * MIB + ODD):
        control.balloon(str(tmp_path), 256 * MIB)
