"""Updates of a template: the new version beside the old one, which stays for whoever rests on it."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.homes import HomeUnderTest, open_home
from tests.host.test_template_cache import die, run_killed

from wirt import app
from wirt.errors import Failed, NotFound, WrongState
from wirt.model.template import Template, TemplateSpec
from wirt.ops.context import Context
from wirt.ops.template import update_template
from wirt.storage.templates import builder, store, versions
from wirt.storage.templates.store import TemplateCache

SPEC = TemplateSpec(name="own", distribution="tiny", suite="one", packages=[])
CHANGED = msgspec.structs.replace(SPEC, packages=["more"])
STATUS = "Package: a\nStatus: install ok installed\nVersion: 1\n"


class Builder:
    """Plays mmdebstrap: the root is a copy of a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def build_root(
        self, spec: TemplateSpec, work: str, *, lock: int, progress: Callable[[str], None]
    ) -> str:
        shutil.copytree(self.root, f"{work}/root", symlinks=True)
        return f"{work}/root"


class FakePackages:
    """A mirror that has something newer, or has not."""

    def __init__(self) -> None:
        self.newer: list[str] = []

    def fetch(self, status: bytes, release: bytes, wanted: object, into: str) -> list[str]:
        raise Failed("nothing is fetched for an update")

    def outdated(self, status: bytes, release: bytes) -> list[str]:
        assert status.decode() == STATUS
        return self.newer


def silence(_: str) -> None:
    """Take progress and say nothing."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the directory that is built from."""
    root = tmp_path / "built-from"
    (root / "usr/lib").mkdir(parents=True)
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "usr/lib/os-release").write_text("ID=tiny\n")
    (root / "var/lib/dpkg/status").write_text(STATUS)
    (root / "usr/content").write_text("old")
    monkeypatch.setattr(builder, "build_root", Builder(root).build_root)
    return root


@pytest.fixture
def cache(tmp_path: Path) -> TemplateCache:
    return TemplateCache(str(tmp_path / "templates"))


def content(cache: TemplateCache, sha256: str | None = None) -> str:
    return Path(cache.path_of_form("own", "tree", sha256=sha256), "usr/content").read_text()


def update(cache: TemplateCache, root: Path, text: str) -> Template:
    (root / "usr/content").write_text(text)
    return cache.update(SPEC, progress=silence)


def test_updated_template_is_another_and_the_old_version_stays_where_it_was(
    cache: TemplateCache, root: Path
) -> None:
    old = cache.build(SPEC, progress=silence)
    path = cache.path_of_form("own", "tree", sha256=old.sha256)
    new = update(cache, root, "new")

    assert cache.get("own") == new
    assert list(cache.list()) == [new]
    assert (content(cache), content(cache, new.sha256), content(cache, old.sha256)) == (
        "new",
        "new",
        "old",
    )
    assert cache.path_of_form("own", "tree", sha256=old.sha256) == path


def test_versions_that_nobody_uses_are_deleted_and_others_not(
    cache: TemplateCache, root: Path, tmp_path: Path
) -> None:
    first = cache.build(SPEC, progress=silence)
    second = update(cache, root, "second")
    third = update(cache, root, "third")
    cache.remove_unused("own", used={first.sha256})
    kept = sorted(os.listdir(tmp_path / "templates"))
    cache.remove_unused("own", used=set())

    assert kept == [".current-own", "own", f"own@{third.sha256[:12]}"]
    assert sorted(os.listdir(tmp_path / "templates")) == [kept[0], kept[2]]
    assert content(cache, third.sha256) == "third"
    assert second.sha256 != third.sha256


def test_removed_template_leaves_no_version(
    cache: TemplateCache, root: Path, tmp_path: Path
) -> None:
    cache.build(SPEC, progress=silence)
    update(cache, root, "new")
    cache.remove("own")

    assert os.listdir(tmp_path / "templates") == []
    assert cache.build(SPEC, progress=silence) == cache.get("own")


