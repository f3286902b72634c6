"""Templates that come from another node: nothing has a name that is not what was announced."""

import os
import shutil
from pathlib import Path

import pytest
from tests.conftest import TINY

from wirt.errors import Corrupt
from wirt.storage.templates.store import TemplateCache


@pytest.fixture
def cache(tmp_path: Path, root_user: None) -> TemplateCache:
    return TemplateCache(str(tmp_path / "templates"))


def test_template_that_came_whole_is_found(cache: TemplateCache, tiny_templates: Path) -> None:
    wanted = TemplateCache(str(tiny_templates)).get(TINY)
    with cache.arriving(TINY) as work:
        for name in ("template.json", "root.tar.zst"):
            shutil.copy(tiny_templates / TINY / name, work)
        assert cache.find(TINY, wanted.sha256) is None
        cache.adopt(work, TINY, wanted.sha256)

    assert cache.get(TINY) == wanted
    assert cache.find(TINY, wanted.sha256) is not None
    assert cache.find(TINY, "1" * 64) is None


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        ("template.json", r"template tiny came without its metadata: .*"),
        ("root.tar.zst", r"template tiny is not what was sent; try again"),
    ],
)
def test_template_that_came_otherwise_is_no_template(
    cache: TemplateCache, tiny_templates: Path, tmp_path: Path, spoilt: str, message: str
) -> None:
    wanted = TemplateCache(str(tiny_templates)).get(TINY)
    with cache.arriving(TINY) as work:
        for name in ("template.json", "root.tar.zst"):
            shutil.copy(tiny_templates / TINY / name, work)
        Path(work, spoilt).write_bytes(b"other")
        with pytest.raises(Corrupt, match=f"^{message}$"):
            cache.adopt(work, TINY, wanted.sha256)

    assert os.listdir(tmp_path / "templates") == []
