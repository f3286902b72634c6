"""What Xen is told when a domain's memory is kept, and when one goes on from it; the lab host has the real Xen."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.unit.fakexl import BOUNDED, DATA, FakeXl, launch_in

from wirt.approaches.tracking import KnowsTracking, TracksMemory
from wirt.approaches.xen import control, store
from wirt.approaches.xen.driver import Xen, XenPvh
from wirt.errors import Failed
from wirt.model.capability import no, yes
from wirt.model.checkpoint import Obstacle
from wirt.model.guest import Handle
from wirt.model.launch import Launch
from wirt.model.limits import Limits
from wirt.units import MIB


@pytest.fixture
def xl(monkeypatch: pytest.MonkeyPatch) -> FakeXl:
    return FakeXl(monkeypatch)


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return launch_in(tmp_path)


def checkpoint(
    launch: Launch,
    directory: Path,
    *,
    keep_running: bool = False,
    written: Callable[[], None] = lambda: None,
) -> None:
    directory.mkdir()
    Xen().checkpoint(
        launch.place,
        Handle(pid=None),
        str(directory),
        keep_running=keep_running,
        standing_still=lambda: None,
        written=written,
    )


def test_domain_is_kept_paused_while_its_disk_is_and_has_ended_then(
    xl: FakeXl, launch: Launch, tmp_path: Path
) -> None:
    seen = []
    Xen().start(launch)
    begun = len(xl.calls)
    checkpoint(
        launch,
        tmp_path / "kept",
        written=lambda: seen.append((dict(xl.domains), Xen().is_checkpointing(launch.place))),
    )
    told = [call for call in xl.calls[begun:] if call[0] not in ("domid", "list")]

    assert seen == [({"wabcd-1": "--p---"}, True)]
    assert told == [
        ["save", "-p", "wabcd-1", f"{tmp_path}/kept/memory"],
        # What the domain believes to be on its disk is there before that is copied.
        ["qemu-monitor-command", "wabcd-1", "stop"],
        ["qemu-monitor-command", "wabcd-1", "cont"],
        ["destroy", "wabcd-1"],
    ]
    assert (xl.domains, os.listdir(tmp_path / "run")) == ({}, [])


def test_domain_that_is_to_go_on_does(xl: FakeXl, launch: Launch, tmp_path: Path) -> None:
    Xen().start(launch)
    checkpoint(launch, tmp_path / "kept", keep_running=True)

    assert xl.domains == {"wabcd-1": "-b----"}
    assert not Xen().is_checkpointing(launch.place)


@pytest.mark.parametrize("failing", ["save", "qemu-monitor-command", None])
def test_domain_goes_on_if_it_could_not_be_kept(
    xl: FakeXl, launch: Launch, tmp_path: Path, failing: str | None
) -> None:
    def fail() -> None:
        raise Failed("the disk is full")

    Xen().start(launch)
    xl.failing = failing
    said = "the disk is full" if failing is None else f"{failing} was told to fail"
    with pytest.raises(Failed, match=said):
        checkpoint(launch, tmp_path / "kept", written=fail)

    assert xl.domains == {"wabcd-1": "-b----"}
    assert not Xen().is_checkpointing(launch.place)


def test_domain_whose_checkpoint_has_lost_its_maker_is_told_to_go_on(
    xl: FakeXl, launch: Launch, tmp_path: Path
) -> None:
    def die() -> None:
        shutil.copy(own / "held", tmp_path / "held")

    Xen().start(launch)
    own = Path(control.config_path(launch.place)).parent
    checkpoint(launch, tmp_path / "kept", keep_running=True, written=die)
    # As all is if its maker dies there.
    shutil.copy(tmp_path / "held", own / "held")
    xl.domains["wabcd-1"] = "--p---"
    held = Xen().is_checkpointing(launch.place)
    for _ in range(2):
        Xen().cancel_checkpoint(launch.place)

    assert held
    assert xl.domains == {"wabcd-1": "-b----"}
    assert not Xen().is_checkpointing(launch.place)


def test_domain_goes_on_from_its_memory_with_its_consoles_joined_anew(
    xl: FakeXl, launch: Launch, tmp_path: Path
) -> None:
    grown = msgspec.structs.replace(launch, limits=BOUNDED)
    Xen().start(grown)
    checkpoint(grown, tmp_path / "kept")
    xl.calls.clear()
    xl.stored.clear()
    # The fake has one processor, whatever it was made with.
    smaller = Limits(cpus=1, memory=256 * MIB)
    Xen().resume(msgspec.structs.replace(launch, limits=smaller), str(tmp_path / "kept"))
    config = control.config_path(launch.place)

    assert xl.calls[1:5] == [
        ["restore", "-e", "-p", config, f"{tmp_path}/kept/memory"],
        ["domid", "wabcd-1"],
        ["xenconsole", "1", "--num", "0", "--type", "pv", "--interactive"],
        ["unpause", "wabcd-1"],
    ]
    assert xl.stored == store.build_agent_line(1, f"{os.path.dirname(config)}/agent")
    # All the memory that it had then is there to take; what it may have is less, and its balloon is told.
    lines = Path(config).read_text().splitlines()
    assert {"memory = 256", "maxmem = 1024", "vcpus = 1"} < set(lines)


def test_memory_of_another_machine_is_refused(xl: FakeXl, launch: Launch, tmp_path: Path) -> None:
    Xen().start(launch)
    checkpoint(launch, tmp_path / "kept")
    with pytest.raises(Failed) as caught:
        Xen().resume(msgspec.structs.replace(launch, limits=BOUNDED), str(tmp_path / "kept"))

    assert str(caught.value) == (
        "what was kept is of a machine with 1 CPUs and 512 MiB of memory, and the guest has 2 and 512 MiB "
        "now; give it those again: wirt set --cpus --memory"
    )
    assert xl.domains == {}


def test_disk_that_a_domain_writes_to_stands_in_the_way_of_a_checkpoint(
    xl: FakeXl, launch: Launch
) -> None:
    written = msgspec.structs.replace(DATA, unit=1, read_only=False)
    Xen().start(msgspec.structs.replace(launch, disks=(written, DATA)))

    assert Xen().find_obstacles(launch.place, cards={}) == [
        Obstacle(
            what="disk xvdb",
            reason="is no part of a checkpoint, and what the guest remembers of it may not be so any more",
            hint="remove it, or add it with --read-only",
        )
    ]


def test_domains_have_checkpoints() -> None:
    assert Xen().probe_checkpoints() == yes("xen", "Xen keeps the memory of its domains")


def test_domains_memory_is_written_in_one_piece_and_it_is_said_why(xl: FakeXl) -> None:
    blind, silent = (
        "this Xen has no shadow paging, without which it does not see what a paravirtualized domain writes",
        "xl sends what a domain writes to another xl alone, and not to files",
    )
    xl.can = "pv hvm hap"
    debians = [approach.probe_tracking() for approach in (Xen(), XenPvh())]
    xl.can = "pv hvm hap shadow"

    assert debians == [no("changes", blind), no("changes", silent)]
    assert Xen().probe_tracking() == no("changes", silent)
    assert isinstance(Xen(), KnowsTracking)
    assert not isinstance(Xen(), TracksMemory)
