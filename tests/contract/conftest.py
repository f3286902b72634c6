"""The pools that the contracts are asked of."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import homes
from tests.conftest import TINY
from tests.contract.pools import KINDS, Made

from wirt.storage.templates import TemplateCache


@pytest.fixture(params=KINDS)
def made(
    request: pytest.FixtureRequest, root_user: None, tiny_templates: Path, btrfs_templates: Path
) -> Iterator[Made]:
    make, root = KINDS[request.param]
    on_btrfs = request.param == "btrfs"
    templates = TemplateCache(str(btrfs_templates if on_btrfs else tiny_templates))
    with homes.open_base(str(btrfs_templates.parent) if on_btrfs else "/var/tmp") as base:
        pool = make(f"{base}/pool")
        yield Made(
            pool=pool,
            form_path=templates.path_of_form(TINY, pool.forms[root]),
            root=root,
            directory=f"{base}/pool",
        )
        for guest_id in pool.list_guests():
            pool.remove(guest_id)
