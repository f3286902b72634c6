"""LXC's programs, as functions; nothing else in Wirt knows their options."""

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

from wirt.errors import Failed
from wirt.host import files, process, pumps, run
from wirt.host.affinity import mask
from wirt.host.run import ENVIRONMENT, Streams

_ENGINE_PATH = {"PATH": "/usr/sbin:/sbin"}
"""Without /usr/bin, liblxc does not find newuidmap and writes the id map itself, which root may.

newuidmap (package uidmap, there wherever rootless containers are) would refuse every range that /etc/subuid does not
give to root, and that file is not ours to change.
"""

_START = "/usr/bin/lxc-start"
RESTORE = "/usr/bin/lxc-checkpoint"
_GONE_SECONDS = 5.0
_ANSWER_SECONDS = 10.0
LARGEST_LOG = 1 << 20
"""Bytes of LXC's own log of a container, which lies in memory; one that is larger begins anew."""
_IS_COMPLAINT = re.compile(r" (WARN|ERROR|CRIT|ALERT|FATAL) ")


def start(lxc_path: str, name: str, config: str, log: str, pid_file: str) -> None:
    """Start a container in the background and return when its init has been run.

    LXC's own log, of all that it does until the container has ended, is in ``own_log``; what it complains of in ``log``, if it fails.

    Raises:
        Failed: LXC could not start it; the detail is the end of its log.
    """
    written_before = log_size(lxc_path)
    done = run.run(
        [
            _START,
            f"--lxcpath={lxc_path}",
            f"--name={name}",
            f"--rcfile={config}",
            *logging(lxc_path),
            f"--pidfile={pid_file}",
            "--daemon",
        ],
        environment=_ENGINE_PATH,
    )
    if done.status != 0:
        complaints = keep_complaints(lxc_path, written_before, log)
        raise Failed(
            f"LXC could not start container {name}: {_first_error(complaints)}",
            detail=done.stderr.strip(),
            hint=f"see {log}",
        )


def config_path(lxc_path: str, name: str) -> str:
    """Return the path of a container's configuration, where LXC's programs look for it."""
    return os.path.join(lxc_path, name, "config")


def own_log(lxc_path: str) -> str:
    """Return where LXC says what it does about the container of a path."""
    return os.path.join(lxc_path, "lxc.log")


def logging(lxc_path: str) -> list[str]:
    """Return the options of a program that becomes a container's monitor which say where it says what, and how much."""
    # Less says not how the container's first process has ended.
    return [f"--logfile={own_log(lxc_path)}", "--logpriority=INFO"]


def log_size(lxc_path: str) -> int:
    """Return the bytes that LXC has logged of the container of a path."""
    try:
        return os.path.getsize(own_log(lxc_path))
    except FileNotFoundError:
        return 0


def keep_complaints(lxc_path: str, since: int, log: str) -> list[str]:
    """Write what LXC has complained of since its log had a size to one that outlives the container, and return it."""
    complaints = [line for line in _logged(lxc_path, since) if _IS_COMPLAINT.search(line)]
    with files.translated(f"write {log}"), open(log, "a") as lines:
        lines.writelines(complaints)
    return complaints


def _logged(lxc_path: str, since: int) -> list[str]:
    try:
        with open(own_log(lxc_path), errors="replace") as lines:
            lines.seek(since)
            return lines.readlines()
    except FileNotFoundError:
        return []


def lock_directory(lxc_path: str) -> str:
    """Return where liblxc keeps its locks on the containers of a path, which it never takes away."""
    return f"/run/lxc/lock{lxc_path}"


def sweep_locks(lxc_path: str) -> None:
    """Take away liblxc's locks on containers whose own directory is gone, among those beside a container's.

    A program of LXC that has outlived whoever ran it makes them anew: ``lxc-attach``, when the container has just been ended.
    """
    locks, directories = os.path.dirname(lock_directory(lxc_path)), os.path.dirname(lxc_path)
    with suppress(FileNotFoundError):
        for name in os.listdir(locks):
            if not os.path.isdir(os.path.join(directories, name)):
                files.remove_tree(os.path.join(locks, name))


def profile_prefix(name: str) -> str:
    """Return what the names of a container's AppArmor profile and namespace begin with."""
    return f"lxc-{name}_<"


def payload_group(name: str) -> str:
    """Return the cgroup below ``lxc.cgroup.dir`` that LXC puts a container's processes and limits in."""
    return f"{name}/lxc.payload.{name}"


def end_starting(name: str) -> None:
    """End every process of an ``lxc-start`` or a restore that has lost its caller, not the container it may have made.

    It forks a daemon, which becomes the monitor: whoever is seen is killed until nobody is.
    """
    while found := [pid for pid in process.list_pids() if _is_starting(pid, name)]:
        for pid in found:
            process.end(pid)
            process.wait_gone(pid, _GONE_SECONDS)


