"""What pools promise that can make a guest's root of another guest's."""

import os
from pathlib import Path

import pytest
from tests.contract.pools import GUEST, OTHER, TREES, Made, only

from wirt.model.presence import Presence
from wirt.storage.base import Copying
from wirt.units import GIB


@only(TREES)
@pytest.mark.parametrize("is_attached", [False, True])
def test_copy_is_what_the_other_was_and_goes_its_own_way(made: Made, is_attached: bool) -> None:
    assert isinstance(made.pool, Copying)
    made.clone()
    root = Path(made.attach_tree().path)
    (root / "etc/new").write_text("copied")
    os.symlink("/etc/new", root / "etc/link")
    (root / "sbin/init").unlink()
    if not is_attached:
        made.pool.detach(GUEST)
    made.pool.copy(GUEST, OTHER, size=GIB)
    (Path(made.attach_tree().path) / "etc/new").write_text("changed since")
    copy = Path(made.attach_tree(OTHER).path)

    assert (copy / "etc/new").read_text() == "copied"
    assert os.readlink(copy / "etc/link") == "/etc/new"
    assert not (copy / "sbin/init").exists()
    (copy / "etc/new").write_text("its own")
    assert (Path(made.attach_tree().path) / "etc/new").read_text() == "changed since"
    assert made.pool.probe_attached(OTHER) is Presence.PRESENT


@only(TREES)
def test_copy_that_is_removed_leaves_the_other(made: Made) -> None:
    assert isinstance(made.pool, Copying)
    made.clone()
    made.pool.copy(GUEST, OTHER, size=GIB)
    made.pool.remove(OTHER)

    assert made.pool.list_guests() == [GUEST]
    assert (Path(made.attach_tree().path) / "sbin/init").exists()
