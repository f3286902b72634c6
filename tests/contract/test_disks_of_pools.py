"""What every pool that holds further disks promises of them."""

import os

import pytest
from tests.contract.pools import GUEST, OTHER, Made, only

from wirt.errors import Failed
from wirt.model.presence import Presence
from wirt.storage.base import Disks, HoldsDisks, Portable
from wirt.units import MIB

HOLDING = ["fake", "image-qcow2", "image-ubd"]


@pytest.fixture
def keeper(made: Made) -> Disks:
    assert isinstance(made.pool, HoldsDisks)
    made.clone()
    return made.pool.disks()


@only(HOLDING)
def test_disk_is_made_again_and_again_and_keeps_what_is_on_it(keeper: Disks) -> None:
    before = keeper.probe(GUEST, "data")
    keeper.make(GUEST, "data", MIB)
    with open(keeper.path(GUEST, "data"), "r+b") as disk:
        disk.write(b"kept")
    keeper.make(GUEST, "data", MIB)

    assert (before, keeper.probe(GUEST, "data")) == (Presence.ABSENT, Presence.PRESENT)
    with open(keeper.path(GUEST, "data"), "rb") as disk:
        assert disk.read() == b"kept".ljust(MIB, b"\0")


@only(HOLDING)
def test_disk_grows_and_never_shrinks(keeper: Disks) -> None:
    keeper.make(GUEST, "data", MIB)
    sizes = []
    for size in (3 * MIB, 2 * MIB, 3 * MIB):
        keeper.grow(GUEST, "data", size)
        sizes.append(os.stat(keeper.path(GUEST, "data")).st_size)

    assert sizes == [3 * MIB] * 3


@only(HOLDING)
def test_disk_is_removed_alone_and_again(keeper: Disks) -> None:
    for name in ("data", "other"):
        keeper.make(GUEST, name, MIB)
    for _ in range(2):
        keeper.remove(GUEST, "data")

    assert keeper.probe(GUEST, "data") is Presence.ABSENT
    assert keeper.probe(GUEST, "other") is Presence.PRESENT


@only(HOLDING)
def test_disk_goes_along_and_goes_with_its_guest(made: Made, keeper: Disks) -> None:
    keeper.make(GUEST, "data", MIB)
    keeper.make(OTHER, "data", MIB)
    assert isinstance(made.pool, Portable)
    path = keeper.path(GUEST, "data")
    parts = [os.path.join(made.pool.place(GUEST), part) for part in made.pool.parts(GUEST)]
    made.pool.remove(GUEST)

    assert any(path.startswith(part) for part in parts)
    assert not os.path.exists(path)
    assert keeper.probe(OTHER, "data") is Presence.PRESENT
    made.pool.remove(OTHER)


@only(HOLDING)
def test_disk_larger_than_files_can_be_is_refused_and_leaves_nothing(keeper: Disks) -> None:
    with pytest.raises(Failed, match="cannot make disk data: "):
        keeper.make(GUEST, "data", 1 << 62)
    keeper.remove(GUEST, "data")

    assert keeper.probe(GUEST, "data") is Presence.ABSENT
