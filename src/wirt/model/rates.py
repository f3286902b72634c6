"""How fast a card of a guest may send and be sent to."""

import msgspec

from wirt.errors import InvalidInput
from wirt.units import UNBOUNDED, render_rate

SLOWEST, FASTEST = 64_000, 100_000_000_000


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Bits per second of a guest's card; None: as fast as it goes."""

    inward: int | None = None
    """What it is sent."""
    outward: int | None = None
    """What it sends."""

    def changed(self, *, inward: int | None = None, outward: int | None = None) -> "Rates":
        """Return these with others in their place: None stays, ``UNBOUNDED`` is as fast as it goes."""
        return Rates(inward=_other(self.inward, inward), outward=_other(self.outward, outward))


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


def render_rates(rates: Rates) -> str:
    """Return for a person what a card is held to: "10 Mbit/s in, 2 Mbit/s out"; empty if to nothing."""
    ways = ((rates.inward, "in"), (rates.outward, "out"))
    return ", ".join(f"{render_rate(rate)} {way}" for rate, way in ways if rate is not None)


def _other(had: int | None, wanted: int | None) -> int | None:
    return had if wanted is None else None if wanted == UNBOUNDED else wanted
