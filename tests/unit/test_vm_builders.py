"""Command lines of own-kernel guests, compared with files; WIRT_GOLDEN=write writes them anew."""

import json
import os
import shlex
from pathlib import Path
from typing import cast

import msgspec
import pytest

from wirt.approaches.qemu import build as qemu
from wirt.approaches.qemu import cards, disks
from wirt.approaches.qemu.machine import Machine, of_limits
from wirt.approaches.qemu.monitor import Monitor
from wirt.approaches.uml import build as uml
from wirt.errors import Failed, InvalidInput
from wirt.model.launch import Launch, Place
from wirt.model.limits import Limits
from wirt.model.resources import BlockImage, Drive, Nic, NicKind
from wirt.storage.templates import boot
from wirt.units import GIB, MIB

GOLDEN = Path(__file__).parents[1] / "golden"

LAUNCH = Launch(
    place=Place(
        name="wabcd-12ab34",
        run_dir="/run/wirt/guests/12ab34",
        log="/var/lib/wirt/guests/12ab34/console.log",
    ),
    hostname="web-1",
    owner=2_000_000,
    limits=Limits(cpus=2, memory=512 * MIB, disk=4 * GIB),
    root=BlockImage(
        path="/var/lib/wirt/pools/image/12ab34/qcow2/disk",
        format="qcow2",
        backing="/var/lib/wirt/templates/debian-12-web/root.img",
    ),
    nic=Nic(
        kind=NicKind.TAP,
        interface="wabcd12ab34",
        bridge="wirt-abcd",
        mac="02:00:0a:00:00:05",
        address="10.77.3.5",
        prefix=22,
        gateway="10.77.0.1",
    ),
)


DRIVES = (
    Drive(name="data", unit=1, path="/srv/a,b.raw", format="raw"),
    Drive(name="old", unit=3, path="/srv/old.qcow2", format="qcow2", read_only=True),
    Drive(name="swap", unit=4, path="/dev/vg0/swap", format="raw", is_device=True),
)


def check_golden(name: str, argv: list[str]) -> None:
    path = GOLDEN / name
    text = "\n".join(shlex.quote(argument) for argument in argv) + "\n"
    if os.environ.get("WIRT_GOLDEN") == "write":
        path.write_text(text)

    assert text == path.read_text()


def qemu_argv(
    launch: Launch,
    *,
    accelerator: str = "tcg",
    grow: bool = False,
    machine: Machine | None = None,
) -> list[str]:
    assert isinstance(launch.root, BlockImage)
    return qemu.build_argv(
        launch,
        launch.root,
        machine=machine or of_limits(launch.limits, node_cpus=4, emulated=accelerator == "tcg"),
        waits=machine is not None,
        accelerator=accelerator,
        kernel="/var/lib/wirt/templates/debian-12-web/boot/vmlinuz",
        ramdisk="/var/lib/wirt/templates/debian-12-web/boot/initrd.img",
        grow=grow,
    )


def uml_argv(launch: Launch) -> list[str]:
    assert isinstance(launch.root, BlockImage)
    return uml.build_argv(
        launch,
        launch.root,
        program="/usr/bin/linux.uml",
        to_agent=5,
        from_agent=6,
        signals=7,
        to_console=8,
        shared="/run/wirt/guests/12ab34/engine/shared",
    )


def with_disk(path: str) -> Launch:
    assert isinstance(LAUNCH.root, BlockImage)
    root = msgspec.structs.replace(LAUNCH.root, path=path)
    return msgspec.structs.replace(LAUNCH, root=root)


def test_qemu_argv_for_an_emulated_guest() -> None:
    check_golden("qemu/tcg.txt", qemu_argv(LAUNCH))


def test_qemu_argv_for_a_virtualized_guest_with_a_larger_disk() -> None:
    check_golden("qemu/kvm-grow.txt", qemu_argv(LAUNCH, accelerator="kvm", grow=True))


