"""The one place that runs programs.

``run`` is for programs of the node whose output matters to Wirt; ``attach`` is for a person's command, with the
streams passed through. Neither uses a shell, and a missing program or a failure comes back as one of Wirt's errors.
"""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import msgspec

from wirt.errors import Failed, TimedOut, Unsupported
from wirt.host import process

if TYPE_CHECKING:
    import subprocess

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
}
"""What programs of the node get: their messages in English, their path complete."""
WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
"""Put before a program that must not outlive us."""


_KEEPER = """\
read -r over && exit
end() { for child in $(cat /proc/"$1"/task/*/children); do end "$child"; done; kill "$1"; }
end "$0"
"""
"""For a shell: waits until it is told that a process is over, and asks it and all that it has started to end if nobody can tell any more."""


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """What a program left behind."""

    status: int
    """Exit status; 128 + signal if it was killed, as a shell says it."""
    stdout: str
    stderr: str


class Streams(msgspec.Struct, frozen=True, kw_only=True):
    """Descriptors of a command's input and output; None is the null device."""

    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None


STANDARD = Streams(stdin=0, stdout=1, stderr=2)
SILENT = Streams()


def find_program(name: str) -> str | None:
    """Return the path of a program of the node, or None."""
    for directory in ENVIRONMENT["PATH"].split(":"):
        path = os.path.join(directory, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def exit_status(code: int) -> int:
    """Return a ``Popen`` return code as a shell says it: 128 + signal for a killed process."""
    return 128 - code if code < 0 else code


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
    directory: str | None = None,
) -> Completed:
    """Run a program to its end and return what it said, whatever its exit status.

    Raises:
        Unsupported: the program is not installed.
        TimedOut: it did not end within ``timeout`` seconds and was killed.
    """
    # Loaded here and below: many commands run no program at all.
    import subprocess

    try:
        done = subprocess.run(
            argv,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env={**ENVIRONMENT, **(environment or {})},
            cwd=directory,
            check=False,
            # Ctrl-C on a terminal is for us: what we need to tidy up must not die of it too.
            process_group=0,
        )
    except FileNotFoundError:
        raise _missing(argv[0]) from None
    except subprocess.TimeoutExpired:
        raise TimedOut(f"{os.path.basename(argv[0])} did not end within {timeout:g} s") from None
    return Completed(status=exit_status(done.returncode), stdout=done.stdout, stderr=done.stderr)


def check(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
    directory: str | None = None,
) -> str:
    """Run a program that must succeed and return its standard output.

    Raises:
        Failed: it ended with another status than 0; the detail is what it said.
        Unsupported, TimedOut: as ``run``.
    """
    done = run(argv, stdin=stdin, timeout=timeout, environment=environment, directory=directory)
    if done.status != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        last = said[-1] if said else f"exit status {done.status}"
        raise Failed(f"{os.path.basename(argv[0])} failed: {last}", detail="\n".join(said[-30:]))
    return done.stdout


def attach(
    argv: Sequence[str],
    *,
    streams: Streams,
    environment: Mapping[str, str],
    cpus: frozenset[int] | None = None,
    new_session: bool = False,
) -> int:
    """Run a program on the given descriptors and return its exit status; in a session of its own if it is to be.

    If we are interrupted, the program and all that it has started are asked to end and waited for: nothing outlives us. If we
    are killed, another process asks them.

    Raises:
        Unsupported: the program is not installed.
    """
    started = spawn(
        argv, streams=streams, environment=environment, cpus=cpus, new_session=new_session
    )
    keeper = None
    try:
        keeper = _keep(started.pid)
        return exit_status(started.wait())
    except KeyboardInterrupt:
        # An engine's program passes no signal on to what it runs in a guest.
        for pid in [*process.list_descendants(started.pid), started.pid]:
            process.end(pid, signal.SIGTERM)
        started.wait()
        raise
    finally:
        if keeper is not None:
            keeper.communicate(b"\n")


