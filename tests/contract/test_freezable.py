"""What everyone may ask of an approach that can hold its guests still."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.approach_contract import Started
from tests.contract.test_approach import prepared_guest

from wirt.approaches.base import Freezable
from wirt.errors import Failed
from wirt.model.presence import Presence


@pytest.fixture(params=["fake", "lxc"])
def started(request: pytest.FixtureRequest, tiny_templates: Path) -> Iterator[Started]:
    with prepared_guest(request.param, tiny_templates) as prepared:
        yield Started(prepared=prepared, handle=prepared.start())


def freezable(started: Started) -> Freezable:
    approach = started.prepared.approach
    assert isinstance(approach, Freezable)
    return approach


def test_guest_is_frozen_from_freeze_to_thaw_and_goes_on(started: Started) -> None:
    approach, place = freezable(started), started.prepared.launch.place
    states = [approach.is_frozen(place)]
    for act in (approach.freeze, approach.freeze, approach.thaw, approach.thaw):
        act(place)
        states.append(approach.is_frozen(place))

    assert states == [False, True, True, False, False]
    assert started.exec("echo", "on")[1] == "on\n"


def test_frozen_guest_is_present_and_can_be_killed(started: Started) -> None:
    approach, place = freezable(started), started.prepared.launch.place
    approach.freeze(place)
    frozen = started.prepared.probe()
    started.prepared.approach.kill(place)

    assert frozen is Presence.PRESENT
    assert started.prepared.probe() is Presence.ABSENT
    assert not approach.is_frozen(place)


def test_freeze_of_a_guest_that_does_not_run_fails(started: Started) -> None:
    approach, place = freezable(started), started.prepared.launch.place
    started.prepared.approach.kill(place)

    with pytest.raises(Failed):
        approach.freeze(place)
