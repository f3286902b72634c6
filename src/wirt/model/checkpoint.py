"""Checkpoints: what stands in the way of one, as data."""

import msgspec

EARLIER = "before-"
"""What a directory among a checkpoint's files begins with, before its number, that holds second names of an earlier one's."""


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in a running guest that its memory cannot be kept with."""

    what: str
    """Kind and name: "process 120 (sh)", "mount /mnt", "device wg0"."""
    reason: str
    """Why not; follows "what" in a sentence."""
    hint: str
    """What to do about it."""
    unit: str | None = None
    """systemd's unit whose sandboxing it is, which can be switched off."""
