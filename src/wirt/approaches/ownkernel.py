"""What guests with a kernel of their own share: an engine in the background, and the channel to the agent in the guest.

Wirt has no daemon, so whatever connects the node with a guest must outlive the command that started the guest and be
found by the next one. It is two named pipes in a private directory: the engine holds both ends of both open, and any
command opens them by name, writes a request and reads the answer. Nobody ever sees a hang-up, so neither the engine nor
the agent in the guest notices that one command ends and another comes, and a lock gives the line to one of them at a time.

Nothing here knows which engine it is.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Network
from itertools import pairwise
from typing import Any

import msgspec

from wirt.approaches import enginegroup
from wirt.approaches.agent import Agent, GuestGone
from wirt.errors import Busy, Error, Failed, TimedOut
from wirt.host import files, lock, process, run
from wirt.host.consolelog import read_last_lines
from wirt.host.run import Streams
from wirt.model.guest import Handle
from wirt.model.launch import Launch, Place
from wirt.model.presence import Presence

TO_AGENT, FROM_AGENT, SIGNALS = "agent.in", "agent.out", "signals"
"""Names in the private directory: the pipes, and the file that the second serial line is appended to."""

TO_CONSOLE, FROM_CONSOLE = "console.in", "console.out"
"""Likewise: the pipe that the console reads, and what takes the place of one to read from: the log has it all."""

LOG_BEGIN = "log-begin"
"""Likewise: how long the log was when the guest was started; what stands before is of earlier times."""

_ENGINE_SECONDS = 20.0
_GONE_SECONDS = 10.0
_LOOK_SECONDS = 0.004
_GONE_LOOKS = 50
"""An engine that executes itself anew has no command line for an instant: it is gone when it is missed this often."""
_LOOKS = 5
_SHUTDOWN_SECONDS = 5.0
_CLOCK_SECONDS = 5.0
_PROCESSORS_SECONDS = 30.0
_ANSWER_SECONDS = 10.0
_TAIL_LINES = 15
_PANIC = "Kernel panic"

ENTER = """\
while [ "$1" != -- ]; do echo $$ >"$1" || exit 1; shift; done
shift
exec "$@"
"""
"""An engine is in its group before its first instruction: nothing that it ever starts is anywhere else."""


def private_directory(place: Place) -> str:
    """Return the directory of a guest's sockets and pipes, which only root may enter, and its engine."""
    return os.path.join(place.run_dir, "engine")


def make_channel(place: Place, owner: int | None = None) -> str:
    """Make the private directory with fresh pipes and return its path.

    Args:
        place: whose.
        owner: the engine's id, if it makes sockets there when it is not root any more.
    """
    directory = private_directory(place)
    files.remove_tree(directory)
    os.mkdir(directory, 0o700)
    for name in (TO_AGENT, FROM_AGENT, TO_CONSOLE):
        os.mkfifo(os.path.join(directory, name), 0o600)
    # A pipe that nobody reads fills, and then the guest waits at its first line too many.
    os.symlink(os.devnull, os.path.join(directory, FROM_CONSOLE))
    os.close(_open(os.path.join(directory, SIGNALS), os.O_WRONLY | os.O_CREAT))
    files.write(os.path.join(directory, LOG_BEGIN), str(_size_of(place.log)))
    if owner is not None:
        os.chown(directory, owner, owner)
    return directory


def _find(name: str, identity: str) -> list[int]:
    """Return the processes with this argument; one that is just being executed has none for a moment."""
    for _ in range(_LOOKS):
        if pids := enginegroup.find(name, identity):
            return pids
        time.sleep(_LOOK_SECONDS)
    return []


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """Descriptors of the channel, for an engine that wants to inherit them."""

    to_agent: int
    from_agent: int
    signals: int
    to_console: int


