"""What two nodes say to each other when a guest goes from one to the other, as data."""

import msgspec

from wirt.model.card import PrivateNetwork
from wirt.model.guest import Guest

VERSION = 6
"""Of what follows. Both sides must have the same."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of itself; the answer to "hello"."""

    version: int
    home_id: str
    subnet: str
    guests: int
    data: str
    """Its WIRT_HOME."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A guest that is to come; asked with "check", which changes nothing, and with "receive".

    With "room" it is asked how many bytes of memory may yet be put where its memory is, or would be.
    """

    guest: Guest
    node: str
    """What the node that is asked is called by the one that asks."""
    bytes: int
    """What its root and its snapshots take on disk."""
    subnet: str
    networks: tuple[PrivateNetwork, ...] = ()
    """The private ones that it has cards on."""
    brings_template: bool = False
    """The template, or the image of it that is asked for, is not there, and is sent before the guest."""
    kernel: str | None = None
    """Release of the kernel that its memory is of; None: its memory does not go along."""
    memory: int = 0
    """About how many bytes its memory takes in files."""
    is_ahead: bool = False
    """Its memory is sent before it stands still, and what has changed of it again."""
    machine: str | None = None
    """What the engine here must be like that it is sent to by its own; None: it comes in files."""
    image: str | None = None
    """Checksum of the template's image that its root rests on; None: it rests on files, which have no places."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a template: asked with "lacks" (which parts of it), "template" (where to put them) and "template-here"."""

    name: str
    sha256: str
    with_image: bool = False
    """The image that guests' disks rest on is wanted too."""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to "receive", and to "snapshot" (the name of one that comes then): where what comes is put."""

    root: str
    memory: str | None


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """Asked with "take": what has come is to be the other node's guest."""

    is_started: bool
    """True if it is to run: begun anew, or gone on if its memory has come."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to "take": from here on the guest is that node's."""

    guest: Guest


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to "ready": a command can be run in the guest."""

    answered_ago: float | None
    """Seconds since its kernel first answered on the network; None: it was not seen to."""
    gone_on_ago: float | None = None
    """Seconds since its engine went on with what it was sent; None: it was sent none."""
    trouble: str | None
    """Why it is not ready, though it runs."""
