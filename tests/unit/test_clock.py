"""A guest's clock against the node's, whatever time the way into the guest takes."""

import pytest

from wirt.bench.clock import ClockCheck


def check(
    *, rate: float, ways: list[float], pause: float = 0.0, seconds: float = 1.0
) -> list[float | None]:
    """Return each pass's seconds by a clock of this rate over those found for the node's clock.

    ``ways``: for each pass the seconds that the way in and the way back take each.
    """
    clock, now, found = ClockCheck(), 1000.0, []
    for way in ways:
        begin = now
        end_of_pass = begin + way + seconds
        now = end_of_pass + way
        host = clock.host_seconds(
            guest_end=end_of_pass * rate,
            seconds=seconds * rate,
            host_begin=begin,
            host_end=now,
        )
        found.append(None if host is None else seconds * rate / host)
        now += pause
    return found


def test_clock_of_the_first_pass_cannot_be_told() -> None:
    assert check(rate=1.0, ways=[0.0]) == [None]


@pytest.mark.parametrize("rate", [0.97, 1.0, 1.03])
def test_clock_that_runs_at_a_steady_rate_is_told_to_one_percent(rate: float) -> None:
    found = [one for one in check(rate=rate, ways=[0.01, 0.3, 0.15] * 20) if one is not None]

    assert len(found) > 30
    assert all(abs(one - rate) < 0.0105 for one in found)


def test_clock_is_not_told_while_the_way_is_long_against_the_time_between() -> None:
    assert check(rate=1.0, ways=[0.3] * 20) == [None] * 20


def test_clock_is_told_against_the_nearest_pass_that_is_known_well_enough() -> None:
    found = check(rate=1.0, ways=[2.0, 0.0, 0.0, 2.0, 0.0], pause=5.0)

    assert found == [None, None, 1.0, None, 1.0]


def test_clock_that_is_wrong_during_a_single_pass_shows() -> None:
    clock, found = ClockCheck(), []
    guest = host = 1000.0
    for rate in [1.0] * 10 + [0.9] + [1.0] * 10:
        begin, host, guest = host, host + 1.004, guest + rate * 1.004
        seconds = clock.host_seconds(guest_end=guest, seconds=rate, host_begin=begin, host_end=host)
        found.append(None if seconds is None else rate / seconds)

    told = [one for one in found if one is not None]
    # From outside the wrong pass looks like one with a long way; with the next it makes a stretch of two.
    assert len(told) == 19
    assert min(told) == pytest.approx(0.95, abs=0.001)
    assert sum(one < 0.99 for one in told) == 1