@contextmanager
def open_channel(directory: str) -> Iterator[Ends]:
    """Open the channel as an engine needs it for as long as the block runs."""
    with ExitStack() as stack:
        opened = []
        for name, flags in (
            (TO_AGENT, os.O_RDWR),
            (FROM_AGENT, os.O_RDWR),
            (SIGNALS, os.O_WRONLY | os.O_APPEND),
            (TO_CONSOLE, os.O_RDWR),
        ):
            opened.append(_open(os.path.join(directory, name), flags))
            stack.callback(os.close, opened[-1])
        to_agent, from_agent, signals, to_console = opened
        yield Ends(to_agent=to_agent, from_agent=from_agent, signals=signals, to_console=to_console)


def start_engine(
    argv: list[str],
    identity: str,
    is_up: Callable[[], bool],
    *,
    what: str,
    directory: str,
    log: str,
    environment: dict[str, str],
    entrances: Sequence[str],
    keep: list[int] | None = None,
) -> None:
    """Start an engine in the background and return once it is up; what it says goes to the log.

    ``setsid`` starts it as nobody's child, so that it neither ends with this command nor stays as a zombie.

    Args:
        argv: the engine's command line.
        identity: the argument by which its processes are found.
        is_up: asked again and again.
        what: the engine's name for people.
        directory: where it is started.
        log: the file it writes to.
        environment: its whole environment.
        entrances: of its control group, as ``enginegroup.make`` returns them.
        keep: descriptors that it inherits.

    Raises:
        Failed: it ended instead, or was not up in time; the message ends with what it said last.
    """
    said = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        before = os.fstat(said).st_size
        run.spawn(
            ["/usr/bin/setsid", "--fork", "/bin/sh", "-c", ENTER, "sh", *entrances, "--", *argv],
            streams=Streams(stdout=said, stderr=said),
            environment=environment,
            directory=directory,
            keep=keep or (),
        ).wait()
        deadline = time.monotonic() + _ENGINE_SECONDS
        name = identity.rpartition("=")[2]
        missed = 0
        while not is_up():
            missed = 0 if enginegroup.find(name, identity) else missed + 1
            if missed >= _GONE_LOOKS or time.monotonic() > deadline:
                text = os.pread(said, 65536, before).decode(errors="replace").strip()
                last = _without_value((text.splitlines() or ["it did not say why"])[-1], argv)
                raise Failed(f"{what} did not start: {last}", detail=text, hint=f"see {log}")
            time.sleep(_LOOK_SECONDS)
    finally:
        os.close(said)


def _without_value(line: str, argv: Sequence[str]) -> str:
    """Return what an engine complains of without the value of the option that it names, which may be a line long."""
    for option, value in pairwise(argv):
        if option.startswith("-"):
            line = line.replace(f"{option} {value}: ", f"{option}: ")
    return line


def probe_engine(place: Place, identity: str) -> Presence:
    """Ask the kernel for a guest's processes; a group that has none of them is a leftover."""
    if enginegroup.find(place.name, identity):
        return Presence.PRESENT
    return Presence.PARTIAL if enginegroup.is_there(place.name) else Presence.ABSENT


def kill_engine(place: Place, identity: str) -> None:
    """End every process that has this argument at once, and remove the guest's group; no error if there is none.

    Raises:
        Failed: one of them does not end.
    """
    deadline = time.monotonic() + _GONE_SECONDS
    # Again and again: one that is ended may have been starting another.
    while pids := _find(place.name, identity):
        if time.monotonic() > deadline:
            raise Failed(f"processes {pids} of {identity} do not end")
        for pid in pids:
            process.end(pid)
        for pid in pids:
            process.wait_gone(pid, max(0.0, deadline - time.monotonic()))
    enginegroup.remove(place.name)


