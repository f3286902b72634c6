"""The port of the ways to another node: to ask it something, and to send it files.

A session is one process of Wirt over there. It ends when this side ends it, dies, or is cut off, and takes back what it has
not been told to keep: so neither side has to wait for the other's death to be noticed by a person.
"""

from contextlib import AbstractContextManager
from typing import Protocol

from wirt.errors import Failed


class LinkLost(Failed):
    """The other node could not be reached, or did not answer to the end: what it has done is not known."""


class Session(Protocol):
    """A process of the other node that answers."""

    def ask(self, verb: str, question: bytes = b"null") -> bytes:
        """Have the other node do something, and return what it says; both are JSON.

        Raises:
            LinkLost: there was no answer.
            Error: what the other node raised.
        """
        ...


class Link(Protocol):
    """The way to one other node."""

    name: str
    """The node's."""

    def open(self) -> AbstractContextManager[Session]:
        """Begin a session, which ends with the block.

        Raises:
            LinkLost: the node cannot be reached; the detail is what ssh said.
        """
        ...

    def reach(self, socket: str) -> AbstractContextManager[str]:
        """Give the path of a socket here that leads to one over there, for as long as the block runs.

        Raises:
            LinkLost: the node cannot be reached.
        """
        ...

    def send(self, source: str, target: str, *, moving: bool = False) -> int:
        """Make a file, or all below a directory, over there what it is here, and return the bytes that went over.

        What is there already and the same does not go over again; owners, links, holes, devices and attributes are kept.

        Args:
            source: here; a directory ends with "/".
            target: there, likewise.
            moving: True if somebody writes to it meanwhile, so that files may vanish on the way.

        Raises:
            OutOfSpace, Failed, LinkLost: some of it may be there.
        """
        ...

    def give(self, source: str, target: str) -> int:
        """Have a directory over there whose files nobody writes to any more, on either side, and return the bytes that went over.

        On one machine they may be the same files.

        Args:
            source: here; ends with "/".
            target: there, likewise; it is there, and empty but for what was given of the same source before.

        Raises:
            OutOfSpace, Failed, LinkLost: some of it may be there.
        """
        ...
