"""What ``vzctl start`` and ``stop`` say and end with, where no container is needed for it."""

from pathlib import Path

import pytest
from tests import fakes

from wirt.dialects.vz.codes import Refused
from wirt.dialects.vz.vzctl import lifecycle
from wirt.ops.create import CreateRequest, create
from wirt.state.memory import MemoryStore


@pytest.mark.parametrize("status", [0, 1])
def test_system_that_has_started_is_waited_for_no_longer_however_well_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    wait(tmp_path, monkeypatch, status)


def test_system_that_does_not_start_in_time_ends_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refused) as refused:
        wait(tmp_path, monkeypatch, 124)

    assert (refused.value.exit_code, str(refused.value)) == (
        133,
        "Container wait failed - timeout expired",
    )


def wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Wait for a container in which the program that waits ends so."""
    context = fakes.open_context(tmp_path, MemoryStore())
    guest = create(context, CreateRequest(name="web", template="tiny", approach="fake"))
    monkeypatch.setattr(lifecycle, "execute_in_guest", lambda *_: status)
    lifecycle._wait_started(context, guest)
