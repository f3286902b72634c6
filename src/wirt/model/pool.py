"""Storage pools that a person has made, as data. Those that every home has are in no state."""

from enum import StrEnum

import msgspec


class Phase(StrEnum):
    """How far a pool is made or taken away; what is neither is for the next command to take away."""

    MAKING = "making"
    READY = "ready"
    REMOVING = "removing"


class StoragePool(msgspec.Struct, frozen=True, kw_only=True):
    """One place where roots live."""

    name: str
    kind: str
    """"btrfs", "directory", "image" or "lvm"."""
    path: str
    """A directory of a person's, or where the pool's own file system is mounted."""
    source: str | None = None
    """The device or file that its own file system is on, or its thin pool, ``GROUP/NAME``; None: it has none."""
    size: int | None = None
    """Bytes of the file or thin pool that was made for it; None: there is no such file, the thin pool is the whole group."""
    device: str | None = None
    """The device that the group of its thin pool was made on; None: the group is a person's, or there is none."""
    uuid: str | None = None
    """Of its own file system, which is found by it on whatever device it is after a reboot; or what its thin pool is marked with."""
    created: float
    """Unix time, seconds."""
    phase: Phase = Phase.READY

    @property
    def roots(self) -> str:
        """Return the directory of its roots."""
        return f"{self.path}/guests"

    @property
    def forms(self) -> str:
        """Return the directory of the forms of templates that its roots are cloned from, if they must be on its file system."""
        return f"{self.path}/templates"
