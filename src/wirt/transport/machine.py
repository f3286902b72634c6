"""What a machine that runs is asked for when it is to become a guest: how much there is, and the tar of its root.

Nothing of Wirt's is needed over there: ``du``, ``cat`` and GNU ``tar`` are. Who reads the tar takes it for a stranger's.
"""

import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import msgspec

from wirt.errors import Error, Failed
from wirt.host import run
from wirt.model.machine import Machine
from wirt.transport.base import LinkLost
from wirt.transport.ssh import careful_shell

_OF_THE_KERNEL = ("proc", "sys", "dev", "run", "tmp", "var/tmp")
"""Directories that are empty in a root that lies still."""
_SWAP = ("./swapfile", "./swap.img")
_KEEP = ("--numeric-owner", "--acls", "--xattrs", "--xattrs-include=security.capability")
_CHANGED, _SSH_FAILED = 1, 255
"""Exit status of tar if files have changed or gone while it read them; of ssh if it did not get there."""
_FAREWELLS = ("tar: Error is not recoverable", "tar: Exiting with failure status")
"""The last words of a tar that has said why before."""
_KIND_OF_NONE = frozenset({"squashfs", "iso9660"})
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine has."""

    used: int
    """Bytes of the file systems that are to be taken."""
    others: tuple[str, ...]
    """Where further file systems of its disks are mounted, below its root and as seen from there."""


def survey(machine: Machine, *, include: Sequence[str], exclude: Sequence[str]) -> Survey:
    """Ask a machine how much there is to take, and what would stay behind.

    Args:
        machine: which.
        include: directories on further file systems that are to be taken too, such as ./home.
        exclude: paths that are not, likewise.

    Raises:
        LinkLost: it cannot be reached.
        Failed: it does not say.
    """
    base = machine.root.rstrip("/")
    without = [f"--exclude={base}{path[1:]}" for path in exclude]
    wanted = [machine.root, *(f"{base}{path[1:]}" for path in include)]
    # It says what it could not look at, as a process's directory that has gone meanwhile; that is no failure.
    said = _ask(machine, ["du", "-skxc", *without, "--", *wanted], may_fail=True)
    used = int(said.split()[-2]) * 1024 if said.endswith("total\n") else None
    if used is None:
        raise Failed(f"{machine.place} does not say how much is on it", detail=said or None)
    mounted = _ask(machine, ["cat", "/proc/self/mounts"])
    known = [*include, *exclude, *(f"./{name}" for name in _OF_THE_KERNEL)]
    return Survey(used=used, others=tuple(_others(mounted, base, known)))


def _others(mounts: str, base: str, known: Sequence[str]) -> Iterator[str]:
    """Yield where file systems of disks are mounted, but for those at or below what is known."""
    for line in mounts.splitlines():
        source, place, kind = line.split(" ")[:3]
        where = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), place)
        below = where.removeprefix(base)
        is_known = any(f"{below}/".startswith(f"{path[1:]}/") for path in known)
        is_disk = source.startswith("/dev/") and kind not in _KIND_OF_NONE
        if is_disk and where.startswith(f"{base}/") and below != "/" and not is_known:
            yield below


@contextmanager
def packing(
    machine: Machine, *, include: Sequence[str], exclude: Sequence[str]
) -> Iterator[IO[bytes]]:
    """Give the plain tar of a machine's root while it is being packed over there.

    One file system is taken, and those of ``include``. What the kernel shows, temporary files and swap are left out.

    Args:
        machine: which.
        include: directories on further file systems, such as ./home.
        exclude: paths that are left out, likewise.

    Raises:
        LinkLost: it cannot be reached, or was lost.
        Failed: it cannot be read.
    """
    argv = [
        *("tar", *_KEEP, "--sort=name", "--one-file-system", "--anchored"),
        *("--wildcards", *(f"--exclude=./{name}/*" for name in _OF_THE_KERNEL)),
        *("--no-wildcards", *(f"--exclude={path}" for path in (*_SWAP, *exclude))),
        *("-C", machine.root, "-cf", "-", "--", ".", *include),
    ]
    failure: Error | None = None
    with tempfile.TemporaryFile() as said:
        with run.streaming(
            _reaching(machine, argv), stderr=said.fileno(), environment=_environment()
        ) as output:
            try:
                yield output.stream
            except Error as error:
                # Of what was cut short, who wrote it knows the reason.
                if output.stream.read(1):
                    raise
                failure = error
        said.seek(0)
        words = said.read().decode(errors="replace").strip()
    if output.status not in (0, _CHANGED):
        raise _failure(machine, output.status, words) from failure
    if failure is not None:
        raise failure


def _ask(machine: Machine, argv: Sequence[str], *, may_fail: bool = False) -> str:
    done = run.run(_reaching(machine, argv), environment=_environment())
    if done.status == _SSH_FAILED or (done.status != 0 and not may_fail):
        raise _failure(machine, done.status, done.stderr.strip())
    return done.stdout


def _failure(machine: Machine, status: int, words: str) -> Failed:
    lines = [line for line in words.splitlines() if not line.startswith(_FAREWELLS)]
    last = lines[-1] if lines else f"exit status {status}"
    if machine.ssh is not None and status == _SSH_FAILED:
        return LinkLost(f"machine {machine.ssh} does not answer: {last}", detail=words or None)
    return Failed(f"cannot read {machine.place}: {last}", detail=words or None)


def _reaching(machine: Machine, argv: Sequence[str]) -> list[str]:
    """Return what runs a program on a machine."""
    if machine.ssh is None:
        return list(argv)
    command = shlex.join(["env", "LC_ALL=C", *argv])
    return [*careful_shell(machine.ssh_options), "--", machine.ssh, command]


def _environment() -> dict[str, str]:
    own = {key: os.environ[key] for key in ("HOME", "SSH_AUTH_SOCK") if key in os.environ}
    return {**run.ENVIRONMENT, **own, "LC_ALL": "C"}
