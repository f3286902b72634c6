"""The port of the state: which guests there are, and which operation on one of them is under way."""

from typing import Protocol

import msgspec

from wirt.errors import Conflict
from wirt.model.guest import Guest
from wirt.model.names import number_in
from wirt.model.pool import StoragePool

MAKING_VERBS = frozenset({"clone", "create", "import", "receive", "run"})
"""Verbs that begin with nothing: until they end there is no such guest for anybody else."""


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the journal: what somebody set out to do to a guest and has not said to be done.

    It holds the whole guest, so that whoever finds it can undo or finish the work without asking anybody else.
    """

    guest: Guest
    verb: str
    began: float
    """Unix time, seconds."""
    snapshot: str | None = None
    """Name of the snapshot that it is about, None for a verb on the guest itself."""
    node: str | None = None
    """Name of the node that the guest is handed over to, None if it is not."""


class Store(Protocol):
    """State of one home. Each method is one transaction that is on disk when it returns."""

    def guests(self) -> list[Guest]:
        """Return all guests by name, those whose making is under way left out."""
        ...

    def find(self, name: str) -> Guest:
        """Return a guest by name, or by its number if none has that for a name.

        Raises:
            NotFound: there is none.
        """
        ...

    def intents(self) -> list[Intent]:
        """Return what is under way, or was when its process died."""
        ...

    def intent(self, guest_id: str) -> Intent | None:
        """Return what is under way for one guest."""
        ...

    def begin(self, intent: Intent) -> None:
        """Write down what is going to be done; a new guest takes its name, number and address with it.

        Raises:
            Conflict: the name, the number or the address is taken, or a new guest's id.
        """
        ...

    def settle(self, guest_id: str, guest: Guest | None) -> None:
        """Strike the intent and set the guest to what it has become; None: it is gone.

        Raises:
            Conflict: its new name, number or address is taken; nothing was changed.
        """
        ...

    def addresses(self) -> set[str]:
        """Return every address that is taken, by guests under way too."""
        ...

    def ids(self) -> set[int]:
        """Return the number of every range of ids that is taken, by guests under way too."""
        ...

    def made_from(self, template: str) -> list[str]:
        """Return the names of the guests of a template, those under way too."""
        ...

    def is_empty(self) -> bool:
        """Return whether there is neither a guest nor an intent."""
        ...

    def setting(self, key: str) -> str | None:
        """Return what was kept under ``key``."""
        ...

    def keep(self, key: str, value: str) -> str:
        """Keep ``value`` under ``key`` unless something is there, and return what is there now."""
        ...

    def change(self, key: str, value: str) -> None:
        """Keep ``value`` under ``key``, whatever is there."""
        ...

    def pools(self) -> list[StoragePool]:
        """Return the pools that were made, by name, those too that are half made or half gone."""
        ...

    def put_pool(self, pool: StoragePool) -> None:
        """Keep a pool, in the place of what there was of that name."""
        ...

    def drop_pool(self, name: str) -> None:
        """Forget a pool; no error if there is none."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def address_taken(address: str, other: str) -> Conflict:
    """Return the refusal of a guest that would have an address of another."""
    return Conflict(
        f"address {address} is in use by guest {other}",
        hint="choose another or leave it out",
    )


def numbers_of(guest: Guest) -> set[int]:
    """Return the numbers that a guest answers to: the one that it was given, and the one that its name is."""
    numbers = (guest.number, number_in(guest.name))
    return {number for number in numbers if number is not None}


def number_taken(number: int, other: str) -> Conflict:
    """Return the refusal of a guest that would answer to a number that another answers to."""
    return Conflict(
        f"guest {other} is found by the number {number} already", hint="choose another number"
    )
