"""Processors that the node chooses for a guest that is to see as many as it has CPUs."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.host import affinity
from wirt.model.guest import Guest
from wirt.model.limits import CHOSEN, Limits
from wirt.ops.checks.pinning import choose
from wirt.ops.create import CreateRequest, create
from wirt.ops.set import SetRequest, set_limits
from wirt.state.memory import MemoryStore

WEB = CreateRequest(name="web", approach="fake", template="tiny")


def pinned(number: int, limits: Limits) -> Guest:
    return Guest(
        id=f"{number:06x}",
        name=f"g{number}",
        approach="fake",
        template="tiny",
        template_sha256="",
        pool="fake",
        limits=limits,
        address="10.0.0.2",
        mac="00:16:3e:00:00:01",
        created=0.0,
    )


@pytest.mark.parametrize(
    ("others", "count", "chosen"),
    [
        ([], 1, (0,)),
        ([], 2, (0, 1)),
        ([], 4, ()),
        ([Limits(cpu_pin=(0,))], 1, (1,)),
        ([Limits(cpu_pin=(0,)), Limits(cpu_pin=(1,)), Limits(cpu_pin=(2,))], 2, (0, 3)),
        # Two CPUs' time on three processors are less for each than one on one.
        ([Limits(cpus=2, cpu_pin=(0, 1, 2)), Limits(cpu_pin=(3,))], 1, (0,)),
        ([Limits(cpu_pin=(0,), cpu_limit=0.1), Limits(cpu_pin=(1,)), Limits()], 3, (0, 2, 3)),
        ([Limits(cpu_pin=(9,))], 1, (0,)),
    ],
)
def test_those_are_chosen_that_pinned_guests_may_want_the_least_of(
    others: Sequence[Limits], count: int, chosen: tuple[int, ...]
) -> None:
    guests = [pinned(number, limits) for number, limits in enumerate(others)]

    assert choose((0, 1, 2, 3), count, guests) == chosen


def test_choice_is_made_by_create_and_by_set_without_the_guest_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(affinity, "usable", lambda: (0, 1))
    context = fakes.open_context(tmp_path, MemoryStore())
    made = create(context, msgspec.structs.replace(WEB, limits=Limits(cpu_pin=CHOSEN)))
    again = set_limits(context, "web", SetRequest(cpu_pin=CHOSEN))
    other = create(
        context, msgspec.structs.replace(WEB, name="other", limits=Limits(cpu_pin=CHOSEN))
    )
    wider = set_limits(context, "web", SetRequest(cpu_pin=CHOSEN, cpus=2))

    assert [guest.limits.cpu_pin for guest in (made, again, other)] == [(0,), (0,), (1,)]
    assert wider.limits.cpu_pin == ()
