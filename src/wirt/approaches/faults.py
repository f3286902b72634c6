"""Powers of approaches that know what went wrong with a guest of theirs; see ``base`` for the port itself."""

from typing import Protocol, runtime_checkable

from wirt.model.launch import Place


@runtime_checkable
class KnowsPanics(Protocol):
    """It is known what became of a guest that ended by itself: from its own kernel's last words, or from the node's."""

    def find_panic(self, place: Place) -> str | None:
        """Return why a guest that has ended by itself did, as far as a kernel says; None: it had no reason, or nobody knows."""
        ...


@runtime_checkable
class Stalls(Protocol):
    """The engine holds a guest still whose disk cannot be written, and does not tell it: nothing of it is lost."""

    def is_stalled(self, place: Place) -> bool:
        """Ask the engine, if it runs."""
        ...

    def try_again(self, place: Place) -> None:
        """Let the guest go on, which writes again what could not be written.

        Raises:
            Failed: the engine did not take the command.
        """
        ...
