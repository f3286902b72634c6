"""What pools promise that can keep a root from growing."""

import subprocess
from pathlib import Path

import pytest
from tests.contract.pools import GUEST, Made, only

from wirt.model.ids import SHARED
from wirt.storage.base import MeasuresRoots
from wirt.storage.powers import Closable
from wirt.units import MIB


@only(["btrfs", "image-tree"])
def test_root_that_is_closed_grows_no_more_until_it_is_opened_again(made: Made) -> None:
    assert isinstance(made.pool, Closable)
    assert isinstance(made.pool, MeasuresRoots)
    made.pool.clone(made.form_path, GUEST, root="tree", size=64 * MIB)
    root = Path(made.attach_tree(idmap=SHARED).path)
    (root / "etc/file").write_bytes(b"x" * 8 * MIB)
    subprocess.run(["sync", "-f", root], check=True)
    for _again in range(2):
        made.pool.close(GUEST, 4 * MIB)
    usage = made.pool.measure(GUEST)
    with pytest.raises(OSError, match=r"Disk quota exceeded|No space left"):
        (root / "etc/more").write_bytes(b"x" * 4 * MIB)
    (root / "etc/more").unlink(missing_ok=True)
    for _again in range(2):
        made.pool.reopen(GUEST, 64 * MIB)
    (root / "etc/more").write_bytes(b"x" * 4 * MIB)

    assert made.pool.probe_closing(GUEST).available
    assert usage is not None
    # What keeps it from growing is not counted as the guest's.
    assert 8 * MIB <= usage.bytes < 14 * MIB
