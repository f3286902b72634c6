"""Counters: what is made of what the kernel says, and what is kept of them, over a node of fakes."""

from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.approaches.base import Countable
from wirt.approaches.fake import FakeApproach
from wirt.approaches.lxc.counters import Usage, build_counters
from wirt.console.counters import render_counters, render_explanation
from wirt.errors import NotFound, Unsupported, WrongState
from wirt.host.cgroupusage import Account, GroupUsage
from wirt.host.processusage import ProcessUsage
from wirt.host.socketusage import SocketUsage
from wirt.host.terminals import Terminals
from wirt.model.counter import UNITS, UNLIMITED, Counter, Most, Standing, Unit, raised
from wirt.model.launch import Place
from wirt.ops.context import Context
from wirt.ops.counters import build_units, read_counters, sample
from wirt.ops.create import CreateRequest, create
from wirt.ops.freeze import freeze
from wirt.ops.restart import restart
from wirt.ops.start import start
from wirt.ops.stop import stop
from wirt.state.memory import MemoryStore

WEB = CreateRequest(name="web", approach="fake", template="tiny")
PROCESSES = ProcessUsage(
    first=7,
    private=5 * 4096,
    locked=4096 + 1,
    signals=3,
    files=20,
    tcp_sockets=2,
    other_sockets=4,
    paths=[],
)
USAGE = Usage(
    group=GroupUsage(
        processes=Account(held=9, most=12, limit=64, refused=5),
        memory=Account(held=8192, most=12288, limit=1 << 20, refused=2),
        memory_and_swap=Account(held=12288),
        swap=Account(held=4096),
        kernel=Account(held=1000),
        shared=4096,
        reclaimable=300,
        killed=1,
    ),
    guarantee=1 << 16,
    processes=PROCESSES,
    locks=6,
    terminals=Terminals(held=2, most=1024),
    sockets=SocketUsage(
        tcp_send=10, tcp_receive=20, datagram_receive=30, other=40, ownerless_tcp=1
    ),
    rules=8,
)


@pytest.fixture
def running(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, WEB)
    start(context, "web")
    return context


def approach(context: Context) -> FakeApproach:
    found = context.approach("fake")
    assert isinstance(found, FakeApproach)
    return found


def read(context: Context, **held: int) -> dict[str, Counter]:
    approach(context).held = held
    return {counter.name: counter for counter in read_counters(context, "web")}


def by_name(usage: Usage) -> dict[str, Counter]:
    return {counter.name: counter for counter in build_counters(usage)}


def test_counters_are_in_the_order_of_the_kernel_and_in_their_units() -> None:
    found = build_counters(USAGE)

    assert [counter.name for counter in found] == list(UNITS)
    assert {counter.name: counter.held for counter in found} == {
        "kmemsize": 1000,
        "lockedpages": 2,
        "privvmpages": 5,
        "shmpages": 1,
        "numproc": 9,
        "physpages": 2,
        "vmguarpages": 5,
        "oomguarpages": 3,
        "numtcpsock": 3,
        "numflock": 6,
        "numpty": 2,
        "numsiginfo": 3,
        "tcpsndbuf": 10,
        "tcprcvbuf": 20,
        "othersockbuf": 40,
        "dgramrcvbuf": 30,
        "numothersock": 4,
        "dcachesize": 300,
        "numfile": 20,
        "numiptent": 8,
        "swappages": 1,
    }


def test_what_the_kernel_bounds_is_enforced_with_its_own_figures() -> None:
    found = by_name(USAGE)
    enforced = {name for name, one in found.items() if one.standing is Standing.ENFORCED}

    assert enforced == {"numproc", "physpages", "numpty"}
    numproc, memory, terminals = found["numproc"], found["physpages"], found["numpty"]
    assert (numproc.maxheld, numproc.barrier, numproc.limit, numproc.failcnt) == (12, 64, 64, 5)
    assert (memory.maxheld, memory.barrier, memory.limit, memory.failcnt) == (3, 0, 256, 2)
    assert found["vmguarpages"].barrier == 16
    assert (terminals.limit, terminals.failcnt) == (1024, None)
    assert (found["oomguarpages"].limit, found["oomguarpages"].failcnt) == (UNLIMITED, 1)


def test_what_the_kernel_does_not_tell_is_not_available_and_says_why() -> None:
    found = by_name(
        Usage(
            group=GroupUsage(),
            guarantee=0,
            processes=msgspec.structs.replace(PROCESSES, files=None),
            locks=0,
            terminals=None,
            sockets="no sock_diag",
            rules="no nftables",
        )
    )
    unavailable = {n: c for n, c in found.items() if c.standing is Standing.UNAVAILABLE}

    assert all((c.held, c.maxheld, c.failcnt) == (None, None, None) for c in unavailable.values())
    assert set(found) - set(unavailable) == {
        "lockedpages",
        "privvmpages",
        "vmguarpages",
        "numtcpsock",
        "numothersock",
        "numflock",
        "numsiginfo",
    }
    assert unavailable["tcpsndbuf"].reason == "no sock_diag"
    assert unavailable["numiptent"].reason == "no nftables"
    assert found["numtcpsock"].held == 2
    assert found["numtcpsock"].reason.endswith("those of no process are not in it: no sock_diag")


