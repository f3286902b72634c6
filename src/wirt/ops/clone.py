"""``clone``: another guest that begins with what a guest's root holds now."""

import os
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec

from wirt.errors import NotPermitted
from wirt.model.card import further_of
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.model.names import check_name, new_guest_id
from wirt.model.presence import Presence
from wirt.ops import guests, journal, recovery
from wirt.ops.bridges import network_of
from wirt.ops.context import Context
from wirt.ops.create import take_place
from wirt.ops.steps.ladder import Ladder
from wirt.ops.steps.step import Step
from wirt.storage.templates.ownthings import forget_identity


def clone(
    context: Context,
    name: str,
    new: str,
    *,
    address: str | None = None,
    lives_with: str | None = None,
    progress: Callable[[str], None],
) -> Guest:
    """Make a guest of another one and return it, stopped; the other goes on as it was.

    It has the other's definition, cards and root, and a name, addresses and MACs of its own; what tells the other from all others
    is taken out of its root. A device of the node stays the other's. A running guest is held still while its root is copied,
    where the pool cannot do that in an instant.

    Args:
        context: the home.
        name: the guest that is cloned.
        new: what the clone is called.
        address: its address; None for one that is chosen.
        lives_with: as in ``CreateRequest``.
        progress: is told what was put right in the clone, and in what its cards are not the other's.

    Raises:
        InvalidInput, NotFound, Conflict, Unsupported, NotPermitted, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be made; nothing of it is left.
    """
    if os.geteuid() != 0:
        raise NotPermitted("making a guest needs root", hint="run it as root")
    check_name(new)
    with guests.held(context, name) as source:
        next_state(source.state, "clone", source.name)
        ladder = Ladder(context, source)
        holding = ladder.to_hold(ladder.root.copying().instant_copy, "copies")
        planned = msgspec.structs.replace(
            _with_cards(context, _plan(context, source, new, address), source),
            lives_with=lives_with,
        )
        with context.guest_lock(planned):
            made = take_place(context, planned, "clone", is_asked_for=address is not None)
            copied = Ladder(context, made)
            if holding:
                journal.begin(context, source, "hold")
            try:
                steps = [*holding, *copied.to_copy(source), _putting_right(copied, progress)]
                journal.build(context, "clone", made, steps, otherwise=None)
            finally:
                if holding:
                    recovery.let_go_on(context, source, "hold")
            journal.settle(context, "clone", made, made)
    _tell(progress, _differences(source, made))
    return made


def _plan(context: Context, source: Guest, new: str, address: str | None) -> Guest:
    """Return the guest that is going to be made; the template's version is the one that its root rests on."""
    guest_id = new_guest_id()
    return Guest(
        id=guest_id,
        name=new,
        approach=source.approach,
        template=source.template,
        template_sha256=source.template_sha256,
        pool=source.pool,
        # The node's promises are made to one guest; another asks for its own.
        limits=msgspec.structs.replace(source.limits, cpu_guarantee=0.0, memory_guarantee=0),
        rates=source.rates,
        address=network_of(context, source.card).choose_address(
            address, context.store.addresses(), guest_id
        ),
        mac=context.network.mac(guest_id),
        mtu=source.mtu,
        routes=source.routes,
        card_name=source.card_name,
        is_routed=source.is_routed,
        is_proxied=source.is_proxied,
        created=time.time(),
        naming=msgspec.structs.replace(source.naming, hostname=None),
        privileges=source.privileges,
        kernel_boot=source.kernel_boot,
        has_screen=source.has_screen,
    )


def _with_cards(context: Context, guest: Guest, source: Guest) -> Guest:
    """Return the guest that is going to be made with cards like its original's."""
    if not source.cards:
        return guest
    # Loaded here: few guests have more than one card.
    from wirt.ops.cards import copied_cards

    return msgspec.structs.replace(guest, cards=copied_cards(context, source, guest))


def _differences(source: Guest, made: Guest) -> Iterator[str]:
    """Return what has to be said of a clone's cards."""
    for card in made.cards:
        yield f"card {card.name}: {', '.join(card.addresses)}, {card.mac}"
    for card in source.cards:
        if card.is_device:
            yield f"left out: {card.name}, a device of the node that guest {source.name} has"
    further = [one for card in source.all_cards for one in further_of(card)]
    if further:
        yield f"left out: further addresses of guest {source.name}: {', '.join(further)}"


def _putting_right(ladder: Ladder, progress: Callable[[str], None]) -> Step:
    """Return the step that takes what is its original's own out of a clone's root, shown for as long as that takes."""
    if ladder.root.is_image:
        return Step(
            name="identity",
            do=lambda: _tell(progress, ladder.root.forget_identity()),
            undo=lambda: None,
            # What it leaves goes with the root.
            probe=lambda: Presence.ABSENT,
        )
    showing = ladder.root.to_reach()

    def put_right() -> None:
        root = os.open(ladder.root.reached(), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _tell(progress, forget_identity(root))
        finally:
            os.close(root)
        showing.undo()

    return msgspec.structs.replace(showing, name="identity", do=put_right)


def _tell(progress: Callable[[str], None], lines: Iterable[str]) -> None:
    for line in lines:
        progress(line)
