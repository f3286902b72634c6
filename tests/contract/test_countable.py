"""What everyone may ask of an approach that can count what its guests hold."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.approach_contract import Started
from tests.contract.test_approach import prepared_guest

from wirt.approaches.base import Countable, Freezable
from wirt.errors import Failed
from wirt.model.counter import UNITS, Standing


@pytest.fixture(params=["fake", "lxc"])
def started(request: pytest.FixtureRequest, tiny_templates: Path) -> Iterator[Started]:
    with prepared_guest(request.param, tiny_templates) as prepared:
        yield Started(prepared=prepared, handle=prepared.start())


def countable(started: Started) -> Countable:
    approach = started.prepared.approach
    assert isinstance(approach, Countable)
    return approach


def test_every_counter_is_there_in_order_with_its_unit_and_reason(started: Started) -> None:
    counters = countable(started).count(started.prepared.launch.place)

    assert {counter.name: counter.unit for counter in counters} == UNITS
    assert [counter.name for counter in counters] == list(UNITS)
    assert all(counter.reason for counter in counters)
    assert all(
        (counter.held is None) == (counter.standing is Standing.UNAVAILABLE) for counter in counters
    )


def test_frozen_guest_is_counted_and_stays_frozen(started: Started) -> None:
    approach, place = countable(started), started.prepared.launch.place
    assert isinstance(approach, Freezable)
    approach.freeze(place)
    counters = approach.count(place)

    assert len(counters) == len(UNITS)
    assert approach.is_frozen(place)


def test_count_of_a_guest_that_does_not_run_fails(started: Started) -> None:
    approach, place = countable(started), started.prepared.launch.place
    started.prepared.approach.kill(place)

    with pytest.raises(Failed):
        approach.count(place)
