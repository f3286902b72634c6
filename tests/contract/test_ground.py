"""What pools that a person makes lie on: made, taken away and found again, and refused where something is in the way."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from tests import homes

from wirt.errors import Conflict, Error, Failed, InvalidInput, NotFound, OutOfSpace
from wirt.host import btrfs, mount
from wirt.model.pool import StoragePool
from wirt.model.presence import Presence
from wirt.storage.base import Ground
from wirt.storage.ground import ground_of
from wirt.storage.groundchecks import SMALLEST
from wirt.units import MIB

TIB = 1 << 40


@pytest.fixture
def base(root_user: None) -> Iterator[Path]:
    with homes.open_base() as directory:
        yield directory


@contextmanager
def device_of(file: Path, size: int = SMALLEST) -> Iterator[str]:
    """Give a block device of that size."""
    file.touch()
    os.truncate(file, size)
    command = ["losetup", "--find", "--show", str(file)]
    device = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def in_file(base: Path, size: int = SMALLEST) -> StoragePool:
    return StoragePool(
        name="fast",
        kind="btrfs",
        path=f"{base}/fast",
        source=f"{base}/fast.disk",
        size=size,
        # No two file systems of a node may have the same, nor one that was there a moment ago.
        uuid=str(uuid.uuid5(uuid.NAMESPACE_URL, str(base))),
        created=0.0,
    )


def on_device(base: Path, device: str) -> StoragePool:
    return msgspec.structs.replace(in_file(base), source=device, size=None)


def in_directory(path: Path) -> StoragePool:
    return StoragePool(name="big", kind="image", path=str(path), created=0.0)


def make(ground: Ground) -> None:
    for part in ground.parts():
        for _ in range(2):
            part.make()


def take_away(ground: Ground) -> None:
    for part in reversed(ground.parts()):
        for _ in range(2):
            part.take_away()


def presence(ground: Ground) -> list[Presence]:
    return [part.probe() for part in ground.parts()]


def refusal(pool: StoragePool, *, force: bool = False) -> tuple[type[Error], str]:
    with pytest.raises(Error) as caught:
        ground_of(pool).check_new(force=force)
    return caught.type, str(caught.value)


def test_btrfs_in_a_file_is_made_with_quotas_and_taken_away_with_the_file(base: Path) -> None:
    ground = ground_of(in_file(base))
    ground.check_new(force=False)
    make(ground)
    there, quotas = presence(ground), btrfs.has_quota(f"{base}/fast")
    set_aside = os.stat(f"{base}/fast.disk").st_blocks * 512
    below = sorted(os.listdir(base / "fast"))
    take_away(ground)

    assert there == [Presence.PRESENT] * 3
    assert quotas
    assert set_aside >= SMALLEST
    assert below == ["guests", "templates"]
    assert presence(ground) == [Presence.ABSENT] * 3
    assert os.listdir(base) == []


def test_btrfs_is_mounted_again_as_after_a_reboot(base: Path) -> None:
    ground = ground_of(in_file(base))
    make(ground)
    (base / "fast/guests/note").touch()
    mount.unmount(f"{base}/fast")
    before = ground.is_open()
    for _ in range(2):
        ground.open()

    assert not before
    assert ground.is_open()
    assert len(mount.mounts_below(str(base))) == 1
    assert (base / "fast/guests/note").exists()
    take_away(ground)


def test_btrfs_on_a_device_is_found_on_another_and_wiped_in_the_end(base: Path) -> None:
    file = base / "disk"
    with device_of(file) as device:
        pool = on_device(base, device)
        make(ground_of(pool))
        # Not the lazy way: the device must be free.
        subprocess.run(["umount", base / "fast"], check=True)
    with device_of(base / "other") as taken, device_of(file):
        # Names change when disks are added.
        moved = ground_of(msgspec.structs.replace(pool, source=taken))
        moved.open()
        found = moved.is_open()
        subprocess.run(["umount", base / "fast"], check=True)
        left = btrfs.read_uuid(str(file))
    with device_of(file) as device:
        take_away(ground_of(on_device(base, device)))
        wiped = btrfs.read_uuid(device)

        # A pool whose disk is not there is taken away all the same.
        take_away(ground_of(on_device(base, "/dev/no-such")))

    assert (found, left, wiped) == (True, pool.uuid, None)
    assert sorted(os.listdir(base)) == ["disk", "other"]


def test_device_that_is_gone_is_said_to_be(base: Path) -> None:
    with pytest.raises(Failed) as caught:
        ground_of(on_device(base, "/dev/no-such")).open()

    assert str(caught.value) == (
        "pool fast cannot be mounted: its file system is neither on /dev/no-such nor on another "
        "device; connect the disk that it is on"
    )


def test_directory_gets_its_roots_and_keeps_itself(base: Path) -> None:
    (base / "big").mkdir()
    ground = ground_of(in_directory(base / "big"))
    ground.check_new(force=False)
    make(ground)
    there = presence(ground), ground.is_open()
    again = refusal(in_directory(base / "big"))
    take_away(ground)
    with pytest.raises(Failed, match="pool big is not there: there is no directory"):
        ground.open()

    assert there == ([Presence.PRESENT], True)
    assert again == (
        Conflict,
        f"directory {base}/big is not empty; give one that is, or make one in it",
    )
    assert os.listdir(base / "big") == []


def test_what_cannot_be_is_refused_with_the_reason(base: Path) -> None:
    (base / "closed").mkdir(0o700)
    (base / "closed/inner").mkdir()
    found = [
        refusal(pool)
        for pool in (
            in_file(base, MIB),
            on_device(base, "/dev/no-such"),
            on_device(base, "/dev/null"),
            in_directory(base / "none"),
            in_directory(base / "closed/inner"),
        )
    ]
    full, why = refusal(in_file(base, 1000 * TIB))
    (base / "fast.disk").touch()
    in_the_way = refusal(in_file(base))

    assert found == [
        (InvalidInput, "a btrfs pool of 1 MiB is too small; give at least 256 MiB"),
        (NotFound, "there is no device /dev/no-such; see lsblk for those that there are"),
        (
            InvalidInput,
            "/dev/null is no block device; give one, or a size to have a file made",
        ),
        (NotFound, f"there is no directory {base}/none; make it first"),
        (
            InvalidInput,
            f"containers cannot come to {base}/closed/inner: {base}/closed is closed to other "
            f"users; give another directory, or let them pass: chmod o+x {base}/closed",
        ),
    ]
    assert in_the_way == (
        Conflict,
        f"there is something at {base}/fast.disk, where the pool would be; move it away, or choose "
        "another name",
    )
    assert full is OutOfSpace
    assert why.startswith("a pool of 1000 TiB does not fit on the disk: ")


def test_device_that_holds_something_is_taken_only_by_force_and_one_in_use_never(
    base: Path,
) -> None:
    with device_of(base / "disk") as device:
        subprocess.run(["mkfs.ext4", "-q", device], check=True)
        holding = refusal(on_device(base, device))
        ground_of(on_device(base, device)).check_new(force=True)
        (base / "mounted").mkdir()
        subprocess.run(["mount", device, base / "mounted"], check=True)
        busy = refusal(on_device(base, device), force=True)
        subprocess.run(["umount", base / "mounted"], check=True)

    assert holding == (
        Conflict,
        f"device {device} holds ext4 already; pass --force to lose all that is on it",
    )
    assert busy == (
        Conflict,
        f"device {device} is in use; unmount what is on it, or give another",
    )