def test_raised_is_the_most_of_what_is_held_kept_and_seen() -> None:
    plain = Counter(name="numfile", unit=Unit.ITEMS, standing=Standing.COUNTED, reason="")
    counters = [
        msgspec.structs.replace(plain, held=3),
        msgspec.structs.replace(plain, held=3, maxheld=9, failcnt=1),
        plain,
    ]
    unseen = raised(counters, {})
    seen = raised(counters, {"numfile": Most(maxheld=5, failcnt=2)})

    assert [(one.maxheld, one.failcnt) for one in unseen] == [(3, None), (9, 1), (None, None)]
    assert [(one.maxheld, one.failcnt) for one in seen] == [(5, 2), (9, 2), (5, 2)]


def test_most_is_kept_from_one_reading_to_the_next_until_the_guest_is_started_anew(
    running: Context,
) -> None:
    most = [read(running, numfile=held)["numfile"].maxheld for held in (5, 9, 2)]
    restart(running, "web")
    anew = read(running, numfile=1)["numfile"].maxheld

    assert (most, anew) == ([5, 9, 9], 1)


def test_record_that_cannot_be_read_is_begun_anew(running: Context) -> None:
    read(running, numfile=5)
    guest = running.store.find("web")
    record = Path(running.home.guest_run(guest.id), "counters.json")
    record.write_bytes(record.read_bytes()[:20])

    assert read(running, numfile=3)["numfile"].maxheld == 3
    assert read(running, numfile=1)["numfile"].maxheld == 3


def test_frozen_guest_is_counted(running: Context) -> None:
    freeze(running, "web")

    assert read(running, numfile=5)["numfile"].held == 5


def test_guest_that_another_command_holds_is_read_and_nothing_kept(running: Context) -> None:
    read(running, numfile=5)
    with running.guest_lock(running.store.find("web")):
        meanwhile = read(running, numfile=9)["numfile"]

    assert (meanwhile.held, meanwhile.maxheld) == (9, 9)
    assert read(running, numfile=1)["numfile"].maxheld == 5


def test_sample_keeps_the_most_of_every_guest_that_runs_and_has_counters(
    running: Context,
) -> None:
    for name in ("shop", "idle"):
        create(running, msgspec.structs.replace(WEB, name=name))
    start(running, "shop")
    approach(running).held = {"numfile": 7}
    told = list(sample(running))
    approach(running).held = {}
    most = [
        {one.name: one.maxheld for one in read_counters(running, name)}["numfile"]
        for name in ("web", "shop")
    ]
    blind = fakes.without(Countable, running.approach("fake"))
    passed_over = list(sample(msgspec.structs.replace(running, approach=lambda name: blind)))

    assert (told, most, passed_over) == ([], [7, 7], [])


def test_sample_tells_what_failed_and_reads_the_rest(running: Context) -> None:
    create(running, msgspec.structs.replace(WEB, name="bad"))
    start(running, "bad")
    bad = running.home.guest_run(running.store.find("bad").id)
    Path(bad, "counters.json").mkdir()
    approach(running).held = {"numfile": 7}
    told = [str(error) for error in sample(running)]
    most = read(running)["numfile"].maxheld

    assert told == [
        "cannot read what was kept of the counters of guest bad: Is a directory "
        f"({bad}/counters.json)"
    ]
    assert most == 7


def test_guest_that_ends_while_it_is_counted_does_not_run(running: Context, tmp_path: Path) -> None:
    class Ending(FakeApproach):
        def count(self, place: Place) -> list[Counter]:
            self.end(place)
            return super().count(place)

    ending = Ending(f"{tmp_path}/kernel/guests")
    context = msgspec.structs.replace(running, approach=lambda name: ending)
    with pytest.raises(WrongState, match="guest web is not running; start it first"):
        read_counters(context, "web")
    start(running, "web")

    assert list(sample(context)) == []


def test_units_sample_this_home_again_and_again() -> None:
    service, timer = build_units(
        "/opt/a b/wirt", {"WIRT_RUN": "/r"}, service="own.service", every=90
    )

    assert '\nEnvironment="WIRT_RUN=/r"\nExecStart="/opt/a b/wirt" counters --sample\n' in service
    assert "\nOnUnitActiveSec=90s\n" in timer
    assert "\nUnit=own.service\n" in timer


def test_guest_without_counters_is_refused(running: Context) -> None:
    blind = fakes.without(Countable, running.approach("fake"))
    with pytest.raises(Unsupported) as caught:
        read_counters(msgspec.structs.replace(running, approach=lambda name: blind), "web")
    stop(running, "web", force=True)

    assert str(caught.value) == (
        "guest web cannot be counted: approach fake cannot tell what of the node it holds; "
        "counters are those of lxc"
    )
    with pytest.raises(WrongState, match="guest web is not running; start it first"):
        read_counters(running, "web")
    with pytest.raises(NotFound):
        read_counters(running, "nemo")


def test_table_shows_what_is_unknown_and_unlimited_as_such() -> None:
    counters = [
        Counter(
            name="numpty",
            unit=Unit.ITEMS,
            held=2,
            maxheld=3,
            barrier=16,
            limit=16,
            standing=Standing.ENFORCED,
            reason="it has a maximum",
        ),
        Counter(
            name="dcachesize",
            unit=Unit.BYTES,
            standing=Standing.UNAVAILABLE,
            reason="nobody tells",
        ),
    ]

    assert render_counters(counters) == (
        "NAME        HELD  MAXHELD    BARRIER      LIMIT  FAILCNT  UNIT   STANDING\n"
        "numpty         2        3         16         16        -  items  enforced\n"
        "dcachesize     -        -  unlimited  unlimited        -  bytes  not available here"
    )
    assert render_explanation(counters) == (
        "numpty        enforced: it has a maximum; maxheld is what readings saw\n"
        "dcachesize    not available here: nobody tells"
    )
