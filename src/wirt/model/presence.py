"""How much of a thing is there."""

from enum import StrEnum


class Presence(StrEnum):
    """What a probe of the kernel says about one thing."""

    ABSENT = "absent"
    PARTIAL = "partial"
    PRESENT = "present"