def _keep(pid: int) -> "subprocess.Popen[bytes]":
    """Have a program and all that it starts asked to end if we are not there any more to say that it is over."""
    import subprocess

    return subprocess.Popen(
        ["sh", "-c", _KEEPER, str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(ENVIRONMENT),
        # What ends us by our group or our terminal does not end it.
        start_new_session=True,
    )


def spawn(
    argv: Sequence[str],
    *,
    streams: Streams = SILENT,
    environment: Mapping[str, str] = ENVIRONMENT,
    cpus: frozenset[int] | None = None,
    new_session: bool = False,
    keep: Sequence[int] = (),
    directory: str | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a program and return at once; the caller waits for it.

    Args:
        argv: the program and its arguments.
        streams: its input and output.
        environment: its whole environment.
        cpus: processors it is bound to from its first instruction; None for all.
        new_session: True for a process that goes on when this command ends.
        keep: descriptors that it inherits.
        directory: where it is started; None: where we are.

    Raises:
        Unsupported: the program is not installed.
    """
    import subprocess

    bound = ["taskset", "--cpu-list", ",".join(map(str, sorted(cpus)))] if cpus else []
    try:
        return subprocess.Popen(
            [*bound, *argv],
            stdin=subprocess.DEVNULL if streams.stdin is None else streams.stdin,
            stdout=subprocess.DEVNULL if streams.stdout is None else streams.stdout,
            stderr=subprocess.DEVNULL if streams.stderr is None else streams.stderr,
            env=dict(environment),
            start_new_session=new_session,
            pass_fds=keep,
            cwd=directory,
        )
    except FileNotFoundError:
        raise _missing(argv[0]) from None


class Output:
    """What a program writes, as a stream, and its exit status once ``streaming`` has ended."""

    status = 0

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream


@contextmanager
def streaming(
    argv: Sequence[str],
    *,
    stdin: int | None = None,
    stderr: int | None = None,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Iterator[Output]:
    """Give what a program writes while it runs; it does not outlive us.

    At the end of the block nobody reads any more, which ends a program that still writes, and it is waited for.

    Args:
        argv: the program and its arguments.
        stdin: descriptor of its input; None is the null device.
        stderr: likewise, of its errors.
        environment: its whole environment.

    Raises:
        Unsupported: the program is not installed.
    """
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream:
        try:
            streams = Streams(stdin=stdin, stdout=writer, stderr=stderr)
            started = spawn(_with_us(argv), streams=streams, environment=environment)
        finally:
            os.close(writer)
        output = Output(stream)
        try:
            yield output
        finally:
            stream.close()
            output.status = exit_status(started.wait())


class Input:
    """What a program reads, as a stream, and how it took it once ``feeding`` has ended."""

    status = 0
    broken: BrokenPipeError | None = None
    """It read no further, though there was more."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream


@contextmanager
def feeding(
    argv: Sequence[str], *, stdout: int | None = None, stderr: int | None = None
) -> Iterator[Input]:
    """Give what a program reads while it runs; it does not outlive us.

    At the end of the block nothing more comes, and it is waited for. If it reads no further, the block ends without an error.

    Args:
        argv: the program and its arguments.
        stdout: descriptor of its output; None is the null device.
        stderr: likewise, of its errors.

    Raises:
        Unsupported: the program is not installed.
    """
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as stream:
        try:
            streams = Streams(stdin=reader, stdout=stdout, stderr=stderr)
            started = spawn(_with_us(argv), streams=streams)
        finally:
            os.close(reader)
        given = Input(stream)
        try:
            with stream:
                yield given
        except BrokenPipeError as error:
            given.broken = error
        finally:
            given.status = exit_status(started.wait())


def _with_us(argv: Sequence[str]) -> list[str]:
    """Return the command that does not outlive us; what starts it would say only to its errors that there is no such program."""
    if find_program(argv[0]) is None:
        raise _missing(argv[0])
    return [*WITH_US, *argv]


def _missing(program: str) -> Unsupported:
    return Unsupported(
        f"the program {program} is not installed", hint="run wirt doctor to see what to install"
    )
