"""``migrate``: a guest goes to another node, with its root, definition, address and MAC.

It is this node's until the other one has it running, or, if it was stopped, whole. Two intents tell a dead command's state:
``migrate`` while files are sent, when nothing but files over there is new; ``handover`` in the instant in which it changes hands
(see ``handover``).
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from wirt.errors import Corrupt, Error, Failed, NotFound, NotPermitted, Unsupported, WrongState
from wirt.host import files, interrupts, lock, process, urgency
from wirt.model.guest import Guest
from wirt.model.lifecycle import State, next_state
from wirt.model.migration import Migration, Mode
from wirt.network.base import Watch
from wirt.ops import guests, journal
from wirt.ops.context import Context
from wirt.ops.moving import ahead, baggage, choosing, engines, handover, live
from wirt.ops.moving.journey import Journey
from wirt.ops.moving.protocol import Alive, Facts, Room, Take, Version
from wirt.ops.nodes import check_facts, find_node
from wirt.ops.start import as_running
from wirt.ops.steps.cards import CardSteps
from wirt.ops.steps.ladder import Ladder
from wirt.ops.stop import ORDERLY_SECONDS, shut_down
from wirt.transport.base import Link, LinkLost, Session

_ABORT_SECONDS = 120.0
"""How long a command that gives up may take to leave the guest as it was."""


class MigrateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to go where."""

    guest: str
    node: str
    mode: Mode | None = None
    """None: chosen."""
    timeout: float = ORDERLY_SECONDS
    """Seconds that the guest's own shutdown may take before it is ended."""
    downtime: float | None = None
    """Seconds that a guest which its engine sends may stand still for the last of it; None: as usual."""
    lives_with: str | None = None
    """The lock that a guest lives with which goes for the command that holds it, here and there; None: it lives by itself."""


def migrate(
    context: Context, request: MigrateRequest, *, progress: Callable[[str], None]
) -> Migration:
    """Have a guest go to another node and return how that went.

    Args:
        context: the home.
        request: what is to go where.
        progress: is told what goes on.

    Raises:
        NotFound, InvalidInput, WrongState, Conflict, Unsupported, OutOfSpace, Busy, LinkLost: nothing was changed.
        Failed: it did not go; it is here, and runs if it did.
    """
    with checked(context, request) as (guest, link, session, journey):
        progress(f"{journey.mode}: {journey.tell_why()}")
        journal.begin(context, guest, "migrate", node=request.node)
        watch, cards = None, Ladder(context, guest).cards
        try:
            with interrupts.allowed():
                if journey.lacking:
                    progress("send template")
                    _send_template(context, guest, link, session, journey)
                progress("prepare there")
                room = msgspec.json.decode(session.ask("receive", journey.arrival), type=Room)
                journey.note("prepare there")
                journal.reached("migrate:after-receive")
                if journey.machine is None:
                    progress("first copy")
                    _first_copy(context, guest, link, room.root, journey)
                if guest.snapshots:
                    progress("send snapshots")
                    journey.note("send snapshots", baggage.send(context, guest, link, session))
                if journey.machine is None and guest.state is State.RUNNING:
                    _send_again(context, guest, cards, link, session, room, journey, progress)
            stopped = guest
            if journey.machine is not None:
                progress("send")
                watch = _watch(context, guest)
                _send_machine(
                    context, guest, link, session, journey, watch=watch, downtime=request.downtime
                )
            elif journey.mode is not Mode.COLD:
                progress("stop")
                watch = _watch(context, guest)
                journey.stopping = time.monotonic()
                if journey.mode is Mode.LIVE:
                    with urgency.hurrying():
                        stopped = _stop_live(
                            context, guest, cards, link, session, room, journey, progress
                        )
                else:
                    stopped = _stop(context, guest, request.timeout, journey)
                    progress("last copy")
                    sent = ahead.send_root(context, guest, link, room.root, moving=False)
                    journey.note("last copy", sent)
            # Where the two bridges are joined, the guest is seen from here again once it runs there.
            journey.last_seen = None if watch is None else watch.last
            journal.reached("migrate:after-copy")
        except BaseException:
            _close(watch)
            _go_on_here(context, guest)
            cards.deliver()
            raise
        progress("take there" if journey.mode is Mode.COLD else "start there")
        try:
            return _hand_over(context, stopped, cards, session, journey)
        finally:
            _close(watch)


