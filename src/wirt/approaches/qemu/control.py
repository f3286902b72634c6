"""QEMU's process and its monitor: started and asked."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from wirt.approaches import ownkernel
from wirt.approaches.qemu import build
from wirt.errors import Failed
from wirt.host.run import ENVIRONMENT

_ANSWER_SECONDS = 10.0


def start(argv: list[str], identity: str, *, directory: str, log: str) -> int:
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
    # Loaded only here: asyncio costs more than everything else that stopping a guest needs.
    from qemu.qmp import QMPClient, QMPError

    async def press(path: str) -> None:
        client = QMPClient()
        await client.connect(path)
        try:
            await client.execute("system_powerdown")
        finally:
            await client.disconnect()

    with short_path(directory, build.QMP_SOCKET) as path:
        try:
            asyncio.run(asyncio.wait_for(press(path), _ANSWER_SECONDS))
        except (TimeoutError, QMPError, OSError) as error:
            raise Failed(f"QEMU's monitor did not take system_powerdown: {error}") from error


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
