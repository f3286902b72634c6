"""What a checkpoint holds of a machine beside its memory, and what it cannot hold: the same for every engine that keeps machines."""

import os
from typing import TypeVar

import msgspec

from wirt.errors import Corrupt, Failed
from wirt.host import files
from wirt.model.checkpoint import Obstacle
from wirt.model.limits import Limits
from wirt.units import render_bytes

M = TypeVar("M")

_FILE = "machine.json"


def write(directory: str, machine: msgspec.Struct) -> None:
    """Write which machine a directory holds the memory of."""
    files.write(os.path.join(directory, _FILE), msgspec.json.encode(machine).decode())


def read(directory: str, kind: type[M]) -> M:
    """Return which machine a directory holds the memory of.

    Args:
        directory: of the checkpoint.
        kind: what ``write`` was given.

    Raises:
        Corrupt: it holds none.
    """
    try:
        with open(os.path.join(directory, _FILE), "rb") as file:
            return msgspec.json.decode(file.read(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise Corrupt(f"{directory}/{_FILE} cannot be read: {error}") from error


def check(limits: Limits, *, cpus: int, memory: int) -> None:
    """Check whether a guest held to limits can go on from what its machine held.

    Args:
        limits: what it is held to now.
        cpus: of the machine that was kept.
        memory: that this has at the most, bytes.

    Raises:
        Failed: it cannot.
    """
    if cpus != limits.cpus or memory < limits.memory:
        raise Failed(
            f"what was kept is of a machine with {cpus} CPUs and {render_bytes(memory)} of memory, "
            f"and the guest has {limits.cpus} and {render_bytes(limits.memory)} now",
            hint="give it those again: wirt set --cpus --memory",
        )


def disk_in_the_way(name: str) -> Obstacle:
    """Return the obstacle that a further disk is which the guest may write to."""
    return Obstacle(
        what=f"disk {name}",
        reason="is no part of a checkpoint, and what the guest remembers of it may not be so any more",
        hint="remove it, or add it with --read-only",
    )
