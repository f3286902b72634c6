"""Whether a guest that comes from elsewhere, over a link or in a file, can be this node's: asked before anything is changed."""

from collections.abc import Iterator
from contextlib import contextmanager

from wirt.errors import Conflict, Error, InvalidInput, NotFound, OutOfSpace, Unsupported
from wirt.host import files
from wirt.model.card import CardKind
from wirt.model.guest import Guest
from wirt.model.limits import check_limits
from wirt.ops.bridges import list_networks
from wirt.ops.checks.admission import check_guarantees
from wirt.ops.checks.sizes import machine_of
from wirt.ops.context import Context
from wirt.ops.forward import check_free
from wirt.ops.moving import images
from wirt.ops.moving.protocol import Arrival
from wirt.ops.steps.ladder import Ladder
from wirt.storage.base import Portable
from wirt.units import render_bytes


def check(context: Context, arrival: Arrival, here: str) -> None:
    """Check all that can be known but for memory and subnet; changes nothing.

    Args:
        context: the home.
        arrival: what comes.
        here: what this node is called in messages.

    Raises:
        InvalidInput, NotFound, Conflict, Unsupported, OutOfSpace: it cannot be; says why.
    """
    guest = arrival.guest
    approach = context.approach(guest.approach)
    capability = approach.probe_capability()
    if not capability.available:
        raise Unsupported(
            f"{here} has no approach {guest.approach}: {capability.reason}",
            hint=capability.hint or "see wirt doctor there",
        )
    if guest.has_template and not arrival.brings_template:
        _check_template(context, guest, here)
    _check_pool(context, arrival, here)
    _check_networks(context, arrival, here)
    _check_taken(context, guest, here)
    with _said_of(here):
        machine = machine_of(context, approach)
        check_limits(
            guest.limits,
            smallest_memory=approach.needs.smallest_memory,
            most_memory=machine.memory if approach.needs.own_kernel else None,
            node_cpus=len(machine.processors),
        )
        check_guarantees(context, guest)
        for forward in guest.forwards:
            check_free(context, forward)
        for card in guest.all_cards:
            if card.kind is CardKind.ROUTED:
                for address in card.addresses:
                    context.routed().check_further(address)


def _check_template(context: Context, guest: Guest, here: str) -> None:
    if context.templates.find(guest.template, guest.template_sha256) is None:
        raise NotFound(
            f"{here} has no template {guest.template} of the version that guest {guest.name} rests on",
            hint="try again",
        )


def _check_pool(context: Context, arrival: Arrival, here: str) -> None:
    guest = arrival.guest
    try:
        pool = context.pool(guest.pool)
        capability = pool.probe_capability()
    except InvalidInput:
        raise NotFound(
            f"{here} has no pool {guest.pool}, which the root of guest {guest.name} is on",
            hint=f"make it there: wirt pool create {guest.pool}",
        ) from None
    if not capability.available:
        raise Unsupported(
            f"pool {guest.pool} of {here} cannot be used: {capability.reason}",
            hint=capability.hint,
        )
    if not isinstance(pool, Portable):
        raise Unsupported(
            f"pool {guest.pool} of {here} takes no roots from elsewhere",
            hint="pools of kind btrfs, directory and image do",
        )
    if guest.limits.user_quotas:
        # Loaded here: few guests have them.
        from wirt.ops import quotas

        lack = quotas.probe(context, guest)
        if not lack.available:
            raise Unsupported(
                f"{here} cannot hold users of guest {guest.name} to quotas: {lack.reason}",
                hint=f"do without: wirt set {guest.name} --user-quotas off, and restart it",
            )
    free = files.free_bytes(pool.place(guest.id))
    if free < arrival.bytes:
        raise OutOfSpace(
            f"{here} has {render_bytes(free)} free on pool {guest.pool}, and the root of guest "
            f"{guest.name} takes {render_bytes(arrival.bytes)}",
            hint="free some space there",
        )
    if arrival.image is not None and not arrival.brings_template:
        form = Ladder(context, guest).root.form()
        if images.checksum(context, form) != arrival.image:
            raise Conflict(
                f"{here} has made another image of template {guest.template}, block by block, and "
                f"the disk of guest {guest.name} rests on its blocks",
                hint="remove it there, if no other guest rests on it, and it comes along: wirt template remove "
                f"{guest.template}",
            )


def _check_networks(context: Context, arrival: Arrival, here: str) -> None:
    """Check that the private networks of the guest's cards are here too, with the same addresses."""
    ours = {one.name: one.subnet for one in list_networks(context)}
    for one in arrival.networks:
        if one.name not in ours:
            raise Unsupported(
                f"{here} has no network {one.name}, on which guest {arrival.guest.name} has a card",
                hint=f"add it there: wirt network add {one.name} --subnet {one.subnet}",
            )
        if ours[one.name] != one.subnet:
            raise Conflict(
                f"on {here} network {one.name} has the subnet {ours[one.name]}, and not {one.subnet}",
                hint="rename one of the two by removing and adding it",
            )


def _check_taken(context: Context, guest: Guest, here: str) -> None:
    under_way = [intent.guest for intent in context.store.intents()]
    for other in [*context.store.guests(), *under_way]:
        if other.id == guest.id:
            raise Conflict(f"{here} has a guest of the same id, {other.name}", hint="destroy it")
        if other.name == guest.name:
            raise Conflict(
                f"{here} has a guest {guest.name} already",
                hint="rename one of the two: wirt rename",
            )
        for address in set(other.held_addresses).intersection(guest.held_addresses):
            raise Conflict(
                f"{here} has a guest {other.name} with the address {address}",
                hint="destroy that first, or choose another",
            )
        if guest.number is not None and other.number == guest.number:
            raise Conflict(
                f"{here} has a guest {other.name} with the number {guest.number}",
                hint="destroy that first",
            )


@contextmanager
def _said_of(here: str) -> Iterator[None]:
    """Let a message that a person on this node would understand be read on another."""
    try:
        yield
    except Error as error:
        raise type(error)(f"on {here}: {error.message}", hint=error.hint) from error