def network_arguments(launch: Launch, interface: str, *, is_numbered: bool = False) -> list[str]:
    """Return an ``ip=`` argument of the kernel for each address; systemd-network-generator in the guest acts on them.

    Args:
        launch: the guest.
        interface: what its kernel calls a card, without the number.
        is_numbered: True if it takes the cards' own numbers; else they are numbered in order.
    """
    told = []
    for place, nic in enumerate((launch.nic, *launch.cards)):
        number = nic.number if is_numbered else place
        mtu = "" if nic.mtu is None else f":{nic.mtu}"
        gateways = {4: nic.gateway, 6: nic.gateway6 and f"[{nic.gateway6}]"}
        for one in nic.addresses:
            address, _, prefix = one.partition("/")
            if ":" in address:
                version, netmask, address = 6, prefix, f"[{address}]"
            else:
                version, netmask = 4, str(IPv4Network((0, int(prefix))).netmask)
            way = f"{gateways.pop(version, None) or ''}:{netmask}"
            told.append(f"ip={address}::{way}:{launch.hostname}:{interface}{number}:off{mtu}")
    return told


def open_console(place: Place) -> int:
    """Return a descriptor, not waiting, for what is typed at the guest's console; the caller closes it.

    Raises:
        Failed: there is no console: the guest has ended, or was started by a Wirt that gave it none.
    """
    try:
        return _open(os.path.join(private_directory(place), TO_CONSOLE), os.O_RDWR)
    except FileNotFoundError:
        raise Failed(
            f"{place.name} has no console that can be typed at",
            hint="it gets one when it is started the next time",
        ) from None


def console_arguments(launch: Launch, terminal: str) -> list[str]:
    """Return the kernel arguments that make a guest talk on its console.

    Args:
        launch: the guest.
        terminal: the console as the guest's system names it, where somebody may log in.
    """
    login = f"systemd.wants=getty@{terminal}.service"
    return [login] if launch.talks else [login, "quiet"]


def wait_ready(place: Place, handle: Handle, timeout: float) -> None:
    """Return once the guest's agent answers.

    Raises:
        TimedOut: it did not within ``timeout`` seconds; names the log.
        Failed: the guest ended meanwhile; says why if its log does.
    """
    deadline = time.monotonic() + timeout
    try:
        with open_agent(place, handle, timeout) as agent:
            agent.call("guest-ping", timeout=max(1.0, deadline - time.monotonic()))
    except GuestGone as error:
        reason, tail = read_log(place)
        raise Failed(
            f"the guest ended while it started: {reason}", detail=tail, hint=f"see {place.log}"
        ) from error
    except TimedOut as error:
        _, tail = read_log(place)
        raise TimedOut(
            f"the guest was not ready within {timeout:g} s", detail=tail, hint=f"see {place.log}"
        ) from error


def check_agent(place: Place, handle: Handle) -> None:
    """Check that a guest's agent answers, before anything is begun that needs it.

    Raises:
        TimedOut, GuestGone, Busy: it does not.
    """
    with open_agent(place, handle, _ANSWER_SECONDS):
        pass


