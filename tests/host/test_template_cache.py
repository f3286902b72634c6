"""The template cache on real directories: atomic, locked, checked, and clear about what is wrong."""

import io
import os
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wirt.errors import (
    Busy,
    Conflict,
    Corrupt,
    InvalidInput,
    NotFound,
    NotPermitted,
    OutOfSpace,
    Unsupported,
    WrongState,
)
from wirt.model import template
from wirt.storage.templates import forms, store
from wirt.storage.templates.store import TemplateCache
from wirt.storage.templates.workdir import claimed
from wirt.units import MIB


def write_root(path: Path, *, weight: int = 0) -> str:
    """Write the tar of a tiny root with ``weight`` bytes that do not compress."""
    files = {
        "etc/os-release": b"ID=tiny\nVERSION_ID=1\n",
        "usr/bin/tool": b"#!/bin/sh\n",
        "usr/weight": os.urandom(weight),
    }
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o4755
            tar.addfile(info, io.BytesIO(content))
    return str(path)


def message_of(error: type[Exception], act: Callable[[], object]) -> str:
    with pytest.raises(error) as caught:
        act()
    return str(caught.value)


def run_killed(act: Callable[[], object]) -> None:
    """Run something in a process of its own that is killed with SIGKILL on the way."""
    child = os.fork()
    if child == 0:
        act()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def die(*_: object) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


@pytest.fixture
def archive(tmp_path: Path) -> str:
    return write_root(tmp_path / "tiny.tar")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "templates"