@pytest.mark.parametrize(
    ("module", "step", "expected"),
    [
        (store, "write_atomically", "old"),
        (store, "sync_directory", "old"),
        (os, "symlink", "old"),
        (versions, "sync_directory", "new"),
    ],
)
def test_update_that_is_killed_leaves_the_old_version_or_the_new_one(
    cache: TemplateCache,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    step: str,
    expected: str,
) -> None:
    old = cache.build(SPEC, progress=silence)
    with monkeypatch.context() as patch:
        patch.setattr(module, step, die)
        run_killed(lambda: update(cache, root, "new"))
    seen, resting = content(cache), content(cache, old.sha256)
    cache.update(SPEC, progress=silence)
    update(cache, root, "newest")
    cache.remove_unused("own", used=set())

    assert (seen, resting) == (expected, "old")
    assert content(cache) == "newest"
    assert (
        len(versions.Versions(str(Path(cache.path_of_form("own", "tree")).parents[1])).all("own"))
        == 1
    )


def test_update_that_fails_leaves_the_old_version(
    cache: TemplateCache, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = cache.build(SPEC, progress=silence)
    before = sorted(os.listdir(tmp_path / "templates"))

    def fail(*_: object, **__: object) -> str:
        raise Failed("no mirror")

    monkeypatch.setattr(builder, "build_root", fail)
    with pytest.raises(Failed):
        cache.update(SPEC, progress=silence)

    assert cache.get("own") == old
    assert sorted(os.listdir(tmp_path / "templates")) == before


def test_update_of_a_template_that_is_not_built_is_refused(cache: TemplateCache) -> None:
    with pytest.raises(NotFound) as caught:
        cache.update(SPEC, progress=silence)

    assert str(caught.value) == ("no template called own; see wirt template list")


@pytest.fixture
def own(root: Path, busybox_tar: Path) -> Iterator[HomeUnderTest]:
    """Give a home with the template ``own``, which is built from a busybox."""
    subprocess.run(["tar", "-xf", busybox_tar, "-C", root], check=True)
    with open_home() as home:
        with app.open_context(home.home) as context:
            context.templates.build(SPEC, progress=silence)
        yield home


def look(home: HomeUnderTest, guest: str) -> str:
    return home.wirt("exec", guest, "cat", "/usr/content", status=0).stdout


def test_guests_of_the_old_version_go_on_beside_those_of_the_new(
    own: HomeUnderTest, root: Path
) -> None:
    for name in ("stopped", "running"):
        own.wirt("create", "-t", "own", name, status=0)
    own.wirt("start", "running", status=0)
    (root / "usr/content").write_text("new")
    with app.open_context(own.home) as context:
        update_template(context, FakePackages(), CHANGED, progress=silence)
    own.wirt("create", "-t", "own", "fresh", status=0)
    for name in ("stopped", "fresh"):
        own.wirt("start", name, status=0)
    own.wirt("stop", "--force", "running", status=0)
    own.wirt("start", "running", status=0)

    assert [look(own, name) for name in ("stopped", "running", "fresh")] == ["old", "old", "new"]


def test_template_is_updated_for_its_metadata_or_its_packages_and_else_not(
    own: HomeUnderTest,
) -> None:
    mirror = FakePackages()
    said: list[str] = []

    def updated(context: Context, spec: TemplateSpec) -> bool:
        return update_template(context, mirror, spec, progress=said.append) is not None

    with app.open_context(own.home) as context:
        first = updated(context, SPEC)
        mirror.newer = ["a_2_all.deb"]
        second = updated(context, SPEC)
        mirror.newer = []
        third, fourth = updated(context, CHANGED), updated(context, CHANGED)

    assert (first, second, third, fourth) == (False, True, True, False)
    assert [line for line in said if "changed" in line] == [
        "packages that have changed: 1",
        "its metadata has changed",
    ]


def test_template_that_was_imported_is_not_updated(own: HomeUnderTest, busybox_tar: Path) -> None:
    own.wirt("template", "import", str(busybox_tar), "tiny", status=0)
    spec = msgspec.structs.replace(SPEC, name="tiny")
    with app.open_context(own.home) as context, pytest.raises(WrongState) as caught:
        update_template(context, FakePackages(), spec, progress=silence)

    assert str(caught.value) == (
        "template tiny was not built from its metadata, so it cannot be updated from it; "
        "remove it with wirt template remove tiny, or give the metadata another name"
    )
