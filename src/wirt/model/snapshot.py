"""Snapshots: what a guest's root was at one time, as data."""

import msgspec

from wirt.model.limits import Limits


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One state of a guest's root that can be gone back to."""

    name: str
    created: float
    """Unix time, seconds."""
    limits: Limits | None = None
    """Made before a change of the guest: what its limits were then, to be gone back to with the root."""
    is_torn: bool = False
    """Of a guest that ran and did not write out what it held back: it is as after a power cut."""
    memory: int | None = None
    """Bytes of what the guest's memory held, kept with it to go on from: a checkpoint. None: the root alone."""
    disks: tuple[str, ...] = ()
    """Names of the further disks of the guest's pool that were kept with the root."""
    title: str = ""
    """What a person calls it who knows it by another name than its own."""
    description: str = ""
    """What a person says of it."""


class SnapshotReport(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as it is listed, with what had to be asked of the disk and the kernel."""

    name: str
    created: float
    """Unix time, seconds."""
    bytes: int
    """Bytes of the disk that would be free without it."""
    mounted: str | None
    """Where it can be looked at, None if nowhere."""
    memory: int | None = None
    """Bytes of memory kept with it: the guest can go on from it. None: it is of the root alone."""
    disks: tuple[str, ...] = ()
    """Names of the further disks kept with it."""
    title: str = ""
    description: str = ""
