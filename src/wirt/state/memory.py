"""State in memory: the fake of the port, with the same rules, for tests and for trying things out."""

from wirt.errors import Conflict, NotFound
from wirt.model.guest import Guest
from wirt.model.names import number_in
from wirt.model.pool import StoragePool
from wirt.state.base import MAKING_VERBS, Intent, address_taken, number_taken, numbers_of


class MemoryStore:
    """Forgets everything when it goes."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._guests: dict[str, Guest] = {}
        self._journal: dict[str, Intent] = {}
        self._settings: dict[str, str] = {}
        self._pools: dict[str, StoragePool] = {}

    def guests(self) -> list[Guest]:
        """Return all guests by name, those whose making is under way left out."""
        making = {key for key, intent in self._journal.items() if intent.verb in MAKING_VERBS}
        found = [guest for key, guest in self._guests.items() if key not in making]
        return sorted(found, key=lambda guest: guest.name)

    def find(self, name: str) -> Guest:
        """Return a guest by name, or by its number.

        Raises:
            NotFound: there is none.
        """
        for guest in self._guests.values():
            if guest.name == name:
                return guest
        number = number_in(name)
        for guest in self._guests.values():
            if number is not None and guest.number == number:
                return guest
        raise NotFound(f"there is no guest {name}", hint="see wirt list")

    def intents(self) -> list[Intent]:
        """Return what is under way."""
        return list(self._journal.values())

    def intent(self, guest_id: str) -> Intent | None:
        """Return what is under way for one guest."""
        return self._journal.get(guest_id)

    def begin(self, intent: Intent) -> None:
        """Write down what is going to be done; a new guest takes its name, number and address with it.

        Raises:
            Conflict: the name, the number or the address is taken, or a new guest's id.
        """
        guest = intent.guest
        if intent.verb in MAKING_VERBS and guest.id in self._guests:
            taken = self._guests[guest.id].name
            raise Conflict(f"guest id {guest.id} is that of guest {taken}", hint="try again")
        self._check_free(guest)
        self._journal[guest.id] = intent
        self._guests.setdefault(guest.id, guest)

    def _check_free(self, guest: Guest) -> None:
        numbers = numbers_of(guest)
        for other in self._guests.values():
            if other.id != guest.id and other.name == guest.name:
                raise Conflict(
                    f"there is a guest {guest.name} already",
                    hint=f"choose another name or destroy it first: wirt destroy {guest.name}",
                )
            both = numbers_of(other) & numbers
            if other.id != guest.id and both:
                raise number_taken(min(both), other.name)
        others = [*self._guests.values(), *(intent.guest for intent in self._journal.values())]
        for address in guest.held_addresses:
            for other in others:
                if other.id != guest.id and address in other.held_addresses:
                    raise address_taken(address, other.name)

    def settle(self, guest_id: str, guest: Guest | None) -> None:
        """Strike the intent and set the guest to what it has become; None: it is gone.

        Raises:
            Conflict: its new name, number or address is taken.
        """
        if guest is None:
            self._guests.pop(guest_id, None)
        else:
            self._check_free(guest)
            self._guests[guest_id] = guest
        self._journal.pop(guest_id, None)

    def addresses(self) -> set[str]:
        """Return every address that is taken."""
        return {one for guest in self._guests.values() for one in guest.held_addresses}

    def ids(self) -> set[int]:
        """Return the number of every range of ids that is taken."""
        return {guest.ids for guest in self._guests.values() if guest.ids is not None}

    def made_from(self, template: str) -> list[str]:
        """Return the names of the guests of a template, those under way too."""
        found = [guest.name for guest in self._guests.values() if guest.template == template]
        return sorted(found)

    def is_empty(self) -> bool:
        """Return whether there is neither a guest nor an intent."""
        return not self._guests and not self._journal

    def setting(self, key: str) -> str | None:
        """Return what was kept under ``key``."""
        return self._settings.get(key)

    def keep(self, key: str, value: str) -> str:
        """Keep ``value`` under ``key`` unless something is there, and return what is there now."""
        return self._settings.setdefault(key, value)

    def change(self, key: str, value: str) -> None:
        """Keep ``value`` under ``key``, whatever is there."""
        self._settings[key] = value

    def pools(self) -> list[StoragePool]:
        """Return the pools that were made, by name, those too that are half made or half gone."""
        return [self._pools[name] for name in sorted(self._pools)]

    def put_pool(self, pool: StoragePool) -> None:
        """Keep a pool, in the place of what there was of that name."""
        self._pools[pool.name] = pool

    def drop_pool(self, name: str) -> None:
        """Forget a pool; no error if there is none."""
        self._pools.pop(name, None)

    def close(self) -> None:
        """Nothing to let go of."""
