"""Holds a guest's clock against the node's: a rate measured by a clock that runs wrong is a wrong rate."""

from typing import NamedTuple

from wirt.bench.caveats import CLOCK_LIMIT


class _Look(NamedTuple):
    """The end of a pass: what both clocks said, and how much later than it the node may have looked."""

    guest: float
    host: float
    doubt: float


class ClockCheck:
    """The clock of one subject, from its start on.

    When a pass begins and ends cannot be seen from outside: the way into a guest and back takes time (0.3 s under QEMU),
    which would look like a clock that is wrong. So the ends of two passes are compared that lie so far apart that the
    time spent on the way is less than the difference that matters, and no farther: over a longer stretch one pass with
    a wrong clock would be lost among the right ones. A pass that ends no such stretch is part of a later one.
    """

    def __init__(self) -> None:
        self._looks: list[_Look] = []

    def host_seconds(
        self, *, guest_end: float, seconds: float, host_begin: float, host_end: float
    ) -> float | None:
        """Return how long a pass took by the node's clock; None if it cannot be told to 1 % yet.

        Args:
            guest_end: the guest's clock when the pass ended.
            seconds: how long it took by that clock.
            host_begin: the node's clock before the pass was asked for.
            host_end: the node's clock when it was known to have ended.
        """
        doubt = max(0.0, host_end - host_begin - seconds)
        look = _Look(guest=guest_end, host=host_end, doubt=doubt)
        earlier = tuple(self._looks)
        self._looks.append(look)
        for one in reversed(earlier):
            host, guest = look.host - one.host, look.guest - one.guest
            if guest > 0 and host > 0 and one.doubt + doubt <= CLOCK_LIMIT * host:
                return seconds * host / guest
        return None
