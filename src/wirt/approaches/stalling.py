"""A power of approaches whose machines stand still by themselves when what they write finds no room."""

from typing import Protocol, runtime_checkable

from wirt.model.launch import Place


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