def test_qemu_of_a_guest_without_ids_of_its_own_stays_root_and_may_not_change_it() -> None:
    argv = qemu_argv(msgspec.structs.replace(LAUNCH, owner=None))

    assert "-runas" not in argv
    assert argv[argv.index("-sandbox") + 1].endswith(",elevateprivileges=deny")


def test_qemu_that_waits_for_memory_has_the_machine_that_it_is_of() -> None:
    kept = Machine(kind="pc-q35-7.2", cpus=1, most_cpus=4, memory=256 * MIB)
    argv = qemu_argv(LAUNCH, machine=kept)

    assert [argv[argv.index(option) + 1] for option in ("-machine", "-smp", "-m")] == [
        "pc-q35-7.2",
        "1,maxcpus=4",
        "262144K",
    ]
    assert argv[-3:] == ["-incoming", "defer", "-S"]


def test_emulated_machine_has_memory_that_qemu_looks_at_page_by_page() -> None:
    emulated, real = (of_limits(LAUNCH.limits, node_cpus=4, emulated=it) for it in (True, False))

    assert emulated.given == real.given == real.memory == LAUNCH.limits.memory
    assert emulated.is_tracked
    assert not real.is_tracked


RAW = BlockImage(path="/pools/thin/guests/12ab34/volume", format="raw", backing=None)


def test_guest_whose_disk_is_a_block_device_gets_it_as_it_is() -> None:
    launch = msgspec.structs.replace(LAUNCH, root=RAW)
    argv = qemu_argv(launch)

    assert json.loads(argv[argv.index("-blockdev") + 1]) == {
        "driver": "raw",
        "node-name": "root",
        "discard": "unmap",
        "file": {"driver": "host_device", "filename": "/pools/thin/guests/12ab34/volume"},
    }
    assert "ubd0d=/pools/thin/guests/12ab34/volume" in uml_argv(launch)


def test_qemu_argv_tells_the_ramdisk_to_grow_in_its_own_words() -> None:
    arguments = qemu.build_kernel_arguments(LAUNCH, emulated=True, grow=True)

    assert f"{boot.GROW}=1" in arguments.split()


def test_qemu_argv_doubles_commas_in_paths() -> None:
    argv = qemu_argv(with_disk("/srv/a,b/disk"))

    assert any("file.filename=/srv/a,,b/disk" in argument for argument in argv)


def test_qemu_argv_puts_further_disks_into_the_slots_of_their_places() -> None:
    check_golden("qemu/disks.txt", disks.arguments(DRIVES))


def test_qemu_argv_of_a_machine_that_boots_by_itself() -> None:
    assert isinstance(LAUNCH.root, BlockImage)
    root = msgspec.structs.replace(LAUNCH.root, backing=None)
    cd = Drive(name="cd", unit=2, path="/srv/cd.iso", format="raw", read_only=True, is_cdrom=True)
    launch = msgspec.structs.replace(LAUNCH, root=root, disks=(DRIVES[0], cd))
    argv = qemu.build_argv(
        launch,
        root,
        machine=of_limits(launch.limits, node_cpus=4, emulated=True),
        accelerator="tcg",
        kernel=None,
        ramdisk=None,
        grow=False,
    )

    check_golden("qemu/own-disk.txt", argv)


def test_machine_with_a_screen_has_its_firmware_on_it() -> None:
    launch = msgspec.structs.replace(LAUNCH, has_screen=True)
    assert isinstance(launch.root, BlockImage)
    argv = qemu.build_argv(
        launch,
        launch.root,
        machine=of_limits(launch.limits, node_cpus=4, emulated=True),
        accelerator="tcg",
        kernel=None,
        ramdisk=None,
        grow=False,
    )

    assert "q35" in argv


