"""Whole guests with a kernel of their own, on a bridge of their own, for the tests of their drivers."""

import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv4Network
from pathlib import Path
from typing import Protocol

import msgspec
import pytest
from tests import homes
from tests.contract.approach_contract import (
    READY_SECONDS,
    ApproachContract,
    Prepared,
    Started,
    ended,
)

from wirt.approaches import enginegroup
from wirt.approaches.base import Adjustable, HasConsole, HasFiles, TakesDisks
from wirt.approaches.cardpowers import HasCards
from wirt.approaches.registry import load_approach
from wirt.host import links, loop
from wirt.host.cgroup import Cgroup
from wirt.model.card import Card
from wirt.model.home import Home
from wirt.model.launch import Launch
from wirt.model.limits import Limits
from wirt.model.names import new_guest_id
from wirt.model.presence import Presence
from wirt.model.resources import Drive, Nic, NicKind
from wirt.network import addresses
from wirt.network.bridge import BridgeNetwork
from wirt.storage.image import ImagePool
from wirt.units import GIB, MIB

ALL_OF_THE_NODE = ("1024", "-1", Path("/sys/fs/cgroup/cpuset/cpuset.cpus").read_text().strip())
"""What a group has that is held to nothing."""

IMAGE_BYTES = 4 * GIB
OWNER = 2_000_000_000
"""Id of whoever runs an engine that need not be root."""
DISK_BYTES = 24 * MIB
GUEST = "000001"
"""Of whom a further card's MAC and address are."""


class BootableTemplate(Protocol):
    """A built template's forms, as the fixture ``template`` gives them: paths."""

    tree: str
    image: str
    kernel: str
    initrd: str


def _further_disk(base: Path) -> Drive:
    """Make a disk that a guest has from its start, in the last place but one."""
    path = base / "further.raw"
    path.touch()
    os.truncate(path, DISK_BYTES)
    return Drive(name="further", unit=2, path=str(path), format="raw", read_only=True)


def _range6(subnet: IPv4Network) -> str:
    return str(addresses.range_of(subnet).network_address)


@contextmanager
def prepared_guest(name: str, template: BootableTemplate) -> Iterator[Prepared]:
    """Give a guest of the whole template, ready to be started."""
    with homes.open_base() as base, ExitStack() as stack:
        home = Home(data=f"{base}/home", run=f"{base}/run")
        approach = load_approach(name)
        guest_id = new_guest_id()
        place = home.place(guest_id)
        os.makedirs(place.run_dir, mode=0o711)
        os.makedirs(os.path.dirname(place.log))
        pool = ImagePool(home.pool("image"))
        pool.clone(template.image, guest_id, root=approach.needs.root, size=IMAGE_BYTES)
        stack.callback(pool.remove, guest_id)
        subnet = addresses.choose_subnet(home.tag, links.routed_networks())
        network = BridgeNetwork(home.tag, subnet)
        network.ensure_up()
        stack.callback(network.remove)
        address = network.choose_address(None, set(), "000000")
        others = (network.choose_address(None, {address}, "000000"), f"{_range6(subnet)}77")
        card = Card(mac=network.mac(guest_id), addresses=(address, *others), mtu=1400)
        nic = network.nic(guest_id, card, approach.needs.nic, ipv6=approach.needs.ipv6)
        network.attach(nic, list)
        stack.callback(network.detach, nic)
        launch = Launch(
            place=place,
            hostname="web-1",
            limits=Limits(memory=256 * MIB, disk=IMAGE_BYTES),
            root=pool.attach(template.image, guest_id, root=approach.needs.root, idmap=None),
            nic=nic,
            owner=OWNER,
            kernel=template.kernel if approach.needs.kernel_image else None,
            initrd=template.initrd if approach.needs.kernel_image else None,
            disks=(_further_disk(base),),
        )
        with ended(
            Prepared(approach=approach, launch=launch, mark=home.tag, network=network)
        ) as prepared:
            yield prepared


# The disk is a moment later where udev puts it.
_WRITE = """\
until [ -b "$1" ]; do sleep 0.1; done
echo written | dd of="$1" conv=notrunc,fsync status=none
"""
_GONE = 'while [ -e "$1" ]; do sleep 0.1; done'
"""The guest's udev takes a name away some time after the kernel has taken the disk."""
_READ = """\
until [ -b "$1" ]; do sleep 0.1; done
head -n 1 "$1"; echo x 2>/dev/null >"$1" || echo read-only
"""
_READ_HEAD = """\
until [ -b "$1" ]; do sleep 0.1; done
head -c 3 "$1"; echo
"""


