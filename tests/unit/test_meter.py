"""What is seen of the node while a block is measured."""

import pytest

from wirt.bench.meter import NodeMeter, others_percent
from wirt.host.facts import CpuTimes


def times(total: float, idle: float, steal: float = 0.0) -> CpuTimes:
    return CpuTimes(total=total, idle=idle, steal=steal)


@pytest.mark.parametrize(
    ("after", "own", "share"),
    [
        (times(102, 51), 0.0, 50.0),
        (times(102, 51), 0.5, 25.0),
        (times(102, 51, steal=1.0), 0.0, 0.0),
        (times(102, 52), 0.1, 0.0),
        (times(100, 50), 0.0, None),
        (None, 0.0, None),
    ],
)
def test_others_use_what_is_neither_idle_nor_stolen_nor_ours(
    after: CpuTimes | None, own: float, share: float | None
) -> None:
    assert others_percent(times(100, 50), after, own=own) == share


def test_meter_on_this_machine_sees_sane_figures() -> None:
    meter = NodeMeter()
    meter.begin()
    sum(number * number for number in range(300_000))
    seen = meter.end()

    assert seen.cpu_seconds is None or seen.cpu_seconds > 0
    assert 0 <= (seen.others_percent or 0) <= 100
    assert 0 <= (seen.stolen_seconds or 0) <= (seen.cpu_seconds or 0)
    assert (seen.throttled or 0) >= 0