@contextmanager
def checked(
    context: Context, request: MigrateRequest
) -> "Iterator[tuple[Guest, Link, Session, Journey]]":
    """Check everything that can be known before, on both nodes, and hold the guest; changes nothing.

    Raises:
        As ``migrate``.
    """
    if os.geteuid() != 0:
        raise NotPermitted("migrating a guest needs root", hint="run it as root")
    node = find_node(context, request.node)
    link = context.link(node)
    with guests.held(context, request.guest) as guest:
        next_state(guest.state, "migrate", guest.name)
        choosing.check_movable(context, guest, lives_with=request.lives_with)
        mode, why = choosing.choose(context, guest, request.mode)
        journey = Journey(guest, node.name, mode, why)
        with link.open() as session:
            check_facts(node, msgspec.json.decode(session.ask("hello"), type=Facts))
            if guest.has_template:
                lacking = session.ask("lacks", _version(context, guest))
                journey.lacking = msgspec.json.decode(lacking, type=list[str])
            journey.measure(context)
            choosing.check_downtime(journey, request.downtime)
            try:
                session.ask("check", journey.arrival)
            except Unsupported as error:
                if mode is not Mode.LIVE or request.mode is not None:
                    raise
                journey.mode, journey.why = Mode.REFRESH, f"not live: {error.message}"
                journey.measure(context)
                session.ask("check", journey.arrival)
            if journey.has_memory_in_files:
                ahead.decide(context, session, journey)
            journey.note("check")
            yield guest, link, session, journey


def check(context: Context, request: MigrateRequest) -> tuple[Mode, str]:
    """Check whether a guest can go, and return in which mode and why; changes nothing.

    Raises:
        As ``migrate``.
    """
    with checked(context, request) as (_, _, _, journey):
        return journey.mode, journey.tell_why()


def abort(context: Context, name: str) -> Guest:
    """Have a command that migrates a guest give up, and return the guest as it is then, here.

    Raises:
        NotFound: there is no such guest.
        WrongState: it is not on its way, or so far that it cannot be held back.
        Busy: the command does not end.
    """
    guest = context.store.find(name)
    intent = context.store.intent(guest.id)
    at_it = lock.holder(context.home.lock(guest.id))
    if intent is None or intent.verb not in ("migrate", "handover") or at_it is None:
        raise WrongState(
            f"guest {guest.name} is not on its way to another node",
            hint="there is nothing to give up",
        )
    if intent.verb == "handover":
        raise WrongState(
            f"guest {guest.name} is being handed over to node {intent.node}",
            hint="wait for the end, and have it come back from there",
        )
    process.end(at_it, signal.SIGINT)
    with guests.held(context, name, wait=_ABORT_SECONDS) as found:
        return found


def is_there(context: Context, name: str, node: str) -> bool:
    """Return whether a guest that is not here is on another node.

    Raises:
        LinkLost: that does not answer.
    """
    with suppress(NotFound):
        context.store.find(name)
        return False
    with context.link(find_node(context, node)).open() as session:
        return bool(msgspec.json.decode(session.ask("has", msgspec.json.encode(name)), type=bool))


def _version(context: Context, guest: Guest) -> bytes:
    return msgspec.json.encode(
        Version(
            name=guest.template,
            sha256=guest.template_sha256,
            with_image=context.approach(guest.approach).needs.root != "tree",
        )
    )


def _send_template(
    context: Context, guest: Guest, link: Link, session: Session, journey: "Journey"
) -> None:
    """Send what is lacking there of the template that a guest rests on, which stays there whatever becomes of the guest."""
    own = context.templates.find(guest.template, guest.template_sha256)
    if own is None:
        raise Corrupt(
            f"template {guest.template} is not here in the version that guest {guest.name} rests on",
            hint="see wirt template list",
        )
    version = _version(context, guest)
    place = msgspec.json.decode(session.ask("template", version), type=str)
    sent = sum(link.send(f"{own}/{part}", f"{place}/{part}") for part in journey.lacking)
    session.ask("template-here", version)
    journey.note("send template", sent)
    journey.lacking = []
    journey.measure(context)


