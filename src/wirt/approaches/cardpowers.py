"""Powers of approaches over the cards of guests that run; see ``base`` for the port itself."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from wirt.model.guest import Handle
from wirt.model.launch import Place
from wirt.model.resources import Nic


@runtime_checkable
class HasCards(Protocol):
    """A power of approaches whose guests' cards can be changed while they run."""

    def change_card(self, place: Place, before: Nic, after: Nic) -> None:
        """Give a card of a running guest other addresses and another MTU; again is no error.

        Raises:
            Failed: it does not run, or the guest's kernel refused; some may have been changed.
        """
        ...

    def plug(self, place: Place, handle: Handle, nic: Nic) -> None:
        """Give a running guest another card, which the network lets through; again is no error.

        Raises:
            Failed: it does not run, or its engine or kernel refused; ``unplug`` takes away what there is of it.
        """
        ...

    def unplug(self, place: Place, handle: Handle, nic: Nic) -> None:
        """Take a card from a running guest; no error if it has not got it.

        Raises:
            Failed: it does not run, or its engine or kernel refused.
        """
        ...


@runtime_checkable
class ForgetsCards(HasCards, Protocol):
    """A power of those of them whose guests, if they reboot by themselves, begin with the cards of their start."""

    def remember_cards(self, place: Place, nics: Sequence[Nic]) -> None:
        """Have a running guest begin with these cards when it reboots by itself, and give its devices back when it ends.

        Args:
            place: where the guest's traces are.
            nics: all that it has, the first one first; in the place of those that were said earlier.
        """
        ...


@runtime_checkable
class TakesDevices(HasCards, Protocol):
    """A power of those of them that can be given an interface of the node itself, by ``plug``."""

    def network_of(self, place: Place) -> str:
        """Return the path of a running guest's network namespace.

        Raises:
            Failed: it does not run.
        """
        ...
