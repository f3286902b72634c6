"""Containers that go on at another place of the node: run in the lab host, whose AppArmor has a profile for each place."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.contract.approach_contract import Started
from tests.contract.test_approach import prepared_guest
from tests.contract.test_checkpointable import checkpointable, directory, keep

from wirt.approaches.lxc import confinement
from wirt.errors import Failed
from wirt.model.launch import Launch, Place

__all__ = ["directory"]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def started(tiny_templates: Path) -> Iterator[Started]:
    with prepared_guest("lxc", tiny_templates) as prepared:
        yield Started(prepared=prepared, handle=prepared.start())


@pytest.fixture
def elsewhere(started: Started, directory: str) -> Iterator[Launch]:
    """Give the launch of a guest whose memory has been kept and that has ended, at another place."""
    launch = started.prepared.launch
    keep(started, directory)
    started.prepared.approach.kill(launch.place)
    place = Place(
        name=f"{launch.place.name}b", run_dir=f"{launch.place.run_dir}b", log=launch.place.log
    )
    yield msgspec.structs.replace(launch, place=place)
    started.prepared.approach.kill(place)


def test_container_goes_on_at_another_place(
    started: Started, directory: str, elsewhere: Launch
) -> None:
    checkpointable(started).resume(elsewhere, directory)
    profiles = Path("/sys/kernel/security/apparmor/profiles").read_text()

    assert f"lxc-{elsewhere.place.name}_<" in profiles
    assert f"lxc-{started.prepared.launch.place.name}_<" not in profiles


def test_restore_that_fails_when_all_but_done_comes_to_an_end(
    started: Started, directory: str, elsewhere: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile of the place where it was is not there any more; CRIU finds that out last, and waits for what it has killed."""
    monkeypatch.setattr(confinement, "move", lambda label, place: None)
    with pytest.raises(Failed) as caught:
        checkpointable(started).resume(elsewhere, directory)

    assert caught.value.message.startswith(
        f"CRIU could not restore container {elsewhere.place.name}: "
    )
    assert "lsm profile" in str(caught.value.detail)
