"""Templates that come from another node: nothing has a name that is not what was announced."""

import os
import shutil
from pathlib import Path

import pytest
from tests.conftest import TINY

from wirt.errors import Corrupt
from wirt.storage.templates.arriving import find_lacking
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


def test_template_that_is_there_is_given_the_image_that_it_lacks_and_keeps_the_one_that_it_has(
    cache: TemplateCache, tiny_templates: Path
) -> None:
    wanted = TemplateCache(str(tiny_templates)).get(TINY)
    with cache.arriving(TINY) as work:
        for name in ("template.json", "root.tar.zst"):
            shutil.copy(tiny_templates / TINY / name, work)
        cache.adopt(work, TINY, wanted.sha256)
    there = cache.find(TINY, wanted.sha256)
    assert there is not None
    lacking = [find_lacking(there, with_image=wanted) for wanted in (False, True)]
    for content in ("first", "second"):
        with cache.arriving(TINY) as work:
            Path(work, "root.img").write_text(content)
            cache.adopt(work, TINY, wanted.sha256)

    assert lacking == [[], ["root.img"]]
    assert find_lacking(there, with_image=True) == []
    assert Path(there, "root.img").read_text() == "first"


def test_template_that_is_not_there_lacks_everything() -> None:
    assert find_lacking(None, with_image=False) == ["template.json", "root.tar.zst"]
    assert find_lacking(None, with_image=True) == ["template.json", "root.tar.zst", "root.img"]


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