def _first_copy(context: Context, guest: Guest, link: Link, place: str, journey: Journey) -> None:
    """Send the root."""
    is_running = guest.state is State.RUNNING
    journey.note("first copy", ahead.send_root(context, guest, link, place, moving=is_running))


def _send_again(
    context: Context,
    guest: Guest,
    cards: CardSteps,
    link: Link,
    session: Session,
    room: Room,
    journey: Journey,
    progress: Callable[[str], None],
) -> None:
    """Send what has changed of a running guest's root, and its memory ahead, and make room for what is left of that."""
    rounds = None
    if journey.has_memory_in_files:
        live.make_room(context, guest, cards, is_ahead=journey.goes_ahead)
        memory = str(room.memory)
        rounds = ahead.Rounds(context, guest, link, session, memory, journey, progress)
    ahead.send_again(context, guest, link, room.root, journey, rounds)
    if rounds is not None:
        left = journey.rounds[-1] if journey.rounds else live.count_memory(context, guest)
        live.reserve(context, guest, left)
        journey.note("make room")


def _watch(context: Context, guest: Guest) -> Watch | None:
    """Return what watches a running guest until it is seen no more; one that cannot be watched can go all the same."""
    with suppress(Error):
        return Ladder(context, guest).cards.watch()
    return None


def _stop(context: Context, guest: Guest, timeout: float, journey: "Journey") -> Guest:
    """Stop a guest that runs, and return it as it is then.

    A crash here leaves it said to run: the next command sees that it has ended, and takes away what is left.
    """
    ladder = Ladder(context, guest)
    shut_down(context, guest, ladder, timeout)
    journal.dismantle("migrate", ladder.to_run())
    journey.note("stop")
    return journal.stopped(guest)


def _stop_live(
    context: Context,
    guest: Guest,
    cards: CardSteps,
    link: Link,
    session: Session,
    room: Room,
    journey: "Journey",
    progress: Callable[[str], None],
) -> Guest:
    """Keep a guest's memory, send what is left to send, and return it as it is then."""
    memory = str(room.memory)

    def send_root() -> None:
        journey.note("hold still")
        progress("last copy")
        # It was seen to be little.
        with urgency.hurrying(what_it_starts=True):
            sent = ahead.send_root(context, guest, link, room.root, moving=False)
        journey.note("last copy", sent)
        if journey.can_be_set_up:
            # Memory is still being written here.
            progress("set up there")
            session.ask("set-up")
            journey.note("set up there")
        progress("dump")
        journal.reached("migrate:after-set-up")

    def send_memory() -> None:
        journey.note("dump")
        progress("send memory")
        sent = link.give(f"{live.memory_of(context, guest)}/", f"{memory}/")
        journey.note("send memory", sent)

    try:
        stopped = live.hold_still(
            context, guest, cards, send_root=send_root, send_memory=send_memory
        )
    except Failed as error:
        # What is in the way of its memory need not be in the way of the guest.
        error.hint = error.hint or "it can go with a short stop: --mode refresh"
        raise
    journey.note("stop")
    return stopped


def _send_machine(
    context: Context,
    guest: Guest,
    link: Link,
    session: Session,
    journey: Journey,
    *,
    watch: Watch | None,
    downtime: float | None,
) -> None:
    """Have a guest's engine send it. When it stands still it is about to change hands, which is written while the last is sent."""
    assert journey.machine is not None

    def standing_still() -> None:
        journal.begin(context, guest, "handover", node=journey.node)
        # From now on who answers is the guest over there, if the nodes' bridges are joined.
        _close(watch)

    sent = engines.send(
        context,
        guest,
        link,
        session,
        journey.machine,
        downtime=engines.DOWNTIME_SECONDS if downtime is None else downtime,
        standing_still=standing_still,
    )
    journey.stopping, journey.engine_seconds = sent.stood_still, sent.engine_seconds
    journey.note("send", sent.bytes)


