"""How much of a thing is there."""

from enum import StrEnum


class Presence(StrEnum):
    """What a probe of the kernel says about one thing."""

    ABSENT = "absent"
    PARTIAL = "partial"
    PRESENT = "present"


def present_if(there: object) -> Presence:
    """Return the presence of a thing of which there is no half: whether there is anything."""
    return Presence.PRESENT if there else Presence.ABSENT
