"""Names in a guest: what it is called inside, and whom it asks for the names of others. ``set`` gives them."""

import msgspec

from wirt.approaches.base import TakesHostname
from wirt.errors import Unsupported
from wirt.model.guest import Guest
from wirt.model.naming import Naming, check_naming
from wirt.ops import journal
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder


class NamesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change; what is None stays, and what is empty is left to the guest again."""

    hostname: str | None = None
    dns: tuple[str, ...] | None = None
    search: tuple[str, ...] | None = None


def changed(context: Context, guest: Guest, request: NamesRequest) -> Naming:
    """Return the names that a guest is to have, once they have been found to be possible.

    Raises:
        InvalidInput, Unsupported: they cannot be.
    """
    had = guest.naming
    naming = Naming(
        hostname=had.hostname if request.hostname is None else request.hostname or None,
        dns=had.dns if request.dns is None else request.dns,
        search=had.search if request.search is None else request.search,
    )
    check_naming(naming)
    needs = context.approach(guest.approach).needs
    if naming.hostname and not needs.own_hostname:
        raise Unsupported(
            f"guest {guest.name} cannot be given a host name: approach {guest.approach} has the "
            "node's",
            hint="leave --hostname out",
        )
    if needs.root != "tree" and (naming.dns or naming.search):
        raise Unsupported(
            f"name servers of guest {guest.name} cannot be set: its disk is its own kernel's",
            hint="set them inside",
        )
    return naming


def can_be_called_at_once(context: Context, guest: Guest) -> bool:
    """Return whether a guest runs whose kernel can be told another host name."""
    return guest.state.is_up and isinstance(context.approach(guest.approach), TakesHostname)


def give(context: Context, guest: Guest, naming: Naming) -> Guest:
    """Give a guest whose lock is held other names and return it: at once if it runs, but for the host name of one with a kernel of its own.

    Raises:
        OutOfSpace, Failed: they could not be written; they stay what they were.
    """
    after = msgspec.structs.replace(guest, naming=naming)
    steps = []
    if guest.state.is_up and context.approach(guest.approach).needs.root == "tree":
        steps.append(Ladder(context, after).to_name(guest))
    journal.begin(context, after, "name")
    journal.build(context, "name", after, steps, otherwise=guest)
    journal.settle(context, "name", after, after)
    return after
