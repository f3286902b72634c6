"""User-Mode Linux's processes: started and found; nothing else in Wirt knows how it leaves traces.

One guest is a family of processes in one session: the kernel, helpers for its disk, and one for each address space in
the guest. All of them keep the kernel's command line, and with it the guest's name.
"""

import os

from wirt.approaches import ownkernel
from wirt.host.run import ENVIRONMENT

_MEMORY_DIRECTORY = "/dev/shm"
"""Where a guest's memory lies, as a deleted file: on a disk every write to it would be written back."""


def start(
    argv: list[str],
    identity: str,
    *,
    directory: str,
    log: str,
    entrances: list[str],
    keep: list[int],
) -> int:
    """Start a kernel in ``directory`` and return its process id once it runs.

    Raises:
        Failed: it ended before that; the message ends with what it said last.
    """
    pid_file = os.path.join(directory, identity.partition("=")[2], "pid")
    ownkernel.start_engine(
        argv,
        identity,
        lambda: read_pid(pid_file) is not None,
        what="User-Mode Linux",
        directory=directory,
        log=log,
        entrances=entrances,
        environment={**ENVIRONMENT, "TMPDIR": _MEMORY_DIRECTORY},
        keep=keep,
    )
    pid = read_pid(pid_file)
    assert pid is not None
    return pid


def read_pid(path: str) -> int | None:
    """Return the kernel's process id as it wrote it down, or None."""
    try:
        with open(path) as file:
            return int(file.read())
    except (FileNotFoundError, ValueError):
        return None
