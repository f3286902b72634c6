"""Where a copy goes, and copying over a node of fakes, whose running guest sees the node's own files."""

import io
import os
import tarfile
from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.approaches.base import Approach, Needs
from wirt.errors import Conflict, Error, Failed, InvalidInput, NotFound, Unsupported, WrongState
from wirt.ops.context import Context
from wirt.ops.copy import End, copy, parse_end, settle
from wirt.ops.create import CreateRequest, create
from wirt.ops.freeze import freeze
from wirt.ops.guestfiles import Found, Kind
from wirt.ops.start import start
from wirt.state.memory import MemoryStore

FILE, DIRECTORY, NOTHING = (Found(kind=kind) for kind in (Kind.OTHER, Kind.DIRECTORY, Kind.NOTHING))
LINK = Found(kind=Kind.DIRECTORY, is_link=True)


@pytest.mark.parametrize(
    ("text", "guest", "path"),
    [
        ("web:/etc", "web", "/etc"),
        ("web:etc/x", "web", "/etc/x"),
        ("web:/", "web", "/"),
        ("web://etc:x", "web", "/etc:x"),
        ("/etc", None, "/etc"),
        ("./web:etc", None, "./web:etc"),
        ("a/b:c", None, "a/b:c"),
        ("-", None, "-"),
        (":x", None, ":x"),
    ],
)
def test_end_is_a_path_of_a_guest_or_of_the_node(text: str, guest: str | None, path: str) -> None:
    assert parse_end(text) == End(guest=guest, path=path)