def _go_on_here(context: Context, guest: Guest) -> None:
    """Leave a guest that does not go as it was: started again if it was stopped for it."""
    after = live.recover(context, guest)
    if after.state is State.RUNNING and not guests.is_running(context, after):
        journal.dismantle("migrate", Ladder(context, after).to_run())
        stopped = journal.stopped(after)
        journal.settle(context, "migrate", after, stopped)
        _run_again(context, stopped)


def _run_again(context: Context, guest: Guest) -> None:
    """Let a guest that came to nobody run again: gone on from its memory if that was kept, else begun anew."""
    if live.is_kept(context, guest):
        try:
            live.go_on(context, guest)
        except Error as error:
            raise Failed(
                f"guest {guest.name} could go on neither there nor here, and is stopped: {error.message}",
                detail=error.detail,
                hint=f"start it anew: wirt start {guest.name}",
            ) from error
        return
    ladder = Ladder(context, guest)
    journal.begin(context, guest, "start")
    journal.build(context, "start", guest, ladder.to_run(), otherwise=guest)
    journal.settle(context, "start", guest, as_running(context, guest, ladder))


def _hand_over(
    context: Context, guest: Guest, cards: CardSteps, session: Session, journey: Journey
) -> Migration:
    """Let the other node have a guest, which is stopped here, and delete what is left of it."""
    was_running = journey.guest.state is State.RUNNING
    if journey.machine is None:
        journal.begin(context, guest, "handover", node=journey.node)
    try:
        session.ask("take", msgspec.json.encode(Take(is_started=was_running)))
    except BaseException as error:
        # What the other node said, it has acted upon. If it said nothing, it is asked whose the guest is.
        if not isinstance(error, Error) or isinstance(error, LinkLost):
            settled = _resolve(context, guest)
            if settled is None:
                raise _gone(guest, journey.node) from error
        else:
            settled = handover.keep(context, guest)
        if was_running and settled.state is not State.RUNNING:
            _run_again(context, settled)
        cards.deliver()
        raise
    cards.deliver()
    journal.reached("handover:after-take")
    journey.note("start there" if was_running else "take there")
    unseen, trouble, gone_on = None, None, None
    if was_running:
        # The guest is the other's whatever becomes of this question.
        with suppress(LinkLost):
            alive = msgspec.json.decode(session.ask("ready"), type=Alive)
            trouble = alive.trouble
            if alive.gone_on_ago is not None:
                gone_on = time.monotonic() - alive.gone_on_ago
            if journey.last_seen is not None and alive.answered_ago is not None:
                unseen = time.monotonic() - alive.answered_ago - journey.last_seen
        journey.note("ready there")
    up = gone_on or time.monotonic()
    if journey.has_memory_in_files:
        journey.at_last = live.measure_memory(context, guest) - sum(journey.rounds)
    handover.give_away(context, guest, session)
    journey.note("delete here")
    done = Migration(
        guest=guest.name,
        id=guest.id,
        node=journey.node,
        mode=journey.mode,
        why=journey.why,
        began=journey.began,
        stages=tuple(journey.stages),
        downtime_seconds=None if journey.stopping is None else up - journey.stopping,
        unseen_seconds=unseen,
        engine_seconds=journey.engine_seconds,
        memory_ahead=tuple(journey.rounds),
        memory_at_last=journey.at_last,
        in_one_piece=journey.in_one_piece,
        trouble=trouble,
        kept=f"{context.home.migrations}/{guest.id}-{int(journey.began)}.json",
    )
    with files.translated(f"keep what became of guest {guest.name}"):
        os.makedirs(context.home.migrations, mode=0o711, exist_ok=True)
        files.replace(done.kept, msgspec.json.encode(done).decode())
    return done


def _resolve(context: Context, guest: Guest) -> Guest | None:
    """Ask whose a guest is, unless that has been settled."""
    intent = context.store.intent(guest.id)
    return guest if intent is None else handover.resolve(context, intent)


def _gone(guest: Guest, node: str) -> Error:
    return LinkLost(
        f"guest {guest.name} is on node {node}, which stopped answering after it had taken it",
        hint="see wirt list there",
    )


def _close(watch: Watch | None) -> None:
    if watch is not None:
        watch.close()
