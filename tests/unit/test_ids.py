"""The ranges of ids that containers have on the node."""

import itertools

import pytest

from wirt.errors import Conflict
from wirt.model.ids import ALL, COUNT, SHARED, SIZE, free_range, idmap_of
from wirt.model.resources import Idmap


def test_range_follows_from_the_guests_id() -> None:
    assert free_range("000007", set()) == 7
    assert free_range("001007", set()) == 7


def test_range_that_is_taken_is_passed_over_and_after_the_last_comes_the_first() -> None:
    assert free_range("000fff", {COUNT - 1, 0, 1}) == 2


def test_no_range_is_left_for_one_guest_too_many() -> None:
    with pytest.raises(Conflict) as caught:
        free_range("000001", set(range(COUNT)))

    assert str(caught.value) == (
        "all 4096 ranges of ids are given to guests; destroy a guest, or use another home"
    )


def test_ranges_lie_side_by_side_within_all_and_below_the_sign_bit() -> None:
    maps = [idmap_of(number) for number in range(COUNT)]

    assert maps[0].first == ALL.first == 1_879_048_192
    assert all(b.first == a.first + SIZE for a, b in itertools.pairwise(maps))
    assert maps[-1].first + SIZE == ALL.first + ALL.size <= 1 << 31


def test_guest_made_when_all_had_the_same_range_keeps_it() -> None:
    assert idmap_of(None) == SHARED == Idmap(first=1_000_000, size=65_536)