def _is_starting(pid: int, name: str) -> bool:
    said = process.command_line(pid)
    if not said:
        return False
    as_program = said[0] in (_START, RESTORE) and f"--name={name}" in said
    as_monitor = said[0].startswith("[lxc monitor] ") and said[0].endswith(f" {name}")
    return as_program or as_monitor


def ask(lxc_path: str, name: str, argv: list[str]) -> str:
    """Return the line that a program of a running container says, whatever its exit status.

    Raises:
        TimedOut: it does not say it.
    """
    asking = ["/usr/bin/lxc-attach", f"--lxcpath={lxc_path}", f"--name={name}", "--quiet"]
    return run.run([*asking, "--clear-env", "--", *argv], timeout=_ANSWER_SECONDS).stdout.strip()


def attach(
    lxc_path: str,
    name: str,
    argv: list[str],
    *,
    streams: Streams,
    environment: dict[str, str],
    cpus: frozenset[int] | None,
) -> int:
    """Run a command in a running container and return its exit status.

    It is bound to ``cpus`` by the guest's own ``taskset``, from within: kernels before 6.2 give a process that enters a
    cpuset, as lxc-attach does, all of its processors again.
    """
    bound = ["taskset", mask(cpus)] if cpus else []
    variables = [f"--set-var={key}={value}" for key, value in environment.items()]
    if log_size(lxc_path) > LARGEST_LOG:
        # Every command adds a line.
        with suppress(FileNotFoundError):
            os.truncate(own_log(lxc_path), 0)
    with _logging_apart(lxc_path, name) as (config, log):
        entering = [
            "/usr/bin/lxc-attach",
            f"--lxcpath={lxc_path}",
            f"--name={name}",
            f"--rcfile={config}",
            # What it has to say it writes to the command's own errors, in words of its source; now to its log alone, where the
            # configuration says that is. With --logfile or --logpriority it writes to both.
            "--quiet",
            "--clear-env",
            *variables,
            "--",
        ]
        with pumps.apart(streams) as handed:
            status = run.attach([*entering, *bound, *argv], streams=handed, environment=ENVIRONMENT)
        logged = log.readlines() if status != 0 else []
    if logged and streams.stderr is not None:
        told = explain(logged, argv[0], bound[0] if bound else None)
        # Who reads the errors may have gone.
        with suppress(OSError):
            os.write(streams.stderr, told.encode())
    return status


@contextmanager
def _logging_apart(lxc_path: str, name: str) -> Iterator[tuple[str, TextIO]]:
    """Give the path of a configuration of a container with which a program of LXC logs for itself, and that log.

    In the container's own there are the complaints of whatever else runs there. Both are in memory: nothing is left, however we end.
    """
    ours = f"/proc/{os.getpid()}/fd"
    with (
        open(os.memfd_create("log"), errors="replace") as log,
        open(os.memfd_create("config"), "w") as config,
    ):
        config.write(f"lxc.include = {config_path(lxc_path, name)}\n")
        config.write(f"lxc.log.file = {ours}/{log.fileno()}\n")
        config.flush()
        yield f"{ours}/{config.fileno()}", log


def explain(logged: Sequence[str], program: str, before: str | None = None) -> str:
    """Return what a person is told of what LXC has logged of a command that failed; nothing if the command did by itself.

    Args:
        logged: its lines.
        program: what was to be run.
        before: the program by which it was to be run.
    """
    errors = [line for line in logged if line.startswith("lxc-attach ") and " ERROR " in line]
    for one in (before, program):
        for line in errors:
            if one is not None and f'Failed to exec "{one}"' in line:
                reason = _reason(line)
                hint = "; is it installed there?" if reason == os.strerror(errno.ENOENT) else ""
                return f"wirt: the guest cannot run {one}: {reason}{hint}\n"
    others = [line for line in errors if "Failed to exec" not in line]
    return f"wirt: LXC could not enter the guest: {_reason(others[0])}\n" if others else ""


def _reason(line: str) -> str:
    """Return the reason in a line of LXC's log: ``... ERROR attach - FILE:FUNCTION:LINE - REASON - WHAT FAILED``."""
    parts = line.strip().split(" - ")
    return parts[2] if len(parts) > 2 else line.strip()


def stop(lxc_path: str, name: str, timeout: float) -> bool:
    """Ask a container's init to shut down; return False if it still runs after ``timeout`` seconds."""
    done = run.run(
        [
            "/usr/bin/lxc-stop",
            f"--lxcpath={lxc_path}",
            f"--name={name}",
            "--nokill",
            f"--timeout={max(1, round(timeout))}",
        ]
    )
    return done.status in (0, 2)


def _first_error(complaints: Sequence[str]) -> str:
    """Return the first error that LXC has logged."""
    for line in complaints:
        if " ERROR " in line:
            return line.rpartition(" - ")[2].strip()
    return "it left no reason in its log"
