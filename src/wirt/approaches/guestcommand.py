"""Commands in guests with a kernel of their own, and files for them.

While a command runs in the guest nobody asks the agent whether it has ended: every question would take processor time
from what may be a measured workload. Instead the command's wrapper writes one line to a second serial line, which the
engine appends to a file on the node, and that file is watched. (The agent is still asked now and then, for the case that
the wrapper was killed.)
"""

import fcntl
import os
import secrets
import select
import shlex
import stat
import sys
import tarfile
import termios
import time
from typing import TypeGuard

import msgspec

from wirt.approaches.agent import Agent, Ended, GuestGone, request_size
from wirt.approaches.ownkernel import SIGNALS, open_agent, private_directory, read_log, watch
from wirt.errors import Failed, InvalidInput
from wirt.host.archive import owned_by_root
from wirt.host.run import Streams
from wirt.model.guest import Handle
from wirt.model.launch import Place
from wirt.units import MIB, render_bytes

MOST_INPUT = MIB
"""Bytes of standard input that a command may get; files are handed in otherwise."""

_LOCK_SECONDS = 60.0
_END_SECONDS = 5.0
_LOOK_SECONDS = 0.004
"""How often the node looks whether a command has signalled its end."""
_FIRST_INPUT_SECONDS = 0.2
"""How long to wait for a pipe's first byte: an idle pipe, as services and test runners give, is no input."""


_SHELLS = ("sh", "bash", "dash")

_KILL_CHILDREN = """\
for status in $(grep -ls "^PPid:[[:space:]]*$1$" /proc/[0-9]*/status); do
    child=${status#/proc/}
    kill "${child%/status}"
done
"""
"""The kernel's own list of children is not built into every kernel."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What distinguishes one engine's channel from another's."""

    signal_device: str
    """The second serial line as the guest sees it."""
    longest_request: int
    """Bytes that may be sent to the agent at once."""
    ask_seconds: float = 5.0
    """How often the agent is asked although nothing was signalled."""


def run_command(
    place: Place,
    handle: Handle,
    argv: list[str],
    *,
    line: Line,
    streams: Streams,
    environment: dict[str, str],
) -> int:
    """Run a command in the guest and return its exit status.

    Its input is read to the end before it starts (a terminal, or a pipe in which nothing comes, is no input), and its
    output is passed on when it has ended and nothing it started holds its output open any more.

    Raises:
        InvalidInput: there is more input than ``MOST_INPUT``, or it is a shell that would be typed into.
        Failed: the command could not be run at all, the guest ended, there was more output than the agent keeps, or input
            came only after the command had started, which it never saw.
    """
    _check_needs_no_terminal(argv, streams.stdin)
    stdin = _read_input(streams.stdin)
    try:
        ended = _run(place, handle, argv, line=line, environment=environment, stdin=stdin)
    except GuestGone as error:
        reason, tail = read_log(place)
        raise Failed(
            f"the guest ended while it ran {argv[0]}: {reason}",
            detail=tail,
            hint=f"see {place.log}",
        ) from error
    if ended.truncated:
        raise Failed(
            f"{argv[0]} wrote more than the 16 MiB that the guest's agent keeps",
            hint="let it write to a file in the guest",
        )
    _write_all(streams.stdout, ended.stdout)
    _write_all(streams.stderr, ended.stderr)
    if not stdin and _has_waiting_input(streams.stdin):
        raise Failed(
            f"{argv[0]} ran without the input that came after its start",
            hint="put the input into a file and pass that: wirt exec ... <FILE",
        )
    return ended.status


def write_tar(source: str, target: str, archive: tarfile.TarFile) -> None:
    """Put a file, or what a directory holds, into an archive that is to be unpacked at ``tar_directory(...)``."""
    name = "." if os.path.isdir(source) else os.path.basename(target)
    archive.add(source, arcname=name, filter=owned_by_root)


def tar_directory(source: str, target: str) -> str:
    """Return the guest's directory in which the archive of ``write_tar`` is to be unpacked."""
    return target if os.path.isdir(source) else os.path.dirname(target) or "/"


def _run(
    place: Place,
    handle: Handle,
    argv: list[str],
    *,
    line: Line,
    environment: dict[str, str],
    stdin: bytes,
) -> Ended:
    token = secrets.token_hex(6)
    path = os.path.join(private_directory(place), SIGNALS)
    try:
        signals = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise GuestGone("the guest ended") from None
    try:
        seen = os.fstat(signals).st_size
        with open_agent(place, handle, _LOCK_SECONDS) as agent:
            pid = _start(agent, argv, token, line=line, environment=environment, stdin=stdin)
        try:
            while True:
                _await_signal(signals, seen, token, handle, seconds=line.ask_seconds)
                ended = _collect(place, handle, pid)
                if ended is not None:
                    return ended
        except KeyboardInterrupt:
            _end_command(place, handle, pid)
            raise
    finally:
        os.close(signals)


