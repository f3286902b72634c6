"""Processes of the node: named so that they cannot be mistaken for another, watched, ended."""

import os
import select
import signal
from stat import S_ISUID

import msgspec


def start_time(pid: int) -> int | None:
    """Return a process's start time in clock ticks since boot, or None if it is gone or a zombie.

    Source: proc(5), field 22 of ``/proc/PID/stat``; the command name before it may hold spaces and brackets.
    """
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def is_alive(pid: int | None, started: int | None) -> bool:
    """Return whether this very process still runs (not another that got its number)."""
    return pid is not None and started is not None and start_time(pid) == started


def command_line(pid: int) -> list[str]:
    """Return the arguments of a process; empty if it is gone or a kernel thread."""
    try:
        with open(f"/proc/{pid}/cmdline", errors="replace") as file:
            return file.read().split("\0")[:-1]
    except OSError:
        return []


def is_executing(pid: int) -> bool:
    """Return whether a thread of a process runs, or waits for nothing but a processor, at this moment.

    Source: proc(5), the state in ``/proc/PID/task/TID/stat``.
    """
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    return any(_thread_fields(pid, thread)[:1] == ["R"] for thread in threads)


def last_cpu(pid: int) -> int | None:
    """Return the processor that a process's first thread ran on last, None if it is gone.

    Source: proc(5), field 39 of ``/proc/PID/stat``.
    """
    fields = _thread_fields(pid, str(pid))
    return int(fields[36]) if len(fields) > 36 else None


def _thread_fields(pid: int, thread: str) -> list[str]:
    """Return the fields of a thread from the third on; none if it is gone."""
    try:
        with open(f"/proc/{pid}/task/{thread}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen of a process."""

    name: str
    inner: int
    """Its id in the innermost namespace that it is in: its own id if that is ours."""
    groups: frozenset[str]
    """The names on the paths of its control groups."""


def look_at(pid: int) -> Seen | None:
    """Return what can be seen of a process, None if it is gone.

    Sources: proc(5), ``Name`` and ``NSpid`` in ``/proc/PID/status``; cgroups(7), ``/proc/PID/cgroup``.
    """
    try:
        with open(f"/proc/{pid}/status", errors="replace") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        with open(f"/proc/{pid}/cgroup", errors="replace") as file:
            groups = [line.rstrip("\n").split(":", 2)[2] for line in file]
    except OSError:
        return None
    return Seen(
        name=status["Name"],
        inner=int(status.get("NSpid", str(pid)).split()[-1]),
        groups=frozenset(name for group in groups for name in group.split("/")),
    )


def list_pids() -> list[int]:
    """Return the ids of all processes that this one can see."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def find_by_argument(argument: str) -> list[int]:
    """Return our user's processes that have exactly this argument on their command line.

    Anyone can write anything on a command line: others' processes, those of containers and setuid programs do not count.
    """
    return [pid for pid in list_pids() if argument in command_line(pid) and _is_ours(pid)]


def _is_ours(pid: int) -> bool:
    """Return whether a process runs as our user, in our user namespace, and not by way of a setuid program.

    Sources: proc(5), ``Uid`` in ``/proc/PID/status`` (real, effective, saved, file system); the owner of ``/proc/PID``
    would not do, for that of a process without core dumps is always root.
    """
    try:
        with open(f"/proc/{pid}/status", errors="replace") as file:
            users = next((line.split()[1:] for line in file if line.startswith("Uid:")), [])
        return (
            set(users) == {str(os.geteuid())}
            and os.path.samefile(f"/proc/{pid}/ns/user", "/proc/self/ns/user")
            and not os.stat(f"/proc/{pid}/exe").st_mode & S_ISUID
        )
    except OSError:
        return False


def list_descendants(pid: int) -> list[int]:
    """Return the children of a process, their children and so on."""
    children: dict[int, list[int]] = {}
    for other in list_pids():
        try:
            with open(f"/proc/{other}/stat") as file:
                stat = file.read()
        except OSError:
            continue
        children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(other)
    found, todo = [], [pid]
    while todo:
        todo += children.get(todo[0], [])
        found.append(todo.pop(0))
    return found[1:]


def end(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal; no error if the process is gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def wait_gone(pid: int, timeout: float) -> bool:
    """Wait until a process (of anyone's) has ended; return False if it still runs after ``timeout`` seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ready, _, _ = select.select([descriptor], [], [], timeout)
        return bool(ready)
    finally:
        os.close(descriptor)
