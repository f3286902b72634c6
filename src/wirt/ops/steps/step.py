"""A step of a verb: one thing, and how it is made, taken away and looked for."""

from collections.abc import Callable

import msgspec

from wirt.model.presence import Presence


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of a guest: how to make it, how to take it away, and how much of it is there."""

    name: str
    do: Callable[[], object]
    undo: Callable[[], None]
    probe: Callable[[], Presence]
