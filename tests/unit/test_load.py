"""The load of a guest: what is made of readings, and what is kept of them, over a node of fakes."""

import math
import time
from pathlib import Path
from typing import cast

import msgspec
import pytest
from tests import fakes

from wirt.approaches.fake import FakeApproach
from wirt.approaches.loads import HasLoad
from wirt.model.load import PERIODS, Load, advanced
from wirt.ops.context import Context
from wirt.ops.counters import sample
from wirt.ops.create import CreateRequest, create
from wirt.ops.freeze import freeze
from wirt.ops.load import Record, read_load
from wirt.ops.restart import restart
from wirt.ops.start import start
from wirt.state.memory import MemoryStore


@pytest.fixture
def running(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, CreateRequest(name="web", approach="fake", template="tiny"))
    start(context, "web")
    return context


def approach(context: Context) -> FakeApproach:
    return cast(FakeApproach, context.approach("fake"))


def kept(context: Context) -> Path:
    return Path(context.home.guest_run(context.store.find("web").id), "load.json")


def backdate(context: Context, seconds: float, *averages: float) -> None:
    """Have the last reading been so long ago, and have found these averages."""
    guest = context.store.find("web")
    at = time.clock_gettime(time.CLOCK_BOOTTIME) - seconds
    one, five, fifteen = averages
    load = Load(averages=(one, five, fifteen), at=at)
    record = Record(boot=guest.boot, handle=guest.handle, load=load)
    kept(context).write_bytes(msgspec.json.encode(record))


def test_load_read_as_often_as_the_kernel_does_is_the_kernels() -> None:
    load, wanted = Load(at=0.0), [0.0, 0.0, 0.0]
    for step in range(1, 400):
        active = step % 3
        load = advanced(load, active, 5.0 * step)
        factors = [math.exp(-5 / period) for period in PERIODS]
        wanted = [
            had * factor + active * (1 - factor)
            for had, factor in zip(wanted, factors, strict=True)
        ]

    assert load.averages == pytest.approx(wanted)


def test_load_of_one_reading_was_so_since_the_start_and_that_of_no_time_is_what_it_was() -> None:
    once = advanced(Load(at=100.0), 4, 400.0)

    assert once.averages == pytest.approx([4 * (1 - math.exp(-300 / one)) for one in PERIODS])
    assert advanced(once, 9, 400.0).averages == once.averages
    # A clock that went back.
    assert advanced(once, 9, 300.0) == once


def test_load_goes_on_from_the_last_reading_and_begins_anew_with_the_guest(
    running: Context,
) -> None:
    backdate(running, 60.0, 3.0, 2.0, 1.0)
    approach(running).active = 1
    found = read_load(running, running.store.find("web"))
    again = read_load(running, running.store.find("web"))
    restart(running, "web")
    approach(running).active = 0
    anew = read_load(running, running.store.find("web"))

    assert found == pytest.approx(
        [
            had * math.exp(-60 / one) + 1 - math.exp(-60 / one)
            for had, one in zip((3, 2, 1), PERIODS, strict=True)
        ],
        abs=0.01,
    )
    assert again == pytest.approx(found, abs=0.01)
    assert anew == (0.0, 0.0, 0.0)


def test_sample_of_the_counters_keeps_the_load_too_and_damaged_ones_begin_anew(
    running: Context,
) -> None:
    kept(running).write_text("{")
    told = list(sample(running))
    record = msgspec.json.decode(kept(running).read_bytes(), type=Record)

    assert told == []
    assert record.load.averages == pytest.approx((0.0, 0.0, 0.0))


def test_guest_that_stands_still_or_that_nobody_can_tell_has_no_threads_that_run(
    running: Context,
) -> None:
    approach(running).active = 5
    blind = fakes.without(HasLoad, running.approach("fake"))
    unknown = read_load(
        msgspec.structs.replace(running, approach=lambda name: blind), running.store.find("web")
    )
    backdate(running, 60.0, 1.0, 1.0, 1.0)
    freeze(running, "web")
    frozen = read_load(running, running.store.find("web"))

    assert unknown is None
    assert frozen == pytest.approx([math.exp(-60 / one) for one in PERIODS], abs=0.01)
