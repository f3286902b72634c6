"""How fast a card sends and is sent to, on the node's side of it, where the guest has no say.

What the guest is sent waits in a queue of the card (a token bucket, tc-tbf(8)). What it sends is dropped beyond the rate, by a
table of the packet filter that hangs on the card: to have it wait, it would have to be led through another interface.
The queue goes with the card. The table does not: it has the card's name, so that it is found again.
"""

import shlex

from wirt.host import links, nft, run
from wirt.model.capability import Capability, no, yes
from wirt.model.presence import Presence, present_if
from wirt.model.rates import Rates
from wirt.model.resources import Nic, NicKind

_FAMILY = "netdev"
_QUEUE_MILLISECONDS = 50
_LEAST_BURST = 128 * 1024
"""Bytes; a card hands over up to 64 KiB as one, which must fit."""
_BURST_SECONDS = 0.02


class CardShaper:
    """Rates of cards by the node's kernel."""

    def probe_capability(self, nic: Nic) -> Capability:
        """Ask whether this card can be held to rates."""
        if nic.kind is NicKind.ALIAS:
            return no("rates", "it has no card of its own", "give it another approach")
        if run.find_program("tc") is None:
            return no("rates", "the program tc is not installed", "apt-get install iproute2")
        return yes("rates", "by a queue, and by dropping what is beyond")

    def shape(self, nic: Nic, rates: Rates) -> None:
        """Hold a card that is there to these rates, and to no others.

        Raises:
            Failed: the kernel refused; some may have been changed.
        """
        name = nic.interface
        nft.apply(build_outward(name, rates.outward))
        if rates.inward is not None:
            run.check(["tc", *build_inward(name, rates.inward)])
        elif links.exists(name):
            # It has another one only if we gave it that: to delete what is not there is refused.
            run.run(["tc", "qdisc", "delete", "dev", name, "root"])

    def script(self, nic: Nic, rates: Rates) -> str:
        """Return the same commands as ``shape`` runs."""
        name = nic.interface
        lines = [f"nft -f - <<'END'\n{build_outward(name, rates.outward)}END"]
        if rates.inward is not None:
            lines.append(f"tc {shlex.join(build_inward(name, rates.inward))}")
        return "\n".join(lines) + "\n"

    def release(self, nic: Nic) -> None:
        """Hold a card to no rates; no error if it is gone."""
        nft.apply(build_outward(nic.interface, None))

    def probe(self, nic: Nic) -> Presence:
        """Ask the kernel whether there is something that would not go with the card."""
        there = nft.has_table(_FAMILY, nic.interface)
        return present_if(there)


def build_outward(card: str, rate: int | None) -> str:
    """Return the commands that drop what a card sends beyond a rate; None: that drop nothing any more.

    After a silence it may send a second's worth at once: the kernel adds that to the burst (nft_limit.c).
    """
    removal = f"add table {_FAMILY} {card}\ndelete table {_FAMILY} {card}\n"
    if rate is None:
        return removal
    return f"""\
{removal}table {_FAMILY} {card} {{
	chain from-guest {{
		type filter hook ingress device "{card}" priority 0; policy accept;
		limit rate over {rate // 8} bytes/second burst {_LEAST_BURST} bytes drop
	}}
}}
"""


def build_inward(card: str, rate: int) -> list[str]:
    """Return the arguments of ``tc`` that have what a card is sent wait for its rate."""
    burst = max(_LEAST_BURST, int(rate / 8 * _BURST_SECONDS))
    bucket = f"rate {rate}bit burst {burst} latency {_QUEUE_MILLISECONDS}ms"
    return ["qdisc", "replace", "dev", card, "root", "tbf", *bucket.split()]