@pytest.fixture
def cache(directory: Path) -> TemplateCache:
    return TemplateCache(str(directory))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 12 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12M", "wirt-test", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def btrfs(tmp_path: Path) -> Iterator[Path]:
    """Give a btrfs file system on a loop file."""
    image, place = tmp_path / "btrfs.img", tmp_path / "btrfs"
    place.mkdir()
    with open(image, "wb") as file:
        file.truncate(128 * MIB)
    subprocess.run(["mkfs.btrfs", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def test_imported_template_is_listed_with_what_it_is(cache: TemplateCache, archive: str) -> None:
    template = cache.import_root(archive, "tiny")

    assert cache.get("tiny") == template
    assert list(cache.list()) == [template]
    assert (template.distribution, template.suite, template.imported) == ("tiny", "1", True)
    assert template.description == "imported from tiny.tar"


def test_cache_that_was_never_used_is_empty(cache: TemplateCache) -> None:
    assert list(cache.list()) == []


def test_directories_that_are_no_templates_are_not_listed(
    cache: TemplateCache, archive: str, directory: Path
) -> None:
    cache.import_root(archive, "tiny")
    (directory / "lost+found").mkdir()
    (directory / "empty").mkdir()

    assert [template.name for template in cache.list()] == ["tiny"]


def test_tree_keeps_modes_and_is_made_once(
    cache: TemplateCache, archive: str, directory: Path
) -> None:
    cache.import_root(archive, "tiny")
    tree = cache.path_of_form("tiny", "tree")
    (directory / "tiny" / "root.tar.zst").unlink()

    assert cache.path_of_form("tiny", "tree") == tree == str(directory / "tiny" / "tree")
    assert os.stat(f"{tree}/usr/bin/tool").st_mode & 0o7777 == 0o4755


def test_image_is_made_from_the_tree(
    cache: TemplateCache, archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template, "SMALLEST_IMAGE", 16 * MIB)
    cache.import_root(archive, "tiny")
    image = cache.path_of_form("tiny", "image")
    listed = subprocess.run(
        ["debugfs", "-R", "stat /usr/bin/tool", image], capture_output=True, text=True, check=True
    ).stdout

    assert os.path.getsize(image) == 16 * MIB
    assert "Mode:  04755" in listed


def test_subvolume_is_made_on_btrfs_and_removed_with_its_template(
    btrfs: Path, archive: str
) -> None:
    cache = TemplateCache(str(btrfs))
    cache.import_root(archive, "tiny")
    volume = cache.path_of_form("tiny", "btrfs")
    kind = subprocess.run(["btrfs", "subvolume", "show", volume], stdout=subprocess.DEVNULL)
    cache.remove("tiny")

    assert kind.returncode == 0
    assert os.listdir(btrfs) == []


def test_subvolume_elsewhere_is_refused(small_disk: Path, archive: str) -> None:
    cache = TemplateCache(str(small_disk))
    cache.import_root(archive, "tiny")

    assert message_of(Unsupported, lambda: cache.path_of_form("tiny", "btrfs")) == (
        "template tiny cannot be made a subvolume: it is on tmpfs, not on btrfs; "
        "put WIRT_HOME on a btrfs file system"
    )


def test_template_without_kernel_cannot_be_booted(
    cache: TemplateCache, archive: str, directory: Path
) -> None:
    cache.import_root(archive, "tiny")
    message = message_of(Unsupported, lambda: cache.path_of_form("tiny", "boot"))

    assert message.startswith("the template has no kernel to boot")
    assert sorted(os.listdir(directory / "tiny")) == ["root.tar.zst", "template.json", "tree"]
    assert os.listdir(directory) == ["tiny"]


def test_unknown_template_is_refused_with_the_way_to_build_it(cache: TemplateCache) -> None:
    expected = "no template called foo; see wirt template list"

    assert message_of(NotFound, lambda: cache.get("foo")) == expected
    assert message_of(NotFound, lambda: cache.path_of_form("foo", "tree")) == expected
    assert message_of(NotFound, lambda: cache.remove("foo")) == expected


def test_name_that_leads_elsewhere_is_refused(cache: TemplateCache, archive: str) -> None:
    expected = "'../foo' is not a template name; use a-z, 0-9 and inner hyphens, dots and underscores, such as debian-12-web"

    assert message_of(InvalidInput, lambda: cache.import_root(archive, "../foo")) == expected
    assert message_of(InvalidInput, lambda: cache.path_of_form("../foo", "tree")) == expected
    assert message_of(InvalidInput, lambda: cache.remove("../foo")) == expected


def test_name_that_is_taken_is_refused(cache: TemplateCache, archive: str) -> None:
    cache.import_root(archive, "tiny")

    assert message_of(Conflict, lambda: cache.import_root(archive, "tiny")) == (
        "there is a template called tiny; "
        "to build it anew: wirt template update tiny; else take another name, or remove it with "
        "wirt template remove tiny"
    )


def test_missing_archive_is_refused(cache: TemplateCache) -> None:
    assert message_of(NotFound, lambda: cache.import_root("/no/such.tar", "tiny")) == (
        "there is no file /no/such.tar; give the path of a tar or of an OCI image layout"
    )


def test_hostile_archive_leaves_nothing(
    cache: TemplateCache, directory: Path, tmp_path: Path
) -> None:
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as tar:
        tar.addfile(tarfile.TarInfo("usr/ok"))
        tar.addfile(tarfile.TarInfo("../outside"))

    assert message_of(InvalidInput, lambda: cache.import_root(str(evil), "evil")) == (
        "evil.tar was not imported: its member '../outside' is a path with ..; "
        "pack it from inside its root: tar -C ROOT -cf FILE ."
    )
    assert os.listdir(directory) == []


def test_who_is_not_root_is_refused(
    cache: TemplateCache, archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert message_of(NotPermitted, lambda: cache.import_root(archive, "tiny")) == (
        "only root may import tiny.tar; run it with sudo"
    )


def test_second_maker_of_a_name_is_told_to_wait(
    cache: TemplateCache, archive: str, directory: Path
) -> None:
    directory.mkdir()
    with claimed(str(directory), "tiny", wait=False):
        message = message_of(Busy, lambda: cache.import_root(archive, "tiny"))
        cache.import_root(archive, "other")

    assert message == "another command is at work on template tiny; try again when it has ended"
    assert cache.import_root(archive, "tiny").name == "tiny"


@pytest.mark.parametrize("step", ["check", "write_atomically", "sync_directory"])
def test_import_that_is_killed_leaves_nothing_that_looks_finished(
    cache: TemplateCache,
    archive: str,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(store, step, die)
        run_killed(lambda: cache.import_root(archive, "tiny"))
    # The last step comes after the template has got its name: it is there, and whole.
    finished = [template.name for template in cache.list()]
    cache.clean_up()

    assert finished == (["tiny"] if step == "sync_directory" else [])
    assert os.listdir(directory) == finished


def test_form_that_is_killed_is_made_again_whole(
    cache: TemplateCache, archive: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.import_root(archive, "tiny")
    with monkeypatch.context() as patch:
        patch.setattr(forms, "unpack", die)
        run_killed(lambda: cache.path_of_form("tiny", "tree"))
    after_kill = sorted(os.listdir(directory / "tiny"))
    tree = cache.path_of_form("tiny", "tree")

    assert after_kill == ["root.tar.zst", "template.json"]
    assert sorted(os.listdir(tree)) == ["etc", "usr"]
    assert os.listdir(directory) == ["tiny"]


def test_packed_root_that_was_changed_is_not_unpacked(
    cache: TemplateCache, archive: str, directory: Path
) -> None:
    cache.import_root(archive, "tiny")
    packed = directory / "tiny" / "root.tar.zst"
    packed.write_bytes(packed.read_bytes() + b"x")

    assert message_of(Corrupt, lambda: cache.path_of_form("tiny", "tree")) == (
        f"template tiny is damaged: {packed} is not what was packed; "
        "remove it with wirt template remove tiny and make it again"
    )
    assert sorted(os.listdir(directory / "tiny")) == ["root.tar.zst", "template.json"]


def test_metadata_that_is_damaged_is_named(
    cache: TemplateCache, archive: str, directory: Path
) -> None:
    cache.import_root(archive, "tiny")
    metadata = directory / "tiny" / "template.json"
    metadata.write_bytes(metadata.read_bytes()[:40])

    assert message_of(Corrupt, lambda: cache.get("tiny")) == (
        f"template tiny is damaged: {metadata}: Input data was truncated; "
        "remove it with wirt template remove tiny and make it again"
    )
    cache.remove("tiny")
    assert list(cache.list()) == []


def test_template_in_use_is_not_removed(cache: TemplateCache, archive: str) -> None:
    cache.import_root(archive, "tiny")

    assert message_of(WrongState, lambda: cache.remove("tiny", used_by=["web1", "web2"])) == (
        "template tiny is used by the guests web1, web2; destroy them first"
    )
    assert cache.get("tiny").name == "tiny"


def test_removed_template_leaves_nothing(
    cache: TemplateCache, archive: str, directory: Path
) -> None:
    cache.import_root(archive, "tiny")
    cache.path_of_form("tiny", "tree")
    cache.remove("tiny")

    assert os.listdir(directory) == []


def test_archive_larger_than_the_disk_is_refused(small_disk: Path, tmp_path: Path) -> None:
    cache = TemplateCache(str(small_disk))
    archive = write_root(tmp_path / "big.tar", weight=20 * MIB)

    assert message_of(OutOfSpace, lambda: cache.import_root(archive, "big")) == (
        "big.tar was not imported: unpacked it takes more than 20.0 MiB, "
        "and 12 MiB are free; free some space and try again"
    )
    assert os.listdir(small_disk) == []


def test_disk_that_fills_up_while_a_form_is_made_is_one_error(
    small_disk: Path, tmp_path: Path
) -> None:
    cache = TemplateCache(str(small_disk))
    cache.import_root(write_root(tmp_path / "big.tar", weight=7 * MIB), "big")
    message = message_of(OutOfSpace, lambda: cache.path_of_form("big", "tree"))

    assert message == (
        f"template big does not fit into {small_disk}: it needs more than the 5.0 MiB that are "
        "free there; free some space, or set WIRT_HOME to a directory on a larger disk"
    )
    assert os.listdir(small_disk) == ["big"]
    assert sorted(os.listdir(small_disk / "big")) == ["root.tar.zst", "template.json"]


def test_exported_template_comes_back_as_it_was(
    cache: TemplateCache, archive: str, tmp_path: Path
) -> None:
    template = cache.import_root(archive, "tiny")
    out = tmp_path / "out.tar.zst"
    cache.export("tiny", str(out))
    checked = subprocess.run(["sha256sum", "-c", "out.tar.zst.sha256"], cwd=tmp_path)
    again = cache.import_root(str(out), "again")

    assert checked.returncode == 0
    assert (again.distribution, again.suite) == (template.distribution, template.suite)
    assert again.sha256 == template.sha256
    assert sorted(path.name for path in tmp_path.glob("out*")) == [
        "out.tar.zst",
        "out.tar.zst.sha256",
    ]


@pytest.mark.parametrize("taken", ["out.tar.zst", "out.tar.zst.sha256"])
def test_export_overwrites_nothing(
    cache: TemplateCache, archive: str, tmp_path: Path, taken: str
) -> None:
    cache.import_root(archive, "tiny")
    (tmp_path / taken).write_text("mine")

    assert message_of(Conflict, lambda: cache.export("tiny", f"{tmp_path}/out.tar.zst")) == (
        f"there is a file {tmp_path}/{taken}; give another name, or remove it"
    )
    assert [path.read_text() for path in tmp_path.glob("out*")] == ["mine"]


def test_export_of_a_damaged_template_writes_nothing(
    cache: TemplateCache, archive: str, directory: Path, tmp_path: Path
) -> None:
    cache.import_root(archive, "tiny")
    packed = directory / "tiny" / "root.tar.zst"
    packed.write_bytes(packed.read_bytes() + b"x")

    assert message_of(Corrupt, lambda: cache.export("tiny", f"{tmp_path}/out.tar.zst")) == (
        f"template tiny is damaged: {packed}: it is not what was packed; "
        "remove it with wirt template remove tiny and make it again"
    )
    assert list(tmp_path.glob("out*")) == []


def test_export_that_does_not_fit_writes_nothing(
    cache: TemplateCache, tmp_path: Path, small_disk: Path
) -> None:
    cache.import_root(write_root(tmp_path / "big.tar", weight=14 * MIB), "big")
    message = message_of(OutOfSpace, lambda: cache.export("big", f"{small_disk}/out"))

    assert message == (
        "cannot export template big: No space left on device; free some space and try again"
    )
    assert os.listdir(small_disk) == []


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        (
            "0" * 64 + "  tiny.tar\n",
            "tiny.tar is cut short or damaged: it is not what tiny.tar.sha256 beside it says; "
            "fetch or pack it again",
        ),
        (
            "hello",
            "tiny.tar was not imported: tiny.tar.sha256 beside it holds no SHA-256; "
            "remove that file, or write it with sha256sum",
        ),
    ],
)
def test_archive_that_is_not_what_the_checksum_beside_it_says_is_refused(
    cache: TemplateCache, archive: str, beside: str, message: str
) -> None:
    Path(f"{archive}.sha256").write_text(beside)

    assert message_of(InvalidInput, lambda: cache.import_root(archive, "tiny")) == message
    assert list(cache.list()) == []
