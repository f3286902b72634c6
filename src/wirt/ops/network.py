"""``network``: whether this home's guests reach outside."""

import msgspec

from wirt.errors import Error
from wirt.network.base import Reach
from wirt.ops import reach
from wirt.ops.context import Context
from wirt.ops.journal import reached
from wirt.ops.reach import Outbound


class NetworkReport(msgspec.Struct, frozen=True, kw_only=True):
    """A home's network, as it was decided and as it stands."""

    outbound: Outbound
    reach: Reach


def describe(context: Context) -> NetworkReport:
    """Return how the home's network stands; changes nothing."""
    return NetworkReport(outbound=reach.outbound(context), reach=context.gateway().look())


def set_outbound(context: Context, *, wanted: bool) -> None:
    """Let this home's guests reach outside, under the node's address, or not; it is kept.

    Without a guest that was ever started there is no bridge, and it takes effect with the first.

    Raises:
        Busy, Unsupported, Failed: it could not be; nothing was changed.
    """
    with context.network_lock():
        before = reach.outbound(context)
        reached("nat:before-intent")
        reach.decide(context, Outbound.OPENING if wanted else Outbound.CLOSING)
        reached("nat:after-intent")
        try:
            reach.apply(context)
        except Error:
            # What the kernel did not do stays as it was: it takes a table whole or not at all.
            reach.decide(context, before)
            raise
        reached("nat:before-settle")
        reach.settle(context)
        reached("nat:after-settle")
