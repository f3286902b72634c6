"""What a domain holds in a file, and what a domain that goes on from there must be made like.

``xl save -p`` has the guest's kernel stop, writes down its memory, and leaves the domain as it was, but paused: it goes on as soon as it is
told to. That it is held so is marked by a file in its private directory, for whoever comes after its maker has died.
"""

import os
import re
import time
from collections.abc import Callable

import msgspec

from wirt.approaches import keptmachine, ownkernel
from wirt.approaches.xen import control, keeper
from wirt.errors import TimedOut
from wirt.host import files, process
from wirt.model.launch import Place
from wirt.units import MIB

_MEMORY = "memory"
"""Its name in a checkpoint's directory."""
_END_SECONDS = 120.0
_LOOK_SECONDS = 0.1
_NUMBER = re.compile(r"^(memory|maxmem|maxvcpus) = (\d+)$", re.MULTILINE)
_WRITABLE = re.compile(r"vdev=(xvd[b-z]),access=rw")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What a domain's memory is of."""

    cpus: int
    most_cpus: int
    memory: int
    """Bytes that it had at the most."""


def save(place: Place, directory: str, written: Callable[[], None]) -> None:
    """Write what a domain holds into a directory; it is paused afterwards, or goes on if that fails.

    Args:
        place: the domain's.
        directory: an empty one.
        written: is called once it is written.

    Raises:
        Failed, TimedOut: it could not be written.
    """
    memory = os.path.join(directory, _MEMORY)
    try:
        files.write(_mark(place), memory)
        keptmachine.write(directory, _ask(place))
        # xl would let everybody read it.
        files.write(memory, "")
        control.save(place.name, memory)
        files.sync_file(memory)
        # What the guest has been told is on its disk may be in QEMU's hands alone. The domain is Xen's to pause: QEMU writes out
        # when it is stopped, and holds nobody up that does not run.
        for word in ("stop", "cont"):
            control.tell("qemu-monitor-command", place.name, word)
        written()
    except BaseException:
        let_go_on(place)
        raise


def is_held(place: Place) -> bool:
    """Return whether a domain was held, and not told to go on."""
    return os.path.exists(_mark(place))


def let_go_on(place: Place) -> None:
    """Let a domain go on once nobody writes down its memory any more; no error if it is not held.

    Raises:
        Failed, TimedOut: it does not.
    """
    if not is_held(place):
        return
    with open(_mark(place)) as file:
        memory = file.read()
    deadline = time.monotonic() + _END_SECONDS
    # A command of Xen's that was killed would leave a domain that nobody can wake: it is waited for.
    while memory and process.find_by_argument(memory):
        if time.monotonic() > deadline:
            raise TimedOut(f"xl does not stop writing down the memory of {place.name}")
        time.sleep(_LOOK_SECONDS)
    if "p" in control.state(place.name):
        control.tell("unpause", place.name)
    os.unlink(_mark(place))


def memory_path(directory: str) -> str:
    """Return where in a checkpoint the memory is."""
    return os.path.join(directory, _MEMORY)


def writable_disks(place: Place) -> list[str]:
    """Return the further disks that a domain was given to write to, as its kernel calls them."""
    return _WRITABLE.findall(_config(place))


def _ask(place: Place) -> Machine:
    """Return what a domain is now: it keeps what it was made with, but for its processors, which may have become others."""
    made = {key: int(value) for key, value in _NUMBER.findall(_config(place))}
    return Machine(
        cpus=control.processors(place.name),
        most_cpus=made["maxvcpus"],
        memory=made.get("maxmem", made["memory"]) * MIB,
    )


def _config(place: Place) -> str:
    with open(control.config_path(place)) as file:
        return file.read()


def _mark(place: Place) -> str:
    return os.path.join(ownkernel.private_directory(place), keeper.MARK)
