"""User-Mode Linux guests of the whole template."""

import os
import struct
import subprocess
from functools import partial
from pathlib import Path

import msgspec
import pytest
from tests.contract.approach_contract import READY_SECONDS, Prepare, Started
from tests.guest.ownkernel import BootableTemplate, OwnKernelContract, prepared_guest

from wirt.approaches.base import Adjustable, TakesDisks
from wirt.approaches.uml import driver
from wirt.errors import Failed
from wirt.host import process
from wirt.host.cgroup import find_hierarchies, find_versions
from wirt.host.disks import find_disks
from wirt.model.presence import Presence
from wirt.model.resources import BlockImage, Drive
from wirt.units import MIB


class TestUml(OwnKernelContract):
    identity = "umid="

    def layer_on(self, path: str) -> bytes:
        # struct cow_header_v3: magic, version, time of change, size, sector, alignment, format, the file below.
        head = struct.pack("!4sIIQIII", b"OOOM", 3, int(os.stat(path).st_mtime), MIB, 512, 4096, 0)
        return head + path.encode().ljust(4096, b"\0")

    @pytest.fixture(scope="class")
    @classmethod
    def prepare(cls, template: BootableTemplate) -> Prepare:
        return partial(prepared_guest, "uml", template)

    def test_node_is_out_of_the_guests_reach(self, started: Started) -> None:
        script = (
            "mkdir -p /tmp/node && mount -t hostfs none /tmp/node -o /etc; "
            "ls -A /tmp/node; umount /tmp/node"
        )

        assert started.exec("sh", "-c", script)[1] == ""

    def test_what_it_reads_from_its_disks_is_held_to_what_is_set_while_it_runs(
        self, started: Started, tmp_path: Path
    ) -> None:
        approach, launch = started.prepared.approach, started.prepared.launch
        assert isinstance(approach, Adjustable)
        assert isinstance(approach, TakesDisks)
        file = tmp_path / "data"
        file.write_bytes(os.urandom(4 * MIB))
        disks = find_disks(str(file))
        drive = Drive(name="data", unit=5, path=str(file), format="raw")
        approach.attach_disk(launch.place, drive)

        def seconds() -> float:
            # What the node has in its memory is read without any bound.
            with file.open("rb+") as data:
                os.fsync(data.fileno())
                os.posix_fadvise(data.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            read = f"dd if={approach.device_of(drive)} of=/dev/null bs=64k iflag=direct"
            return float(started.exec("sh", "-c", read)[2].split("copied, ")[1].split()[0])

        bounded = msgspec.structs.replace(launch.limits, io_read=MIB)
        approach.adjust(launch.place, bounded, disks=disks)
        slow = seconds()
        approach.adjust(launch.place, launch.limits, disks=disks)
        fast = seconds()
        approach.detach_disk(launch.place, drive)

        assert slow > 3
        assert fast < slow / 2

    def test_what_it_writes_is_bounded_only_where_the_kernel_knows_whose_it_is(
        self, started: Started
    ) -> None:
        approach = started.prepared.approach
        assert isinstance(approach, Adjustable)
        told = approach.probe_limits()
        versions = find_versions(find_hierarchies())

        assert told["io_read"].available
        assert told["io_write"].available == told["iops_write"].available == ("io" in versions)

    def test_guest_without_its_kernel_process_is_partial_until_it_is_killed(
        self, prepare: Prepare
    ) -> None:
        with prepare() as prepared:
            handle = prepared.approach.start(prepared.launch)
            assert handle.pid is not None
            os.kill(handle.pid, 9)
            assert process.wait_gone(handle.pid, 10)

            assert prepared.probe() is not Presence.PRESENT
            prepared.approach.kill(prepared.launch.place)
            assert prepared.probe() is Presence.ABSENT


def test_guest_on_an_empty_disk_fails_with_the_kernels_reason(
    template: BootableTemplate, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(bytes(MIB))
    disk = BlockImage(path=f"{tmp_path}/disk", format="ubd", backing=str(empty))
    with prepared_guest("uml", template) as prepared:
        launch = msgspec.structs.replace(prepared.launch, root=disk)
        handle = prepared.approach.start(launch)

        with pytest.raises(Failed, match="Kernel panic - not syncing: VFS: Unable to mount root"):
            prepared.approach.wait_ready(launch.place, handle, READY_SECONDS)


def test_kernel_that_cannot_be_run_fails_with_its_words_and_leaves_nothing(
    template: BootableTemplate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "linux"
    broken.write_text("#!/bin/sh\necho no such luck\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv(driver.PROGRAM_VARIABLE, str(broken))
    with prepared_guest("uml", template) as prepared:
        before = prepared.world()

        with pytest.raises(Failed) as caught:
            prepared.approach.start(prepared.launch)

        log = prepared.launch.place.log
        assert str(caught.value) == f"User-Mode Linux did not start: no such luck; see {log}"
        assert prepared.world().difference(before) == []


def test_kernel_is_the_one_that_is_installed() -> None:
    said = subprocess.run(["linux.uml", "--version"], capture_output=True, text=True, check=True)

    assert said.stdout.startswith("6.")
