"""Emulated guests of the whole template."""

import subprocess
import tempfile
from functools import partial
from pathlib import Path

import msgspec
import pytest
from tests.contract.approach_contract import READY_SECONDS, Prepare, Started
from tests.guest.ownkernel import BootableTemplate, OwnKernelContract, prepared_guest

from wirt.approaches import ownkernel
from wirt.approaches.base import Adjustable, Checkpointable, Freezable, TakesDisks
from wirt.approaches.qemu import control
from wirt.approaches.qemu.monitor import talking
from wirt.errors import Failed
from wirt.host import process
from wirt.model.checkpoint import Obstacle
from wirt.model.presence import Presence
from wirt.model.resources import BlockImage, Drive
from wirt.storage.imagesnapshots import ImageSnapshots
from wirt.units import MIB

MEMINFO = "/proc/meminfo"
READ = """\
until [ -b "$1" ]; do sleep 0.1; done
dd if="$1" of=/dev/null iflag=direct bs=256k count=16
"""


class TestQemu(OwnKernelContract):
    identity = "guest="

    def layer_on(self, path: str) -> bytes:
        with tempfile.TemporaryDirectory() as directory:
            layer = Path(directory, "layer")
            over = ["-F", "raw", "-b", path]
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *over, layer], check=True)
            return layer.read_bytes()

    @pytest.fixture(scope="class")
    @classmethod
    def prepare(cls, template: BootableTemplate) -> Prepare:
        return partial(prepared_guest, "qemu", template)

    def test_guest_that_is_held_still_is_so_until_it_goes_on(self, started: Started) -> None:
        approach, place = started.prepared.approach, started.prepared.launch.place
        assert isinstance(approach, Freezable)
        states = [approach.is_frozen(place)]
        for act in (approach.freeze, approach.freeze, approach.thaw, approach.thaw):
            act(place)
            states.append(approach.is_frozen(place))

        assert states == [False, True, True, False, False]
        assert started.exec("echo", "on")[1] == "on\n"

    def test_balloon_takes_memory_and_gives_it_back_and_no_more(self, started: Started) -> None:
        approach, launch = started.prepared.approach, started.prepared.launch
        assert isinstance(approach, Adjustable)

        def seen() -> int:
            return int(
                started.exec("sed", "-n", "s/^MemTotal: *\\([0-9]*\\) kB$/\\1/p", MEMINFO)[1]
            )

        before = seen()
        less = msgspec.structs.replace(launch.limits, memory=launch.limits.memory - 64 * MIB)
        approach.adjust(launch.place, less)
        small = seen()
        approach.adjust(launch.place, launch.limits)
        more = msgspec.structs.replace(launch.limits, memory=launch.limits.memory + MIB)
        with pytest.raises(Failed) as caught:
            approach.adjust(launch.place, more)

        assert before - small == 64 * 1024
        assert seen() == before
        assert str(caught.value) == (
            "the machine was started with 256 MiB of memory; stop the guest to give it more"
        )

    def test_disks_are_held_together_to_what_is_set_while_it_runs(
        self, started: Started, tmp_path: Path
    ) -> None:
        approach, launch = started.prepared.approach, started.prepared.launch
        assert isinstance(approach, Adjustable)
        assert isinstance(approach, TakesDisks)
        (tmp_path / "data").write_bytes(bytes(16 * MIB))
        drive = Drive(name="data", unit=1, path=str(tmp_path / "data"), format="raw")

        def seconds() -> float:
            said = started.exec("sh", "-c", READ, "sh", approach.device_of(drive))[2]
            return float(said.split("copied, ")[1].split()[0])

        bounded = msgspec.structs.replace(launch.limits, io_read=MIB // 2, iops_write=100)
        approach.adjust(launch.place, bounded)
        # Whatever comes later is held with the others.
        approach.attach_disk(launch.place, drive)
        slow = seconds()
        with talking(ownkernel.private_directory(launch.place)) as monitor:
            told = [one["inserted"] for one in monitor.execute("query-block")]
        approach.adjust(launch.place, launch.limits)
        fast = seconds()
        approach.detach_disk(launch.place, drive)

        assert [(one["bps_rd"], one["iops_wr"], one["bps_wr"]) for one in told] == [
            (MIB // 2, 100, 0)
        ] * len(told)
        assert len(told) == 3
        assert slow > 6 > fast

    def test_disk_that_can_be_written_to_is_an_obstacle_to_a_checkpoint(
        self, started: Started, tmp_path: Path
    ) -> None:
        approach, place = started.prepared.approach, started.prepared.launch.place
        assert isinstance(approach, TakesDisks)
        assert isinstance(approach, Checkpointable)
        (tmp_path / "data").write_bytes(bytes(MIB))
        drive = Drive(name="data", unit=1, path=str(tmp_path / "data"), format="raw")
        approach.attach_disk(place, drive)
        found = approach.find_obstacles(place, cards={})
        approach.grow_disk(place, drive, 2 * MIB)
        grown = started.exec("sh", "-c", "cat /sys/block/vd?/size")[1]
        approach.detach_disk(place, drive)

        assert found == [
            Obstacle(
                what="disk data",
                reason="is no part of a checkpoint, and what the guest remembers of it may not be so any more",
                hint="remove it, or add it with --read-only",
            )
        ]
        assert approach.find_obstacles(place, cards={}) == []
        assert str(2 * MIB // 512) in grown.split()

    def test_snapshot_of_a_guest_that_is_held_still_holds_what_it_has_written(
        self, started: Started, tmp_path: Path
    ) -> None:
        approach, launch = started.prepared.approach, started.prepared.launch
        assert isinstance(approach, Freezable)
        assert isinstance(launch.root, BlockImage)
        guest = Path(launch.root.path).parents[1]
        started.exec("sh", "-c", "echo kept > /root/note; sync")
        approach.freeze(launch.place)
        ImageSnapshots(str(guest.parent)).take(guest.name, "one")
        approach.thaw(launch.place)
        layer, image = guest / "snapshots/one/disk", tmp_path / "image"
        subprocess.run(["qemu-img", "check", "-q", layer], check=True)
        subprocess.run(["qemu-img", "convert", "-O", "raw", layer, image], check=True)
        # As after a power cut: its journal is played first.
        subprocess.run(["e2fsck", "-p", image], capture_output=True)
        note = subprocess.run(
            ["debugfs", "-R", "cat /root/note", image], capture_output=True, text=True
        ).stdout

        assert note == "kept\n"
        assert started.exec("cat", "/root/note")[1] == "kept\n"

    def test_power_button_shuts_the_guest_down(self, prepare: Prepare) -> None:
        with prepare() as prepared:
            handle = prepared.start()
            assert handle.pid is not None
            # logind is among the last to come up, and it is who watches the button.
            Started(prepared=prepared, handle=handle).exec(
                "systemctl", "is-system-running", "--wait"
            )

            control.power_down(ownkernel.private_directory(prepared.launch.place))

            assert process.wait_gone(handle.pid, READY_SECONDS)


def test_guest_without_a_disk_driver_fails_with_the_kernels_reason(
    template: BootableTemplate, tmp_path: Path
) -> None:
    empty = tmp_path / "initrd.img"
    empty.write_bytes(b"")
    with prepared_guest("qemu", template) as prepared:
        launch = msgspec.structs.replace(prepared.launch, initrd=str(empty))
        handle = prepared.approach.start(launch)

        with pytest.raises(Failed, match="Kernel panic - not syncing: VFS: Unable to mount root"):
            prepared.approach.wait_ready(launch.place, handle, READY_SECONDS)


def test_machine_that_cannot_be_made_fails_in_qemus_words_and_leaves_nothing(
    template: BootableTemplate,
) -> None:
    with prepared_guest("qemu", template) as prepared:
        before = prepared.world()
        launch = msgspec.structs.replace(prepared.launch, kernel="/nowhere/vmlinuz")

        with pytest.raises(Failed, match=r"QEMU did not start: .*could not open kernel file"):
            prepared.approach.start(launch)

        assert prepared.world().difference(before) == []
        assert prepared.probe() is Presence.ABSENT
