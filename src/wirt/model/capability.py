"""What a node, an approach or a pool can do: a yes, or a no with its reason and what to do about it."""

import msgspec


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, probed from the node and never guessed."""

    name: str
    available: bool
    reason: str
    """Why not; or, for a yes, what it rests on."""
    hint: str | None = None
    """What would turn a no into a yes; None if nothing would."""


def yes(name: str, reason: str) -> Capability:
    """Return a yes that rests on ``reason``."""
    return Capability(name=name, available=True, reason=reason)


def no(name: str, reason: str, hint: str | None = None) -> Capability:
    """Return a no with its reason and the next step."""
    return Capability(name=name, available=False, reason=reason, hint=hint)
