"""The node that a guest goes to: what it does for the one that sends.

All within one process, which holds the guest's lock. Until the guest is its own, what there is of it is taken back when the process
ends, by itself or, if it was killed, by the next command here. It becomes its own by one row change, after it runs.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from itertools import dropwhile, takewhile
from typing import TypeVar

import msgspec

from wirt.errors import Conflict, Error, InvalidInput, Unsupported, WrongState
from wirt.host import urgency
from wirt.model.guest import Guest
from wirt.model.ids import free_range
from wirt.model.presence import Presence
from wirt.network.base import Watch
from wirt.ops import journal
from wirt.ops.context import Context
from wirt.ops.moving import arrivals, baggage, engines, live
from wirt.ops.moving.protocol import VERSION, Alive, Arrival, Facts, Room, Take, Taken, Version
from wirt.ops.nodes import home_id
from wirt.ops.start import READY_SECONDS, as_running, wait_ready
from wirt.ops.steps import transit
from wirt.ops.steps.checkpointing import to_resume
from wirt.ops.steps.ladder import Ladder
from wirt.ops.steps.step import Step
from wirt.storage.base import Portable
from wirt.storage.templates.arriving import find_lacking

_ARRIVALS = "arrivals"
_OWNER_SECONDS = 300.0
"""How long who asks for the owner waits for a session that may be about to become it."""
_ANSWER_SECONDS = 10.0
"""How long a guest that runs may take to be seen on the network."""
_LOOK_SECONDS = 0.002

T = TypeVar("T")


class Receiver:
    """Answers one session of another node."""

    def __init__(self, context: Context) -> None:
        """Begin; nothing is there yet."""
        self._context = context
        self._held = ExitStack()
        self._template = ExitStack()
        self._arriving = ""
        """Where the template that comes is put."""
        self._coming: Guest | None = None
        self._memory: str | None = None
        """Where the memory of the guest that comes is put."""
        self._waiting: Ladder | None = None
        """Of the guest that comes, if its engine waits for it."""
        self._set_up: Ladder | None = None
        """The same, if all but its processes has been made."""
        self._gone_on: float | None = None
        """When its engine went on, by the monotonic clock."""
        self._watch: Watch | None = None
        self._verbs: dict[str, Callable[[bytes], object]] = {
            "hello": lambda question: self._hello(),
            "subnet": lambda question: self._take_subnet(_read(question, str)),
            "check": lambda question: self._check(_read(question, Arrival)),
            "lacks": lambda question: self._find_lacking(_read(question, Version)),
            "template": lambda question: self._await_template(_read(question, Version)),
            "template-here": lambda question: self._take_template(_read(question, Version)),
            "room": lambda question: self._measure_room(_read(question, Arrival)),
            "receive": lambda question: self._receive(_read(question, Arrival)),
            "snapshot": lambda question: self._await_snapshot(_read(question, str)),
            "snapshot-here": lambda question: self._take_snapshot(_read(question, str)),
            "set-up": lambda question: self._make_all_but_engine(),
            "await": lambda question: self._await(_read(question, str)),
            "take": lambda question: self._take_at_once(_read(question, Take)),
            "ready": lambda question: self._wait(),
            "owns": lambda question: self._owns(_read(question, str)),
            "has": lambda question: self._has(_read(question, str)),
            "forget": lambda question: self._forget(_read(question, str)),
        }

    def answer(self, verb: str, question: bytes) -> bytes:
        """Do what is asked and return the answer, as JSON.

        Raises:
            Error: it could not be done.
        """
        if verb not in self._verbs:
            raise InvalidInput(
                f"this node does not know what {verb!r} is", hint="install the same version on both"
            )
        return msgspec.json.encode(self._verbs[verb](question))

    def close(self) -> None:
        """Take back what has not become ours, and let go of the guest."""
        try:
            if self._coming is not None:
                self._give_up(self._coming)
        finally:
            if self._watch is not None:
                self._watch.close()
            self._template.close()
            self._held.close()

    def _hello(self) -> Facts:
        return Facts(
            version=VERSION,
            home_id=home_id(self._context),
            subnet=self._subnet(),
            guests=len(self._guests_and_those_to_come()),
            data=self._context.home.data,
        )

    def _take_subnet(self, subnet: str) -> None:
        if not self._context.store.is_empty():
            raise WrongState("this node has guests", hint="its subnet stays as it is")
        self._context.store.change("subnet", subnet)

    def _check(self, arrival: Arrival) -> None:
        """Check everything that can be known before; changes nothing."""
        here = f"node {arrival.node}"
        arrivals.check(self._context, arrival, here)
        if arrival.kernel is not None:
            _check_live(self._context, arrival.guest, arrival.kernel, here)
        if arrival.machine is not None:
            _check_machine(self._context, arrival.guest, arrival.machine, here)
        baggage.check_ids(self._context, arrival.guest, here)
        if arrival.subnet != self._subnet():
            raise Conflict(
                f"{here} has the subnet {self._subnet()}, and guest {arrival.guest.name} an address of "
                f"{arrival.subnet}",
                hint="remove the node and add it again while it has no guests",
            )

    def _find_lacking(self, version: Version) -> list[str]:
        there = self._context.templates.find(version.name, version.sha256)
        return find_lacking(there, with_image=version.with_image)

    def _await_template(self, version: Version) -> str:
        """Return the directory that what is lacking of a template is put into."""
        arriving = self._context.templates.arriving(version.name)
        self._arriving = self._template.enter_context(arriving)
        return self._arriving

    def _take_template(self, version: Version) -> None:
        """Have what has come of a template be ours; another command may have brought it meanwhile."""
        self._context.templates.adopt(self._arriving, version.name, version.sha256)
        self._template.close()

    def _receive(self, arrival: Arrival) -> Room:
        """Make place for a guest, and return where it is put."""
        guest = journal.stopped(arrival.guest)
        self._held.enter_context(self._context.guest_lock(guest))
        with self._context.templates_lock(), self._context.ids_lock():
            self._check(arrival)
            taken = self._context.store.ids()
            # Memory is full of its ids: it has been made sure that they are free.
            if arrival.kernel is None and (guest.ids is None or guest.ids in taken):
                guest = msgspec.structs.replace(guest, ids=free_range(guest.id, taken))
            journal.begin(self._context, guest, "receive")
        ladder = Ladder(self._context, guest)
        journal.build(self._context, "receive", guest, ladder.to_exist(), otherwise=None)
        self._coming = guest
        if arrival.kernel is not None:
            self._memory = live.memory_of(self._context, guest)
            times = live.times_of(is_ahead=arrival.is_ahead)
            transit.make(self._context.home, guest.id, self._memory, arrival.memory, times=times)
        return Room(root=self._context.pool(guest.pool).place(guest.id), memory=self._memory)

    def _measure_room(self, arrival: Arrival) -> int:
        """Return how many bytes of memory may yet be put where the guest's memory is, or would be."""
        if self._coming is not None:
            journal.reached("receive:before-room")
        return transit.measure_room(
            self._context.home,
            arrival.guest.id,
            live.memory_of(self._context, arrival.guest),
            arrival.memory,
            times=live.times_of(is_ahead=arrival.is_ahead),
        )

    def _await_snapshot(self, name: str) -> Room:
        """Make room for a snapshot of the guest that comes."""
        return baggage.make_room(self._context, self._must_come(), name)

    def _take_snapshot(self, name: str) -> None:
        """Let a snapshot that has come have its name."""
        baggage.take(self._context, self._must_come(), name)

    def _must_come(self) -> Guest:
        if self._coming is None:
            raise WrongState("no guest has been received in this session")
        return self._coming

    def _await(self, machine: str) -> dict[str, str]:
        """Have an engine wait for a guest that its own engine sends, and return what comes in where."""
        guest = self._must_come()
        self._waiting = Ladder(self._context, guest)
        steps = engines.to_await(self._context, guest, self._waiting, machine)
        journal.perform("receive", f"guest {guest.name}", steps)
        return engines.gates(self._context, guest)

    def _make_all_but_engine(self) -> None:
        """Have everything that a guest runs on be there: its root has come, its memory has not. What it was is still undone."""
        guest = self._must_come()
        self._set_up = Ladder(self._context, guest)
        with urgency.hurrying():
            steps = self._below_engine(guest, self._set_up)
            journal.perform("receive", f"guest {guest.name}", steps)

    def _below_engine(self, guest: Guest, ladder: Ladder) -> list[Step]:
        """Return the steps of a guest that comes, from the first to the last before its engine."""
        running = takewhile(lambda step: step.name != "engine", ladder.to_run())
        return [*ladder.to_exist(), _adopting(self._context, guest, ladder), *running]

    def _take_at_once(self, take: Take) -> Taken:
        with urgency.hurrying():
            return self._take(is_started=take.is_started)

    def _take(self, *, is_started: bool) -> Taken:
        """Let a guest whose root has come run, if it is to, and be ours: that is the instant."""
        guest = self._must_come()
        self._coming = None
        context = self._context
        ladder = self._waiting or self._set_up or Ladder(context, guest)
        steps = [*ladder.to_exist(), _adopting(context, guest, ladder)]
        if self._waiting is not None:
            # What is there already is only to be undone if this fails.
            there = [*ladder.to_exist(), *ladder.to_run()]
            steps = [msgspec.structs.replace(step, do=lambda: None) for step in there]
            steps += [self._watching(ladder), engines.to_go_on(context, guest, self._went_on)]
        elif is_started:
            steps = self._below_engine(guest, ladder)
            if self._set_up is not None:
                steps = [msgspec.structs.replace(step, do=lambda: None) for step in steps]
            running = ladder.to_run()
            if self._memory is not None:
                running = to_resume(context, guest, ladder, self._memory)
            engine = dropwhile(lambda step: step.name != "engine", running)
            # It runs nowhere now: the first answer is that of the one that goes on here.
            steps += [self._watching(ladder), *engine, self._forgetting(guest)]
        journal.build(context, "receive", guest, steps, otherwise=None)
        ours = as_running(context, guest, ladder) if is_started else guest
        # A crash after this and before the next line leaves a guest remembered that is not there, as one that was
        # destroyed: so it is remembered only once it is ours, and until then it is seen by being there.
        journal.settle(context, "receive", guest, ours)
        self._change_arrivals(lambda known: known | {guest.id})
        # Whoever asked may have been cut off: it must not be waited for before the guest can be stopped.
        self._held.close()
        journal.reached("receive:after-arrival")
        if is_started:
            ladder.cards.announce()
        return Taken(guest=ours)

    def _went_on(self, when: float) -> None:
        self._gone_on = when

    def _watching(self, ladder: Ladder) -> Step:
        """Return the step that begins to watch for the guest; it changes nothing that would stay."""

        def watch() -> None:
            # A guest that cannot be watched is a guest all the same.
            with suppress(Error):
                self._watch = ladder.cards.watch()

        return Step(name="watch", do=watch, undo=lambda: None, probe=lambda: Presence.ABSENT)

    def _forgetting(self, guest: Guest) -> Step:
        """Return the step that leaves nothing of the memory that it has gone on from."""

        def forget() -> None:
            live.forget(self._context, guest)

        return Step(name="forget", do=forget, undo=forget, probe=lambda: Presence.PARTIAL)

    def _wait(self) -> Alive:
        """Wait until the guest that was taken is ready, and say since when it has been seen."""
        guest = next(
            (one for one in self._context.store.guests() if one.id in self._arrivals()), None
        )
        trouble = None
        if guest is not None and guest.handle is not None:
            try:
                wait_ready(self._context, guest, READY_SECONDS)
            except Error as error:
                trouble = str(error)
        if self._watch is None:
            return Alive(answered_ago=None, gone_on_ago=_ago(self._gone_on), trouble=trouble)
        deadline = time.monotonic() + _ANSWER_SECONDS
        while self._watch.first is None and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        return Alive(
            answered_ago=_ago(self._watch.first), gone_on_ago=_ago(self._gone_on), trouble=trouble
        )

    def _owns(self, guest_id: str) -> bool:
        """Return whether a guest has become ours: if somebody is about to take it, when they have, or have not."""
        for intent in self._context.store.intents():
            if intent.guest.id == guest_id:
                with self._context.guest_lock(intent.guest, wait=_OWNER_SECONDS):
                    self._context.recover(self._context, intent.guest)
        ours = {guest.id for guest in self._context.store.guests()}
        return guest_id in ours or guest_id in self._arrivals()

    def _has(self, name: str) -> bool:
        """Return whether there is a guest of this name here."""
        return any(guest.name == name for guest in self._context.store.guests())

    def _forget(self, guest_id: str) -> None:
        self._change_arrivals(lambda known: known - {guest_id})

    def _give_up(self, guest: Guest) -> None:
        self._coming = None
        ladder = Ladder(self._context, guest)
        has_more = self._waiting is not None or self._set_up is not None
        steps = ladder.to_exist() + (ladder.to_run() if has_more else [])
        journal.dismantle("receive", steps)
        journal.settle(self._context, "receive", guest, None)

    def _arrivals(self) -> set[str]:
        """Return the ids of the guests that have come and whose sender does not know yet."""
        kept = self._context.store.setting(_ARRIVALS)
        return msgspec.json.decode(kept, type=set[str]) if kept else set()

    def _change_arrivals(self, change: Callable[[set[str]], set[str]]) -> None:
        with self._context.nodes_lock():
            known = sorted(change(self._arrivals()))
            self._context.store.change(_ARRIVALS, msgspec.json.encode(known).decode())

    def _guests_and_those_to_come(self) -> set[str]:
        """Return the ids of the guests, and of those that are being made or taken away."""
        store = self._context.store
        return {one.id for one in store.guests()} | {one.guest.id for one in store.intents()}

    def _subnet(self) -> str:
        return self._context.gateway().look().subnet


