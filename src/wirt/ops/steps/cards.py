"""What a guest's cards are made of, as steps: the part of the ladder that joins it to networks."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import msgspec

from wirt.approaches.base import RebootsByItself
from wirt.approaches.cardpowers import ForgetsCards, HasCards, TakesDevices
from wirt.errors import Error, Failed, Unsupported, WrongState
from wirt.host import lending, links
from wirt.model.card import Card, CardKind
from wirt.model.guest import Guest, Handle
from wirt.model.lifecycle import State
from wirt.model.presence import Presence, present_if
from wirt.model.rates import Rates
from wirt.model.resources import Nic, NicKind
from wirt.network.base import Arrivals, Network, Watch
from wirt.ops import reach
from wirt.ops.bridges import network_of
from wirt.ops.context import Context
from wirt.ops.steps.step import Step


class CardSteps:
    """The steps of the cards of one guest."""

    def __init__(self, context: Context, guest: Guest) -> None:
        """Bind the steps to a guest; nothing is done yet."""
        self._context = context
        self._guest = guest
        self._approach = context.approach(guest.approach)
        self._place = context.home.place(guest.id)
        self._arrivals: list[Arrivals] = []

    def nic(self) -> Nic:
        """Return the guest's first card."""
        return self.nic_of(self._guest.card)

    def further(self) -> tuple[Nic, ...]:
        """Return the others, but for devices of the node."""
        return tuple(self.nic_of(card) for card in self._joined()[1:])

    def to_attach(self) -> list[Step]:
        """Return the steps that make what the cards need on the node, before the guest starts."""
        return [self._attaching(card) for card in self._joined()]

    def to_hand_over(self) -> list[Step]:
        """Return the steps that give devices of the node to the guest, once it runs, and fetch them before it ends."""
        return [self._handing_over(card) for card in self._guest.cards if card.is_device]

    def to_pace(self) -> list[Step]:
        """Return the step that holds the cards, once they are there, to their rates, if any has some."""
        paced = self._paced()
        if not paced:
            return []
        shaper, nics = self._context.shaper(), [self.nic_of(card) for card in paced]

        def free() -> None:
            for nic in nics:
                shaper.release(nic)

        return [
            Step(
                name="rates",
                do=lambda: self._pace(paced),
                undo=free,
                probe=lambda: present_if(
                    any(shaper.probe(nic) is not Presence.ABSENT for nic in nics)
                ),
            )
        ]

    def to_repace(self, before: Guest) -> Step:
        """Return the step that holds the cards of a running guest to their rates; undone, to those of ``before``."""
        old = CardSteps(self._context, before)
        other = {card.number for card in {*self._joined()} ^ {*old._joined()}}

        def of(steps: CardSteps) -> list[Card]:
            return [card for card in steps._joined() if card.number in other]

        return Step(
            name="rates",
            do=lambda: self._pace(of(self)),
            undo=lambda: old._pace(of(old)),
            probe=lambda: self._approach.probe(self._place),
        )

    def _pace(self, cards: list[Card]) -> None:
        """Hold these to their rates, and those that take their place when the guest reboots by itself."""
        self._remember_rates()
        for card in cards:
            self._context.shaper().shape(self.nic_of(card), card.rates)

    def _remember_rates(self) -> None:
        if isinstance(self._approach, RebootsByItself):
            scripts = [
                self._context.shaper().script(self.nic_of(card), card.rates)
                for card in self._paced()
            ]
            self._approach.do_at_reboot(self._place, "rates", "".join(scripts))

    def _paced(self) -> list[Card]:
        return [card for card in self._joined() if card.rates != Rates()]

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Stop letting the cards through while the block ends the guest."""
        with ExitStack() as stack:
            for card in self._joined():
                stack.enter_context(self._network_of(card).closing(self.nic_of(card)))
            yield

    def cut(self) -> None:
        """Let nothing come in by the guest's cards until ``join``; what comes meanwhile is kept for ``deliver``.

        Raises:
            Failed: one of them is not there.
        """
        for card in self._joined():
            network, nic = self._network_of(card), self.nic_of(card)
            arrivals = None
            # A guest whose arrivals cannot be kept has them sent again.
            with suppress(Error):
                arrivals = network.collect(nic)
            network.cut(nic, partial(self._all_but, card))
            if arrivals is not None:
                # That came in.
                arrivals.forget()
                self._arrivals.append(arrivals)

    def silence(self) -> None:
        """Let nothing go out by cards that are cut off, the guest standing still, until ``join``."""
        for card in self._joined():
            self._network_of(card).silence(self.nic_of(card))

    def join(self) -> None:
        """Undo ``cut``, and deliver; no error if they are gone, or were not cut off."""
        for card in self._joined():
            self._network_of(card).join(self.nic_of(card))
        self.deliver()

    def deliver(self) -> None:
        """Send what came while the cards were cut off to where they are now: nobody has to wait until it is sent again."""
        while self._arrivals:
            self._arrivals.pop().deliver()

    def announce(self) -> None:
        """Tell the neighbours of every card where it is now, as far as they can be told."""
        for card in self._joined():
            with suppress(Error):
                self._network_of(card).announce(self.nic_of(card))

    def watch(self) -> Watch | None:
        """Begin to watch the first card; None: nobody can."""
        return self._network_of(self._guest.card).watch(self.nic())

    @contextmanager
    def keeping_devices(self) -> Iterator[None]:
        """Fetch devices of the node from a guest that the block ends.

        If we die meanwhile, the kernel gives back those that are real, and others end with the guest's network.
        """
        cards = [card for card in self._guest.cards if card.is_device]
        if not cards or not isinstance(self._approach, TakesDevices):
            yield
            return
        kept = os.open(self._approach.network_of(self._place), os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield
            for card in cards:
                if not links.exists(card.name):
                    network = f"/proc/{os.getpid()}/fd/{kept}"
                    lending.fetch(card.name, network, self._place.run_dir)
        finally:
            os.close(kept)

    def to_change(self, before: Guest) -> Step:
        """Return the step that gives a running guest the cards that it is to have; undone, those of ``before``.

        Raises:
            Unsupported: the approach cannot.
            WrongState: its own system would have to, and is frozen.
        """
        approach = self._approach
        if not isinstance(approach, HasCards) and approach.needs.nic is not NicKind.ALIAS:
            raise Unsupported(
                f"guest {self._guest.name} is running, and approach {approach.name} cannot change "
                "the cards of a running guest",
                hint="stop it first",
            )
        if approach.needs.own_kernel and before.state is State.FROZEN:
            # Its own system has to take a card, and to let go of one.
            raise WrongState(f"guest {before.name} is frozen", hint="thaw it first")
        old = CardSteps(self._context, before)
        return Step(
            name="card",
            do=lambda: self._become(old, before.handle),
            undo=lambda: old._become(self, before.handle),
            probe=lambda: approach.probe(self._place),
        )

    def _become(self, old: "CardSteps", handle: Handle | None) -> None:
        """Make the cards of a running guest these, whatever there is of these and those; all of it can be done again."""
        had = {card.identity: card for card in old._guest.all_cards}
        has = {card.identity: card for card in self._guest.all_cards}
        for key in had.keys() - has.keys():
            self._unplug(had[key], handle)
        for key, card in has.items():
            if key not in had:
                self._plug(card, handle)
            elif card != had[key]:
                self._readdress(old, had[key], card)
            elif self.nic_of(card) != old.nic_of(card):
                # The guest has others on the same bridge now.
                with self._context.network_lock():
                    self._network_of(card).readdress(old.nic_of(card), self.nic_of(card))
        self._remember()
        if self._paced() or old._paced():
            self._remember_rates()

    def _remember(self) -> None:
        """Have the guest begin with its cards when it reboots by itself, if its engine would not."""
        if isinstance(self._approach, ForgetsCards):
            nics = [self.nic_of(card) for card in self._guest.all_cards]
            self._approach.remember_cards(self._place, nics)

    def _plug(self, card: Card, handle: Handle | None) -> None:
        assert isinstance(self._approach, HasCards)
        assert handle is not None
        if not card.is_device:
            self._attach(card)
        self._approach.plug(self._place, handle, self.nic_of(card))
        if card.rates != Rates():
            self._context.shaper().shape(self.nic_of(card), card.rates)

    def _unplug(self, card: Card, handle: Handle | None) -> None:
        assert isinstance(self._approach, HasCards)
        assert handle is not None
        self._approach.unplug(self._place, handle, self.nic_of(card))
        if card.rates != Rates():
            # Part of them does not go with the card.
            self._context.shaper().release(self.nic_of(card))
        if not card.is_device:
            self._network_of(card).detach(self.nic_of(card))
        if card.is_proxied:
            with self._context.network_lock():
                reach.apply(self._context, starting=self._guest)

    def _readdress(self, old: "CardSteps", before: Card, after: Card) -> None:
        had, has = old.nic_of(before), self.nic_of(after)
        if not after.is_device:
            with self._context.network_lock():
                self._network_of(after).readdress(had, has)
                if after.is_proxied:
                    reach.apply(self._context, starting=self._guest)
        if isinstance(self._approach, HasCards):
            self._approach.change_card(self._place, had, has)

    def _attaching(self, card: Card) -> Step:
        """Return the step for one card; of the first, the name is that of the whole."""
        network, nic = self._network_of(card), self.nic_of(card)
        return Step(
            name=f"card-{card.name}" if card.number else "network",
            do=lambda: self._attach(card),
            undo=lambda: self._detach(card),
            probe=lambda: network.probe(nic),
        )

    def _handing_over(self, card: Card) -> Step:
        approach, nic = self._approach, self.nic_of(card)
        assert isinstance(approach, HasCards)

        def hand_over() -> None:
            if not links.exists(card.name):
                raise Failed(
                    f"this node has no interface {card.name}",
                    hint=f"take it from the guest: wirt card remove {self._guest.name} {card.name}",
                )
            approach.plug(self._place, Handle(), nic)
            self._remember()

        def is_away() -> Presence:
            # With a guest that has ended by itself the kernel gives back what is no device of its own making.
            runs = approach.probe(self._place) is Presence.PRESENT
            return present_if(runs and not links.exists(card.name))

        return Step(
            name=f"device-{card.name}",
            do=hand_over,
            undo=lambda: approach.unplug(self._place, Handle(), nic),
            probe=is_away,
        )

    def _attach(self, card: Card) -> None:
        network = self._network_of(card)
        with self._context.network_lock():
            network.ensure_up()
            network.attach(self.nic_of(card), lambda: self._others(card))
            if card.kind is CardKind.ROUTED:
                reach.apply(self._context, starting=self._guest)
            elif card.number == 0 and reach.outbound(self._context).is_wanted:
                reach.apply(self._context)

    def _detach(self, card: Card) -> None:
        if card.is_proxied:
            # A command has the guest under way, so it is not among those that run.
            with self._context.network_lock():
                reach.apply(self._context)
        self._network_of(card).detach(self.nic_of(card))

    def _others(self, one: Card) -> list[Nic]:
        """Return the cards of the home's guests that run, and of this one those before ``one``."""
        before = [self.nic_of(card) for card in self._joined() if card.number < one.number]
        return [*before, *self._of_others()]

    def _all_but(self, one: Card) -> list[Nic]:
        """Return the cards of the home's guests that run, all of this one but ``one``."""
        return [
            *(self.nic_of(card) for card in self._joined() if card != one),
            *self._of_others(),
        ]

    def _of_others(self) -> list[Nic]:
        """Return the cards of the home's other guests that run."""
        found = []
        for guest in self._context.store.guests():
            if guest.state.is_up and guest.id != self._guest.id:
                steps = CardSteps(self._context, guest)
                found += [steps.nic(), *steps.further()]
        return found

    def _joined(self) -> list[Card]:
        return [card for card in self._guest.all_cards if not card.is_device]

    def _network_of(self, card: Card) -> Network:
        return network_of(self._context, card)

    def nic_of(self, card: Card) -> Nic:
        """Return a card as it is on this node."""
        if card.is_device:
            return Nic(
                kind=NicKind.DEVICE,
                name=card.name,
                interface=card.name,
                bridge="",
                mac="",
                address="",
                prefix=0,
                gateway=None,
                further=card.addresses,
                mtu=card.mtu,
                routes=card.routes,
            )
        nic = self._bare_nic_of(card)
        beside = [
            one
            for one in self._joined()
            if one.number != card.number
            and one.network == card.network
            and one.kind is card.kind is CardKind.BRIDGED
        ]
        if not beside:
            return nic
        shared = tuple(address for one in beside for address in self._bare_nic_of(one).addresses)
        return msgspec.structs.replace(nic, shared=shared)

    def _bare_nic_of(self, card: Card) -> Nic:
        needs = self._approach.needs
        return self._network_of(card).nic(self._guest.id, card, needs.nic, ipv6=needs.ipv6)
