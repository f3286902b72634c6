"""How web servers are loaded, against one that serves a thousand requests a second."""

from collections.abc import Sequence

from tests.unit import measured
from tests.unit.world import World

from wirt.bench.suites import http


def test_warm_up_looks_longer_until_it_has_lasted() -> None:
    world = World()
    figures = http.warm_up(world.load, ["http://a/"], 4.0)

    assert [requests for _, requests in world.loads] == [(10,), (400,)]
    assert figures["sum"]["elapsed_time"] == 4.0


def test_warm_up_of_a_server_that_never_keeps_its_pace_ends() -> None:
    world = World()
    looks: list[Sequence[int]] = []

    def load(urls: Sequence[str], requests: Sequence[int]) -> http.Figures:
        looks.append(requests)
        return world.load(urls, [10])

    http.warm_up(load, ["http://a/"], 4.0)

    assert len(looks) == 7


def test_rate_of_one_server_is_what_siege_says_and_of_several_what_all_answered() -> None:
    one = measured.siege(transactions=1000, elapsed_time=10.0, transaction_rate=100.1)
    slow = measured.siege(transactions=1000, elapsed_time=20.0, transaction_rate=50.0)

    assert http.rate_of({"servers": [one]}) == 100.1
    assert http.rate_of({"servers": [one, slow]}) == 100


def test_requests_are_those_that_each_server_manages_in_the_time() -> None:
    servers = [
        measured.siege(transactions=1000, elapsed_time=2.0),
        measured.siege(transactions=30, elapsed_time=10.0),
        measured.siege(transactions=1, elapsed_time=100.0),
        measured.siege(transactions=100, elapsed_time=0.0),
    ]

    assert http.requests_for({"servers": servers}, 4.0) == [200, 2, 1, 4000]
