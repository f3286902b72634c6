"""The pools that the contracts are asked of."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import homes
from tests.conftest import TINY
from tests.contract.pools import KINDS, Made

from wirt.model.pool import StoragePool
from wirt.storage.base import Pool
from wirt.storage.lvm import LvmPool
from wirt.storage.lvmground import LvmGround
from wirt.storage.templates.store import TemplateCache
from wirt.units import GIB


@pytest.fixture(params=KINDS)
def made(
    request: pytest.FixtureRequest, root_user: None, tiny_templates: Path, btrfs_templates: Path
) -> Iterator[Made]:
    make, root = KINDS[request.param]
    on_btrfs = request.param == "btrfs"
    templates = TemplateCache(str(btrfs_templates if on_btrfs else tiny_templates))
    with homes.open_base(str(btrfs_templates.parent) if on_btrfs else "/var/tmp") as base:
        pool: Pool = make(f"{base}/pool")
        if request.param.startswith("lvm"):
            under: StoragePool = request.getfixturevalue("thin_pool")
            thin_pool, templates_in = under.source or "", under.forms
            pool = LvmPool(f"{base}/pool", thin_pool=thin_pool, templates=templates_in)
        form_path = templates.path_of_form(TINY, pool.forms[root])
        yield Made(
            pool=pool,
            form_path=form_path,
            root=root,
            directory=f"{base}/pool",
            tree=templates.path_of_form(TINY, "tree"),
            # A file system that is cloned and has its size already need not be given another one.
            size=os.stat(form_path).st_size if isinstance(pool, LvmPool) else GIB,
        )
        for guest_id in pool.list_guests():
            pool.remove(guest_id)


@pytest.fixture(scope="session")
def thin_pool() -> Iterator[StoragePool]:
    """Make a thin pool on a file, for all tests of a session: LVM takes its time."""
    with homes.open_base("/var/tmp") as base:
        (base / "disk").touch()
        os.truncate(base / "disk", 2 * GIB)
        command = ["losetup", "--find", "--show", str(base / "disk")]
        device = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        made = StoragePool(
            name="thin",
            kind="lvm",
            path=f"{base}/thin",
            source="wirt-contract/thin",
            device=device,
            uuid="7b8d4f0e-1f2a-4c3b-9d5e-6f7a8b9c0d1e",
            created=0.0,
        )
        ground = LvmGround(made, "wirt-contract/thin")
        ground.check_new(force=False)
        try:
            for part in ground.parts():
                part.make()
            yield made
        finally:
            for part in reversed(ground.parts()):
                part.take_away()
            subprocess.run(["losetup", "--detach", device], check=True)
