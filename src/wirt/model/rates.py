"""How fast a guest may send and be sent to."""

import msgspec

from wirt.errors import InvalidInput
from wirt.units import render_rate

SLOWEST, FASTEST = 64_000, 100_000_000_000


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Bits per second of a guest's card; None: as fast as it goes."""

    inward: int | None = None
    """What it is sent."""
    outward: int | None = None
    """What it sends."""


def check_rates(rates: Rates) -> None:
    """Check that a card can be held to these.

    Raises:
        InvalidInput: one is too slow to be of use, or faster than anything.
    """
    for rate in (rates.inward, rates.outward):
        if rate is not None and not SLOWEST <= rate <= FASTEST:
            raise InvalidInput(
                f"a guest cannot be held to {render_rate(rate)}",
                hint=f"ask for {render_rate(SLOWEST)} to {render_rate(FASTEST)}",
            )