def test_cd_drive_is_neither_put_into_a_running_machine_nor_taken_out() -> None:
    class Asked:
        """A monitor that knows of the drive."""

        def execute(self, command: str, arguments: object = None) -> object:
            return [{"name": "disk-cd"}]

    monitor = cast(Monitor, Asked())
    cd = Drive(name="cd", unit=2, path="/srv/cd.iso", format="raw", read_only=True, is_cdrom=True)
    said = []
    for change in (disks.attach, disks.detach):
        with pytest.raises(Failed) as caught:
            change(monitor, cd)
        said.append(str(caught.value))

    assert said == [
        "a running machine gets no CD drive; stop the guest first",
        "a CD drive stays in a running machine; stop the guest first",
    ]


def test_uml_argv_forbids_its_kernel_to_take_a_further_disk_for_a_layer() -> None:
    drives = (
        Drive(name="data", unit=1, path="/srv/data.raw", format="raw"),
        Drive(name="old", unit=3, path="/dev/vg0/old", format="raw", read_only=True),
    )
    argv = uml_argv(msgspec.structs.replace(LAUNCH, disks=drives))

    assert [argument for argument in argv if argument.startswith("ubd")][1:] == [
        "ubd1d=/srv/data.raw,,data",
        "ubd3rd=/dev/vg0/old,,old",
    ]


def with_cards() -> Launch:
    """Return a guest that has lost the first of its further cards."""
    card = msgspec.structs.replace(
        LAUNCH.nic,
        name="eth2",
        number=2,
        interface="wabcd12ab34.2",
        mac="02:00:0a:00:02:05",
        address="10.77.3.9",
        gateway=None,
    )
    return msgspec.structs.replace(LAUNCH, cards=(card,))


def test_qemu_argv_puts_further_cards_behind_the_disks_into_the_slots_of_their_numbers() -> None:
    launch = with_cards()
    check_golden("qemu/cards.txt", cards.arguments(launch.nic, launch.cards))


def test_uml_argv_gives_cards_their_numbers_and_their_addresses() -> None:
    argv = uml_argv(with_cards())

    assert [argument for argument in argv if argument.startswith(("vec", "ip="))] == [
        "vec0:transport=tap,ifname=wabcd12ab34,mac=02:00:0a:00:00:05",
        "vec2:transport=tap,ifname=wabcd12ab34.2,mac=02:00:0a:00:02:05",
        "ip=10.77.3.5::10.77.0.1:255.255.252.0:web-1:vec0:off",
        "ip=10.77.3.9:::255.255.252.0:web-1:vec2:off",
    ]


def test_uml_argv() -> None:
    check_golden("uml/argv.txt", uml_argv(LAUNCH))


@pytest.mark.parametrize("path", ["/srv/a b/disk", "/srv/a,b/disk", "/srv/a:b/disk"])
def test_uml_argv_with_a_path_that_cannot_be_quoted_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        uml_argv(with_disk(path))

    assert str(caught.value) == (
        f"User-Mode Linux cannot be given the path {path!r}; "
        "choose a place without spaces, commas and colons in its path"
    )


def test_kernel_of_the_nodes_is_told_its_own_words_last() -> None:
    launch = msgspec.structs.replace(
        LAUNCH, initrd="/boot/initrd", arguments="a b", root_device="LABEL=root"
    )
    emulated = qemu.build_kernel_arguments(launch, emulated=True, grow=False).split()
    paravirtual = uml_argv(launch)

    assert emulated[0] == "root=LABEL=root"
    assert emulated[-2:] == ["a", "b"]
    assert "root=LABEL=root" in paravirtual
    assert paravirtual[-3:] == ["initrd=/boot/initrd", "a", "b"]


def test_guest_with_a_screen_has_a_graphics_card_and_shows_its_kernels_words_there_too() -> None:
    launch = msgspec.structs.replace(LAUNCH, has_screen=True)
    argv = qemu_argv(launch)
    told = qemu.build_kernel_arguments(launch, emulated=True, grow=False).split()

    assert argv[argv.index("-display") + 1] == "vnc=unix:vnc.sock"
    assert argv[argv.index("-device") + 1] == "VGA"
    assert [word for word in told if word.startswith("console=")] == [
        "console=tty0",
        "console=ttyS0",
    ]