def _adopting(context: Context, guest: Guest, ladder: Ladder) -> Step:
    pool = context.pool(guest.pool)
    assert isinstance(pool, Portable)

    def adopt() -> None:
        pool.adopt(ladder.root.form(), guest.id)

    return Step(name="adopt", do=adopt, undo=lambda: None, probe=lambda: Presence.ABSENT)


def _check_live(context: Context, guest: Guest, kernel: str, here: str) -> None:
    if os.uname().release != kernel:
        raise Unsupported(
            f"{here} runs another kernel, {os.uname().release}, than {kernel}",
            hint="leave --mode out, or refresh",
        )
    try:
        live.check_node(context, guest)
    except Unsupported as error:
        raise Unsupported(
            f"{here} cannot let a guest go on from its memory: {error.message}", hint=error.hint
        ) from error
    if guest.ids is None or guest.ids in context.store.ids():
        raise Unsupported(
            f"{here} has given the ids of guest {guest.name} to another guest",
            hint="leave --mode out, or refresh",
        )


def _check_machine(context: Context, guest: Guest, machine: str, here: str) -> None:
    try:
        engines.check(context, guest, machine)
    except Unsupported as error:
        raise Unsupported(
            f"{here} cannot go on with guest {guest.name}: {error.message}", hint=error.hint
        ) from error


def _ago(when: float | None) -> float | None:
    return None if when is None else time.monotonic() - when


def _read(question: bytes, kind: type[T]) -> T:
    return msgspec.json.decode(question, type=kind)
