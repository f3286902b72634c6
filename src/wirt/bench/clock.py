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
    time spent on the way is less than the difference that matters.
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
        earlier = [one for one in self._looks if one.guest < look.guest and one.host < look.host]
        self._looks.append(look)
        if not earlier:
            return None
        best = min(earlier, key=lambda one: (one.doubt + doubt) / (look.host - one.host))
        host, guest = look.host - best.host, look.guest - best.guest
        return seconds * host / guest if best.doubt + doubt <= CLOCK_LIMIT * host else None
