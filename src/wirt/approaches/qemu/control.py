"""QEMU's process and its monitor: started and asked."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wirt.approaches import ownkernel
from wirt.approaches.qemu import build
from wirt.errors import Failed
from wirt.host.run import ENVIRONMENT
from wirt.units import render_bytes

_ANSWER_SECONDS = 10.0
_BALLOON_SECONDS = 30.0
_LOOK_SECONDS = 0.05


def start(argv: list[str], identity: str, *, directory: str, log: str, entrances: list[str]) -> int:
    """Start QEMU in ``directory`` and return its process id once its machine exists.

    Raises:
        Failed: it ended before that; the message ends with QEMU's reason.
    """
    ownkernel.start_engine(
        argv,
        identity,
        lambda: _is_up(directory),
        what="QEMU",
        directory=directory,
        log=log,
        entrances=entrances,
        environment=dict(ENVIRONMENT),
    )
    with open(os.path.join(directory, build.PID_FILE)) as file:
        return int(file.read())


def _is_up(directory: str) -> bool:
    """Return whether QEMU answers on its monitor, which it does when the machine is complete.

    Its greeting alone comes sooner, when the machine may still turn out to be impossible.
    """
    try:
        with connect(directory, build.QMP_SOCKET) as connection, connection.makefile("rb") as lines:
            connection.settimeout(_ANSWER_SECONDS)
            lines.readline()
            connection.sendall(b'{"execute": "qmp_capabilities"}\n')
            return b'"return"' in lines.readline()
    except (FileNotFoundError, ConnectionError, TimeoutError):
        return False


def power_down(directory: str) -> None:
    """Press the machine's power button.

    Raises:
        Failed: QEMU did not take the command.
    """
    _execute(directory, "system_powerdown")


def pause(directory: str) -> None:
    """Let the machine's processors stand still, and write out what QEMU has not written of its disks; no error if they do.

    Raises:
        Failed: QEMU did not take the command.
    """
    _execute(directory, "stop")


def go_on(directory: str) -> None:
    """Let the machine's processors go on; no error if they do.

    Raises:
        Failed: QEMU did not take the command.
    """
    _execute(directory, "cont")


def is_paused(directory: str) -> bool:
    """Ask whether the machine's processors stand still.

    Raises:
        Failed: QEMU did not take the command.
    """
    return bool(_execute(directory, "query-status")["status"] == "paused")


def balloon(directory: str, memory: int) -> None:
    """Have the guest make do with ``memory`` bytes, and return when it does.

    Raises:
        Failed: the machine was not made with so much, QEMU did not take the command, or the guest did not give so much away
            in time; it goes on trying.
    """
    most: int = _execute(directory, "query-memory-size-summary")["base-memory"]
    if memory > most:
        raise Failed(
            f"the machine was started with {render_bytes(most)} of memory",
            hint="stop the guest to give it more",
        )
    _execute(directory, "balloon", {"value": memory})
    deadline = time.monotonic() + _BALLOON_SECONDS
    while (actual := int(_execute(directory, "query-balloon")["actual"])) != memory:
        if time.monotonic() > deadline:
            raise Failed(
                f"the guest still has {render_bytes(actual)} of memory",
                hint="it may need it: see free in the guest",
            )
        time.sleep(_LOOK_SECONDS)


def _execute(
    directory: str, command: str, arguments: dict[str, object] | None = None
) -> dict[str, Any]:
    """Give a command to QEMU's monitor and return its answer."""
    # Loaded only here: asyncio costs more than everything else that stopping a guest needs.
    from qemu.qmp import QMPClient, QMPError

    async def give(path: str) -> Any:
        client = QMPClient()
        await client.connect(path)
        try:
            return await client.execute(command, arguments)
        finally:
            await client.disconnect()

    try:
        with short_path(directory, build.QMP_SOCKET) as path:
            answer: dict[str, Any] = asyncio.run(asyncio.wait_for(give(path), _ANSWER_SECONDS))
    except (TimeoutError, QMPError, OSError) as error:
        raise Failed(f"QEMU's monitor did not take {command}: {error}") from error
    return answer


@contextmanager
def connect(directory: str, name: str) -> Iterator[socket.socket]:
    """Open a connection to one of QEMU's sockets for as long as the block runs."""
    with short_path(directory, name) as path, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        yield connection


@contextmanager
def short_path(directory: str, name: str) -> Iterator[str]:
    """Return a path to a socket that fits into the kernel's 107 bytes, however long the directory's is."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)