def _start(
    agent: Agent,
    argv: list[str],
    token: str,
    *,
    line: Line,
    environment: dict[str, str],
    stdin: bytes,
) -> int:
    signal = f'{{ echo "{token}" >{line.signal_device}; }} 2>/dev/null'
    short = ["/bin/sh", "-c", f'"$@"; s=$?; {signal}; exit $s', "sh", *argv]
    if request_size(short, environment, stdin) <= line.longest_request:
        return agent.start_command(short, environment=environment, stdin=stdin)
    # Too long for the line: the same as a script, handed over in pieces, that removes itself.
    path = f"/run/wirt-{token}"
    chunk = line.longest_request // 2
    script = build_script(argv, environment, path=path, signal=signal)
    agent.write_file(f"{path}.stdin", stdin, chunk=chunk)
    agent.write_file(f"{path}.sh", script.encode(), chunk=chunk)
    return agent.start_command(["/bin/sh", f"{path}.sh"], environment={})


def build_script(argv: list[str], environment: dict[str, str], *, path: str, signal: str) -> str:
    """Return a shell script that runs a command with exactly this environment and input ``path``.stdin."""
    exports = [f"export {key}={shlex.quote(value)}" for key, value in environment.items()]
    lines = [
        f"exec <{path}.stdin",
        f"/bin/rm -f {path}.stdin {path}.sh",
        *exports,
        shlex.join(argv),
        "s=$?",
        signal,
        "exit $s",
    ]
    return "\n".join(lines) + "\n"


def _await_signal(signals: int, start: int, token: str, handle: Handle, *, seconds: float) -> None:
    """Return when the command's wrapper has said that it ends, or after a while, or when the guest has ended."""
    deadline = time.monotonic() + seconds
    died = watch(handle)
    try:
        while time.monotonic() < deadline:
            size = os.fstat(signals).st_size
            if token.encode() in os.pread(signals, size - start, start):
                return
            if select.select([died], [], [], _LOOK_SECONDS)[0]:
                raise GuestGone("the guest ended")
    finally:
        os.close(died)


def _collect(place: Place, handle: Handle, pid: int) -> Ended | None:
    """Ask the agent for a command that ought to have ended: the agent sees it a moment after the signal."""
    with open_agent(place, handle, _LOCK_SECONDS) as agent:
        for attempt in range(10):
            ended = agent.take_result(pid)
            if ended is not None:
                return ended
            time.sleep(0.002 * (attempt + 1))
    return None


def _end_command(place: Place, handle: Handle, pid: int) -> None:
    """End what the wrapper runs, and return when it has been signalled; the wrapper then ends by itself."""
    deadline = time.monotonic() + _END_SECONDS
    with open_agent(place, handle, _END_SECONDS) as agent:
        killer = agent.start_command(
            ["/bin/sh", "-c", _KILL_CHILDREN, "sh", str(pid)], environment={}
        )
        while agent.take_result(killer) is None and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)


def _check_needs_no_terminal(argv: list[str], descriptor: int | None) -> None:
    """Refuse a shell that a person wants to type into: it would end at once and say nothing."""
    name = os.path.basename(argv[0])
    if len(argv) == 1 and name in _SHELLS and descriptor is not None and os.isatty(descriptor):
        raise InvalidInput(
            f"a guest with its own kernel has no terminal for {name}",
            hint=f"give it a command: {name} -c '...', or log in over the network with ssh",
        )


def _is_stream(descriptor: int | None) -> TypeGuard[int]:
    """Return whether input can come from there: of a file or a pipe, but not of a terminal or another device."""
    if descriptor is None:
        return False
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _has_waiting_input(descriptor: int | None) -> bool:
    """Return whether bytes wait in a pipe, which nobody has read."""
    if not _is_stream(descriptor) or stat.S_ISREG(os.fstat(descriptor).st_mode):
        return False
    count = fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4)
    return int.from_bytes(count, sys.byteorder) > 0


def _read_input(descriptor: int | None) -> bytes:
    """Return all input there is."""
    if not _is_stream(descriptor):
        return b""
    if not select.select([descriptor], [], [], _FIRST_INPUT_SECONDS)[0]:
        return b""
    content = bytearray()
    while piece := os.read(descriptor, MIB):
        content += piece
        if len(content) > MOST_INPUT:
            raise InvalidInput(
                f"a guest with its own kernel takes at most {render_bytes(MOST_INPUT)} of input",
                hint="give it in pieces, or fetch it from within the guest over the network",
            )
    return bytes(content)


def _write_all(descriptor: int | None, content: bytes) -> None:
    rest = memoryview(content)
    while descriptor is not None and rest:
        rest = rest[os.write(descriptor, rest) :]
