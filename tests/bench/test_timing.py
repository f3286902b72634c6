"""Times are those of the commands, not those at which somebody looked whether they had ended."""

import subprocess

import pytest
import timing


def test_seconds_of_a_command_are_told_to_some_milliseconds() -> None:
    # Who looks at 31 and then at 63 ms finds it 64 ms long, on a quiet machine too. The quickest of several: on a busy
    # machine some are late.
    assert min(timing.seconds_of(["sleep", "0.035"]) for _ in range(20)) < 0.055


def test_command_that_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "TIMEOUT", 0.01)
    with pytest.raises(subprocess.TimeoutExpired):
        timing.run(["sleep", "60"])
