"""The chroot driver against roots that were tampered with."""

import os
from pathlib import Path

import pytest

from wirt.approaches.chroot import Chroot
from wirt.errors import Failed
from wirt.host import mount
from wirt.model.launch import Launch, Place
from wirt.model.limits import Limits
from wirt.model.resources import Nic, NicKind, RootTree


def launch(directory: Path, root: Path) -> Launch:
    return Launch(
        place=Place(name="wtest-chroot", run_dir=str(directory), log=str(directory / "log")),
        hostname="web1",
        limits=Limits(),
        root=RootTree(path=str(root)),
        nic=Nic(
            kind=NicKind.ALIAS,
            interface="none",
            bridge="none",
            mac="02:00:00:00:00:01",
            address="192.0.2.2",
            prefix=24,
            gateway="192.0.2.1",
        ),
    )


@pytest.mark.parametrize("name", ["proc", "sys", "dev"])
def test_start_with_a_planted_link_mounts_nothing_through_it(tmp_path: Path, name: str) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    os.symlink(elsewhere, root / name)
    driver = Chroot()
    try:
        with pytest.raises(Failed) as caught:
            driver.start(launch(tmp_path, root))
    finally:
        driver.kill(launch(tmp_path, root).place)

    assert str(caught.value) == (
        f"/{name} of web1 is a symbolic link, nothing is mounted through it; "
        "destroy the guest and make it anew"
    )
    assert mount.mounts_below(str(tmp_path)) == []


def test_kill_unmounts_nothing_through_a_planted_link(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    mount.mount("tmpfs", str(elsewhere), "tmpfs")
    try:
        place = launch(tmp_path, root).place
        os.symlink(root, tmp_path / "chroot")
        os.symlink(elsewhere, root / "dev")
        Chroot().kill(place)

        assert mount.mounts_below(str(tmp_path)) == [str(elsewhere)]
    finally:
        mount.unmount(str(elsewhere))