def read_held(group: Cgroup) -> tuple[str, str, str]:
    """Return weight, quota and processors of a group, in the words of cgroup v1, which this machine has."""
    found = []
    for controller, file in (
        ("cpu", "cpu.shares"),
        ("cpu", "cpu.cfs_quota_us"),
        ("cpuset", "cpuset.cpus"),
    ):
        part = group.part(controller)
        assert part is not None
        found.append(Path(part.path, file).read_text().strip())
    return found[0], found[1], found[2]


def wait_for_words(prepared: Prepared, words: str) -> None:
    """Wait until a guest has said something on its console."""
    deadline = time.monotonic() + READY_SECONDS
    while words not in Path(prepared.launch.place.log).read_text(errors="replace"):
        assert time.monotonic() < deadline, f"the console did not say {words!r}"
        time.sleep(0.05)


class OwnKernelContract(ApproachContract):
    """What guests with a kernel of their own promise beyond the contract of all."""

    identity = ""
    """What the argument that names the guest's processes begins with."""

    def threads_allowed(self, started: Started) -> set[frozenset[int]]:
        """Return the sets of processors that the engine's threads may use: one, if all may use the same."""
        found, place = set(), started.prepared.launch.place
        for pid in enginegroup.find(place.name, self.identity + place.name):
            # One that is gone meanwhile was a process of the guest.
            with suppress(FileNotFoundError, ProcessLookupError):
                for thread in os.listdir(f"/proc/{pid}/task"):
                    found.add(frozenset(os.sched_getaffinity(int(thread))))
        return found

    def test_guest_has_a_kernel_of_its_own(self, started: Started) -> None:
        assert started.exec("cat", "/proc/version")[1] != Path("/proc/version").read_text()

    def test_guest_has_its_name_and_its_address_and_serves_the_node(self, started: Started) -> None:
        nic = started.prepared.launch.nic
        started.exec("systemctl", "is-system-running", "--wait")

        with urllib.request.urlopen(f"http://{nic.address}/", timeout=10) as answer:
            assert answer.status == 200
        assert started.exec("cat", "/proc/sys/kernel/hostname")[1] == "web-1\n"
        assert f"via {nic.gateway} " in started.exec("ip", "route", "show", "default")[1]

    def test_guest_has_every_address_of_its_card_and_its_mtu(self, started: Started) -> None:
        nic = started.prepared.launch.nic
        started.exec("systemctl", "is-system-running", "--wait")
        shown = started.exec("ip", "-oneline", "address", "show", "scope", "global")[1]
        asked = [homes.BUSYBOX, "ping", "-c", "1", "-W", "10", nic.further[-1].partition("/")[0]]

        assert sorted(line.split()[3] for line in shown.splitlines()) == sorted(nic.addresses)
        assert len(nic.addresses) == (4 if started.prepared.approach.needs.ipv6 else 2)
        if nic.gateway6 is not None:
            assert f"via {nic.gateway6} " in started.exec("ip", "-6", "route", "show", "default")[1]
        assert " mtu 1400 " in started.exec("ip", "-oneline", "link", "show")[1]
        assert subprocess.run(asked, capture_output=True).returncode == 0

    def test_systemd_is_up_without_a_failed_unit(self, started: Started) -> None:
        assert started.exec("systemctl", "is-system-running", "--wait")[1] == "running\n"

    def test_console_answers_to_what_is_typed(self, started: Started) -> None:
        prepared = started.prepared
        assert isinstance(prepared.approach, HasConsole)
        # What is typed before, the login throws away.
        wait_for_words(prepared, "web-1 login: ")
        typed = prepared.approach.open_console(prepared.launch.place)
        try:
            os.write(typed, b"nobody\r")
        finally:
            os.close(typed)

        wait_for_words(prepared, "login: nobody")

    def test_engine_is_held_to_what_is_set_while_it_runs(self, started: Started) -> None:
        approach, launch = started.prepared.approach, started.prepared.launch
        assert isinstance(approach, Adjustable)
        group = Cgroup(launch.place.name)
        engine = set(enginegroup.find(launch.place.name, self.identity + launch.place.name))
        changes = {"cpu_weight": 300, "cpu_limit": 0.5, "cpu_pin": (max(os.sched_getaffinity(0)),)}
        held = []
        for limits in (msgspec.structs.replace(launch.limits, **changes), launch.limits):
            approach.adjust(launch.place, limits)
            held.append(read_held(group))

        # Those that have ended since were processes of the guest.
        assert set(group.pids()) & engine
        assert held == [("3072", "50000", str(max(os.sched_getaffinity(0)))), ALL_OF_THE_NODE]
        assert started.exec("echo", "on")[1] == "on\n"

    def test_exec_bound_to_one_cpu_binds_the_engine_for_that_time(self, started: Started) -> None:
        allowed = frozenset(os.sched_getaffinity(0))
        one = frozenset({max(allowed)})
        with ThreadPoolExecutor(max_workers=1) as worker:
            running = worker.submit(started.exec, "sleep", "1", cpus=one)
            during: set[frozenset[int]] = set()
            # One thread is bound after the other.
            while during != {one} and not running.done():
                during = self.threads_allowed(started)

            assert running.result()[0] == 0
        assert during == {one}
        assert self.threads_allowed(started) == {allowed}

    def test_exec_bound_to_one_cpu_has_one_of_the_guests_own(self, started: Started) -> None:
        one = frozenset({max(os.sched_getaffinity(0))})
        said = started.exec("grep", "Cpus_allowed_list", "/proc/self/status", cpus=one)[1]

        assert said.split() == ["Cpus_allowed_list:", "0"]

    def test_long_arguments_and_long_output_come_through(self, started: Started) -> None:
        long = "x" * 20_000

        assert started.exec("sh", "-c", 'echo "$1"; seq 1 20000', "sh", long)[1] == (
            f"{long}\n" + "".join(f"{number}\n" for number in range(1, 20_001))
        )

    def test_command_that_leaves_a_process_behind_gives_its_own_status(
        self, started: Started
    ) -> None:
        assert started.exec("sh", "-c", "sleep 60 >/dev/null 2>&1 & exit 3")[0] == 3

    def test_directory_is_copied_into_the_guest(self, started: Started, tmp_path: Path) -> None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "program").write_text("#!/bin/sh\necho ran\n")
        (tmp_path / "bin" / "program").chmod(0o755)
        (tmp_path / "large").write_bytes(os.urandom(4 * MIB))
        copy_in(started, str(tmp_path), "/opt/new/bundle")

        assert started.exec("/opt/new/bundle/bin/program")[1] == "ran\n"
        assert started.exec("stat", "-c", "%s %u", "/opt/new/bundle/large")[1] == "4194304 0\n"

    def test_file_is_copied_into_the_guest_under_its_new_name(
        self, started: Started, tmp_path: Path
    ) -> None:
        for content in ("old\n", "new\n"):
            (tmp_path / "file").write_text(content)
            copy_in(started, str(tmp_path / "file"), "/opt/other")

        assert started.exec("cat", "/opt/other")[1] == "new\n"

    def test_further_disk_keeps_what_is_written_when_it_is_taken_out_and_put_in_again(
        self, started: Started, tmp_path: Path
    ) -> None:
        approach, place = started.prepared.approach, started.prepared.launch.place
        assert isinstance(approach, TakesDisks)
        image = tmp_path / "data.raw"
        image.touch()
        os.truncate(image, 16 * MIB)
        drive = Drive(name="data", unit=1, path=str(image), format="raw")
        device = approach.device_of(drive)
        seen = [approach.probe_disk(place, drive)]
        approach.attach_disk(place, drive)
        seen.append(approach.probe_disk(place, drive))
        written = started.exec("sh", "-c", _WRITE, "sh", device)
        approach.detach_disk(place, drive)
        seen.append(approach.probe_disk(place, drive))
        started.exec("sh", "-c", _GONE, "sh", device)
        read_only = msgspec.structs.replace(drive, read_only=True)
        approach.attach_disk(place, read_only)
        read = started.exec("sh", "-c", _READ, "sh", device)
        approach.detach_disk(place, read_only)

        assert seen == [Presence.ABSENT, Presence.PRESENT, Presence.ABSENT]
        assert (written[0], read[1]) == (0, "written\nread-only\n")
        assert image.read_bytes().startswith(b"written\n")

    def test_block_device_of_the_node_is_written_to_and_read(
        self, started: Started, tmp_path: Path
    ) -> None:
        approach, place = started.prepared.approach, started.prepared.launch.place
        assert isinstance(approach, TakesDisks)
        image = tmp_path / "image"
        image.touch()
        os.truncate(image, MIB)
        with loop.opened(str(image)) as device:
            drive = Drive(name="block", unit=4, path=device, format="raw", is_device=True)
            approach.attach_disk(place, drive)
            written = started.exec("sh", "-c", _WRITE, "sh", approach.device_of(drive))
            approach.detach_disk(place, drive)
            begins = Path(device).read_bytes()[:8]

        assert written[0] == 0
        assert begins == b"written\n"

    def test_disk_that_begins_as_a_layer_on_a_file_of_the_node_does_not_lead_there(
        self, started: Started, tmp_path: Path
    ) -> None:
        approach, place = started.prepared.approach, started.prepared.launch.place
        assert isinstance(approach, TakesDisks)
        secret, image = tmp_path / "secret", tmp_path / "data.raw"
        secret.write_bytes(b"secret".ljust(MIB, b"\n"))
        image.write_bytes(self.layer_on(str(secret)).ljust(MIB, b"\0"))
        drive = Drive(name="layer", unit=3, path=str(image), format="raw")
        approach.attach_disk(place, drive)
        read = started.exec("sh", "-c", _READ_HEAD, "sh", approach.device_of(drive))
        approach.detach_disk(place, drive)

        assert read[1].encode() == image.read_bytes()[:3] + b"\n"

    def test_card_is_there_at_once_and_gone_at_once_and_can_come_again(
        self, started: Started
    ) -> None:
        approach, launch = started.prepared.approach, started.prepared.launch
        assert isinstance(approach, HasCards)
        network, others = started.prepared.network, [launch.nic]
        assert network is not None
        mac = network.mac(GUEST, 1)
        address, later = (launch.nic.address.rpartition(".")[0] + last for last in (".201", ".202"))

        def nic_of(*addresses: str, mtu: int | None) -> Nic:
            card = Card(name="eth1", number=1, mac=mac, addresses=addresses, mtu=mtu)
            return network.nic(GUEST, card, NicKind.TAP, ipv6=approach.needs.ipv6)

        def seen() -> list[str]:
            shown = started.exec("ip", "-oneline", "address", "show", "scope", "global")[1]
            own = [line.split() for line in shown.splitlines()]
            return sorted(line[3] for line in own if line[1] not in ("eth0", "vec0"))

        nic, changed = nic_of(address, mtu=1400), nic_of(address, later, mtu=None)
        approach.unplug(launch.place, started.handle, nic)
        rounds = []
        for _ in range(2):
            network.attach(nic, lambda: others)
            approach.plug(launch.place, started.handle, nic)
            approach.plug(launch.place, started.handle, nic)
            has, mtu = seen(), started.exec("sh", "-c", "cat /sys/class/net/*1/mtu")[1]
            network.readdress(nic, changed)
            for _ in range(2):
                approach.change_card(launch.place, nic, changed)
            has_then, mtu_then = seen(), started.exec("sh", "-c", "cat /sys/class/net/*1/mtu")[1]
            approach.change_card(launch.place, changed, nic)
            back = seen()
            for _ in range(2):
                approach.unplug(launch.place, started.handle, nic)
            network.detach(nic)
            rounds.append((has, mtu, has_then, mtu_then, back, seen()))

        wanted, wanted_then = sorted(nic.addresses), sorted(changed.addresses)
        assert rounds == [(wanted, "1400\n", wanted_then, "1500\n", wanted, [])] * 2
        assert len(wanted_then) == len(wanted) + 1

    def layer_on(self, path: str) -> bytes:
        """Return what a layer of the engine's own kind over a file of the node begins with."""
        raise AssertionError("each engine has one")

    def test_disk_that_is_there_from_the_start_is_seen_by_its_size_and_name(
        self, started: Started
    ) -> None:
        (drive,) = started.prepared.launch.disks
        approach = started.prepared.approach
        assert isinstance(approach, TakesDisks)
        device = approach.device_of(drive)
        size = started.exec("blockdev", "--getsize64", device)[1]
        serials = started.exec("sh", "-c", "cat /sys/block/*/serial")[1]

        assert size == f"{DISK_BYTES}\n"
        assert drive.name in serials

    def test_command_broken_off_ends_in_the_guest_too(self, started: Started) -> None:
        timer = threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            started.exec("sleep", "4321")
        timer.join()

        # It has been told to end; a guest that is emulated needs a moment to do so.
        deadline = time.monotonic() + 10.0
        while "4321" in started.exec("sh", "-c", "cat /proc/[0-9]*/cmdline")[1]:
            assert time.monotonic() < deadline


def copy_in(started: Started, source: str, target: str) -> None:
    approach = started.prepared.approach
    assert isinstance(approach, HasFiles)
    approach.copy_in(started.prepared.launch.place, started.handle, source, target)