@pytest.mark.parametrize("text", ["", "web:", "Web:/x", "-x:/y"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_end(text)


@pytest.mark.parametrize(
    ("source", "found", "target", "there", "goes"),
    [
        ("/a/file", FILE, "/b", DIRECTORY, ("/b", "file")),
        ("/a/file", FILE, "/b/", DIRECTORY, ("/b/", "file")),
        ("/a/file", FILE, "/b/new", NOTHING, ("/b", "new")),
        ("/a/file", FILE, "/b/old", FILE, ("/b", "old")),
        ("/a/dir", DIRECTORY, "/b", DIRECTORY, ("/b", "dir")),
        ("/a/dir/", DIRECTORY, "/b", DIRECTORY, ("/b", "dir")),
        ("/a/dir", DIRECTORY, "/b/new", NOTHING, ("/b", "new")),
        ("/a/dir", DIRECTORY, "/b/new/", NOTHING, ("/b", "new")),
        ("/a/dir/.", DIRECTORY, "/b", DIRECTORY, ("/b", "")),
        ("/a/dir/.", DIRECTORY, "/new", NOTHING, ("/", "new")),
        (".", DIRECTORY, "/b", DIRECTORY, ("/b", "")),
        ("/", DIRECTORY, "/b", DIRECTORY, ("/b", "")),
        ("/a/link", LINK, "/b/old", FILE, ("/b", "old")),
        ("/a/link/.", LINK, "/b", DIRECTORY, ("/b", "")),
    ],
)
def test_source_goes_into_a_directory_or_under_the_name(
    source: str, found: Found, target: str, there: Found, goes: tuple[str, str]
) -> None:
    ends = End(guest=None, path=source), End(guest="web", path=target)

    assert settle(ends[0], found, ends[1], there, DIRECTORY) == goes


@pytest.mark.parametrize(
    ("source", "found", "target", "there", "above", "error"),
    [
        ("/a/file", FILE, "/b/x", NOTHING, NOTHING, NotFound),
        ("/a/file", FILE, "/b/x/", NOTHING, DIRECTORY, NotFound),
        ("/a/file", FILE, "/b/x/", FILE, DIRECTORY, NotFound),
        ("/a/file/.", FILE, "/b", DIRECTORY, DIRECTORY, InvalidInput),
        ("/a/dir", DIRECTORY, "/b/x", FILE, DIRECTORY, Conflict),
        ("/a/dir/.", DIRECTORY, "/b/x", FILE, DIRECTORY, Conflict),
        ("/a/dir", DIRECTORY, "/b/x", NOTHING, FILE, NotFound),
    ],
)
def test_what_cannot_go_there_is_refused(
    source: str, found: Found, target: str, there: Found, above: Found, error: type[Error]
) -> None:
    ends = End(guest=None, path=source), End(guest="web", path=target)

    with pytest.raises(error):
        settle(ends[0], found, ends[1], there, above)


@pytest.fixture
def stopped(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path / "node", MemoryStore())
    create(context, CreateRequest(name="web", approach="fake", template="tiny"))
    return context


@pytest.fixture
def running(stopped: Context) -> Context:
    start(stopped, "web")
    return stopped


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    (path / "sub").mkdir(parents=True)
    (path / "sub/file").write_text("content")
    return path


def root_of(context: Context) -> Path:
    return Path(context.home.pool("fake"), context.store.find("web").id, "root")


def do(context: Context, source: object, target: object) -> object:
    return copy(context, parse_end(str(source)), parse_end(str(target)))


def test_stopped_guest_is_copied_to_and_from(
    stopped: Context, source: Path, tmp_path: Path
) -> None:
    do(stopped, source, "web:/opt-x")
    do(stopped, "web:/opt-x/sub", tmp_path / "back")

    assert (root_of(stopped) / "opt-x/sub/file").read_text() == "content"
    assert (tmp_path / "back/file").read_text() == "content"
    assert stopped.store.intents() == []


def test_running_guest_is_copied_to_and_from(
    running: Context, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "inside").mkdir()
    do(running, source, f"web:{tmp_path}/inside")
    do(running, f"web:{tmp_path}/inside/source/.", tmp_path / "back")

    assert (tmp_path / "inside/source/sub/file").read_text() == "content"
    assert (tmp_path / "back/sub/file").read_text() == "content"


def test_links_of_a_stopped_guest_lead_nowhere_on_the_node(
    stopped: Context, source: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root_of(stopped) / "absolute").symlink_to(outside)
    (root_of(stopped) / "relative").symlink_to("../" * 30 + str(outside))
    for name in ("absolute", "relative"):
        for end in (f"web:/{name}/x", f"web:/{name}/"):
            with pytest.raises(Error):
                do(stopped, source / "sub/file", end)
        with pytest.raises(NotFound):
            do(stopped, f"web:/{name}/secret", tmp_path / "stolen")

    assert os.listdir(outside) == ["secret"]
    assert not (tmp_path / "stolen").exists()


def test_devices_of_a_stopped_guest_are_not_opened(stopped: Context, tmp_path: Path) -> None:
    os.mkfifo(root_of(stopped) / "pipe")
    with pytest.raises(Failed) as caught:
        do(stopped, "web:/pipe", tmp_path / "x")

    assert str(caught.value) == (
        "nothing of /pipe in guest web could be copied; only files, directories and links are"
    )
    assert not (tmp_path / "x").exists()
    assert stopped.store.intents() == []


def test_archive_that_is_hostile_leaves_nothing_on_the_node(
    running: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        for name in ("dir/fine", "../evil"):
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"evil"))
    (tmp_path / "bin").mkdir()
    evil = tmp_path / "bin/tar"
    evil.write_text(f"#!/bin/sh\nexec cat {tmp_path}/evil.tar\n")
    evil.chmod(0o755)
    monkeypatch.setattr(
        "wirt.ops.execute.default_environment", lambda: {"PATH": f"{tmp_path}/bin:/bin"}
    )
    (tmp_path / "dir").mkdir()
    (tmp_path / "out").mkdir()
    with pytest.raises(InvalidInput) as caught:
        do(running, f"web:{tmp_path}/dir", tmp_path / "out")

    assert str(caught.value) == (
        "'../evil' leads out of the archive; pack with paths that begin below"
    )
    assert os.listdir(tmp_path / "out") == []
    assert not (tmp_path / "evil").exists()


def test_copy_from_a_guest_without_tar_says_so(
    running: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wirt.ops.execute.default_environment", lambda: {"PATH": str(tmp_path)})
    with pytest.raises(Failed) as caught:
        do(running, f"web:{tmp_path}", tmp_path / "x")

    assert str(caught.value) == (
        f"guest web cannot pack {tmp_path}: it has no program tar; stop it, and the node does it "
        "by itself"
    )


def test_frozen_guest_is_not_copied_to(running: Context, source: Path) -> None:
    freeze(running, "web")
    with pytest.raises(WrongState, match="guest web is frozen; thaw it first"):
        do(running, source, "web:/x")


class OwnKernel:
    """The fake, as if its guests had images and kernels of their own."""

    def __init__(self, fake: Approach) -> None:
        self._fake = fake
        self.needs: Needs = msgspec.structs.replace(fake.needs, root="qcow2", own_kernel=True)

    def __getattr__(self, name: str) -> object:
        return getattr(self._fake, name)


@pytest.fixture
def own_kernel(stopped: Context) -> Context:
    approach = OwnKernel(stopped.approach("fake"))
    return msgspec.structs.replace(stopped, approach=lambda name: approach)


def test_guest_whose_root_is_an_image_says_why_it_cannot(
    own_kernel: Context, stopped: Context, source: Path
) -> None:
    with pytest.raises(Unsupported, match="start it first"):
        do(own_kernel, source, "web:/x")
    start(stopped, "web")
    with pytest.raises(Unsupported, match="has a kernel of its own"):
        do(own_kernel, source, "web:/x")

    assert stopped.store.intents() == []


@pytest.mark.parametrize("ends", [("/a", "/b"), ("web:/a", "shop:/b"), ("-", "-")])
def test_one_end_must_be_in_a_guest_and_one_on_the_node(
    stopped: Context, ends: tuple[str, str]
) -> None:
    with pytest.raises(InvalidInput):
        do(stopped, *ends)