def stop(
    place: Place, handle: Handle, timeout: float, *, otherwise: Callable[[], None] | None = None
) -> None:
    """Ask the guest's system to power down and wait until its engine has ended.

    Args:
        place: where the guest's traces are.
        handle: its engine.
        timeout: seconds for all of it.
        otherwise: asks in another way, for the case that the agent does not answer.

    Raises:
        TimedOut: it still ran after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    try:
        with open_agent(place, handle, min(timeout, _SHUTDOWN_SECONDS)) as agent:
            agent.shut_down()
    except GuestGone:
        return
    except (TimedOut, Busy):
        if otherwise is not None:
            otherwise()
    left = max(0.0, deadline - time.monotonic())
    if handle.pid is not None and not process.wait_gone(handle.pid, left):
        raise TimedOut(
            f"the guest did not shut down within {timeout:g} s", hint="pass --force to end it"
        )


def switch_on(place: Place, handle: Handle, wanted: int) -> None:
    """Have the guest's system use every processor that its kernel has found.

    Raises:
        Failed: it does not.
    """
    deadline = time.monotonic() + _PROCESSORS_SECONDS
    try:
        with open_agent(place, handle, _PROCESSORS_SECONDS) as agent:
            while True:
                seen: list[dict[str, Any]] = agent.call("guest-get-vcpus")
                if len(seen) >= wanted:
                    break
                if time.monotonic() > deadline:
                    raise Failed(f"its kernel sees {len(seen)}")
                time.sleep(_LOOK_SECONDS)
            off = [
                {"logical-id": one["logical-id"], "online": True}
                for one in seen
                if not one["online"]
            ]
            if off:
                agent.call("guest-set-vcpus", {"vcpus": off})
    except Error as error:
        raise Failed(
            f"the guest does not use {wanted} CPUs: {error.message}", hint=f"see {place.log}"
        ) from error


def set_clock(place: Place, handle: Handle) -> None:
    """Set a guest's clock to the node's.

    The agent has a request of its own for that, but it sets the machine's clock of hardware too, which takes seconds.

    Raises:
        TimedOut, GuestGone, Busy, Failed: its agent does not answer, or could not.
    """
    deadline = time.monotonic() + _CLOCK_SECONDS
    with open_agent(place, handle, _CLOCK_SECONDS) as agent:
        setting = ["date", f"--set=@{time.time():.3f}"]
        pid = agent.start_command(setting, environment=dict(run.ENVIRONMENT))
        while agent.take_result(pid) is None and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)


@contextmanager
def open_agent(place: Place, handle: Handle, timeout: float) -> Iterator[Agent]:
    """Hold the line to the agent for as long as the block runs; at its start the agent has answered."""
    directory = private_directory(place)
    deadline = time.monotonic() + timeout
    died = watch(handle)
    try:
        with lock.hold(os.path.join(directory, "agent.lock"), "the guest's agent", wait=timeout):
            # Open for both, so that opening waits for nobody and a dead engine is no end of file.
            writer = _open(os.path.join(directory, TO_AGENT), os.O_RDWR)
            reader = _open(os.path.join(directory, FROM_AGENT), os.O_RDWR)
            try:
                agent = Agent(reader, writer, died=died)
                agent.synchronise(max(0.5, deadline - time.monotonic()))
                yield agent
            finally:
                os.close(writer)
                os.close(reader)
    except FileNotFoundError as error:
        raise GuestGone("the guest ended") from error
    except TimedOut as error:
        raise TimedOut(error.message, hint=f"see what the guest said last: {place.log}") from error
    finally:
        os.close(died)


def watch(handle: Handle) -> int:
    """Return a descriptor that becomes readable when the engine's process ends."""
    if handle.pid is None or not process.is_alive(handle.pid, handle.started):
        raise GuestGone("the guest ended")
    try:
        return os.pidfd_open(handle.pid)
    except ProcessLookupError:
        raise GuestGone("the guest ended") from None


def find_panic(place: Place) -> str | None:
    """Return why the kernel of a guest that has ended by itself gave up; None: it did not, or nobody knows."""
    begin = _log_begin(place)
    return None if begin is None else _panic_in(read_last_lines(place.log, begin))


def read_log(place: Place) -> tuple[str, str]:
    """Return why the guest ended, as its log tells it, and the log's last lines, of what it said since it was started."""
    lines = read_last_lines(place.log, _log_begin(place) or 0)
    tail = "\n".join(lines[-_TAIL_LINES:])
    if (panic := _panic_in(lines)) is not None:
        return panic, tail
    return "its log does not say why" if not lines else f"its last words were: {lines[-1]}", tail


def _log_begin(place: Place) -> int | None:
    """Return where the log begins of what the guest has said since it was started; None if nobody knows any more."""
    try:
        with open(os.path.join(private_directory(place), LOG_BEGIN)) as file:
            return int(file.read())
    except FileNotFoundError:  # somebody has tidied up meanwhile, or an earlier Wirt has started it
        return None


def _panic_in(lines: list[str]) -> str | None:
    line = next((line for line in lines if _PANIC in line), None)
    return None if line is None else line[line.index(_PANIC) :]


def _size_of(path: str) -> int:
    return os.stat(path).st_size if os.path.exists(path) else 0


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
