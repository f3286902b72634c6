"""Files written below a root whose owner has planted links, and goes on planting."""

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from wirt.host import inside

GUEST = 1_000_000


@pytest.fixture
def root(tmp_path: Path, root_user: None) -> Path:
    """Give a root with an etc, beside what nobody may change."""
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "node").mkdir()
    (tmp_path / "node/resolv.conf").write_text("the node's")
    return tmp_path / "root"


def kept(root: Path) -> dict[str, str]:
    node = root.parent / "node"
    return {path.name: path.read_text() for path in node.iterdir()}


def write(root: Path) -> None:
    inside.replace(str(root), "/etc/resolv.conf", "nameserver 192.0.2.1\n", owner=GUEST)


def test_file_is_the_guests_and_nothing_is_left_beside_it(root: Path) -> None:
    for _ in range(2):
        write(root)
    status = (root / "etc/resolv.conf").stat()

    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (GUEST, GUEST, 0o644)
    assert os.listdir(root / "etc") == ["resolv.conf"]
    assert (root / "etc/resolv.conf").read_text() == "nameserver 192.0.2.1\n"


@pytest.mark.parametrize("target", ["{node}/resolv.conf", "../../node/resolv.conf", "nowhere"])
def test_link_in_its_place_is_replaced_and_not_followed(root: Path, target: str) -> None:
    os.symlink(target.format(node=root.parent / "node"), root / "etc/resolv.conf")
    os.symlink(target.format(node=root.parent / "node"), root / "etc/.resolv.conf.wirt")
    write(root)

    assert not (root / "etc/resolv.conf").is_symlink()
    assert kept(root) == {"resolv.conf": "the node's"}


@pytest.mark.parametrize("target", ["{node}", "../node", "../../../../../../../{node}"])
def test_link_in_the_place_of_its_directory_leads_nowhere_outside(root: Path, target: str) -> None:
    (root / "etc").rmdir()
    os.symlink(target.format(node=root.parent / "node"), root / "etc")
    with pytest.raises(OSError, match="No such file or directory"):
        write(root)

    assert kept(root) == {"resolv.conf": "the node's"}


def test_link_that_leads_elsewhere_inside_is_followed(root: Path) -> None:
    (root / "etc").rmdir()
    (root / "data/etc").mkdir(parents=True)
    os.symlink("/data/etc", root / "etc")
    write(root)

    assert (root / "data/etc/resolv.conf").is_file()


def test_pipe_and_device_in_its_place_are_replaced_and_not_opened(root: Path) -> None:
    for kind in (stat.S_IFIFO, stat.S_IFCHR):
        os.mknod(root / "etc/.resolv.conf.wirt", kind | 0o600, os.makedev(1, 7))
        (root / "etc/resolv.conf").unlink(missing_ok=True)
        os.mknod(root / "etc/resolv.conf", kind | 0o600, os.makedev(1, 7))
        write(root)

        assert (root / "etc/resolv.conf").is_file()


def test_directory_in_its_place_stays(root: Path) -> None:
    (root / "etc/resolv.conf").mkdir()
    with pytest.raises(IsADirectoryError):
        write(root)

    assert os.listdir(root / "etc") == ["resolv.conf"]


def test_guest_that_swaps_its_directory_for_a_link_again_and_again_gets_nothing_out(
    root: Path,
) -> None:
    os.symlink(root.parent / "node", root / "link")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            os.rename(root / "etc", root / "aside")
            os.rename(root / "link", root / "etc")
            os.rename(root / "etc", root / "link")
            os.rename(root / "aside", root / "etc")

    swapper = threading.Thread(target=swap)
    swapper.start()
    written = refused = 0
    deadline = time.monotonic() + 20
    try:
        while time.monotonic() < deadline and not (written > 200 and refused > 20):
            try:
                write(root)
                written += 1
            except OSError:
                refused += 1
    finally:
        done.set()
        swapper.join()

    assert written > 200
    assert refused > 20
    assert kept(root) == {"resolv.conf": "the node's"}


def test_file_is_read_as_the_guest_would_and_nothing_else_is_opened(root: Path) -> None:
    node = root.parent / "node"
    (root / "etc/plain").write_bytes(b"one\xfftwo")
    (root / "etc/link").symlink_to("/etc/plain")
    (root / "etc/outside").symlink_to(node / "resolv.conf")
    (root / "etc/turning").symlink_to("turning")
    os.mkfifo(root / "etc/pipe")
    found = {
        name: inside.read(str(root), f"/etc/{name}", most=7)
        for name in ("plain", "link", "outside", "turning", "pipe", "", "none", "plain/x")
    }

    assert found == {"plain": "one\udcfftwo", "link": "one\udcfftwo"} | dict.fromkeys(
        ("outside", "turning", "pipe", "", "none", "plain/x")
    )
