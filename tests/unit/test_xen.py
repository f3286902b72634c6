"""Domains of Xen's: their configuration, compared with files, and what is asked of ``xl``; the lab host has the real one."""

import os
from pathlib import Path

import msgspec
import pytest
from tests.unit.fakexl import BOOTED, BOUNDED, DATA, FakeXl, launch_in
from tests.unit.test_vm_builders import RAW

from wirt.approaches import ownkernel
from wirt.approaches.hypervisor import MachineSize
from wirt.approaches.xen import build, control, driver, keeper, store
from wirt.approaches.xen.driver import Xen, XenPvh
from wirt.errors import Failed, InvalidInput, Unsupported
from wirt.host import run
from wirt.model.capability import Capability, no, yes
from wirt.model.launch import Launch, Place
from wirt.model.limits import Limits
from wirt.model.presence import Presence
from wirt.model.resources import BlockImage
from wirt.units import MIB

GOLDEN = Path(__file__).parents[1] / "golden/xen"


def check_golden(name: str, launch: Launch, *, kind: str, grow: bool = False) -> None:
    assert isinstance(launch.root, BlockImage)
    text = build.build_config(launch, launch.root, kind=kind, most_cpus=4, grow=grow)
    if os.environ.get("WIRT_GOLDEN") == "write":
        (GOLDEN / name).write_text(text)

    assert text == (GOLDEN / name).read_text()


def test_configuration_of_a_paravirtualized_domain_on_an_image() -> None:
    check_golden("pv.cfg", BOOTED, kind="pv")


def test_configuration_of_a_pvh_domain_that_is_bounded_on_a_block_device() -> None:
    launch = msgspec.structs.replace(BOOTED, root=RAW, limits=BOUNDED, disks=(DATA,))
    check_golden("pvh-bounded.cfg", launch, kind="pvh", grow=True)


def test_configuration_that_xl_could_not_read_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_golden("", msgspec.structs.replace(BOOTED, arguments='a="b"'), kind="pv")

    assert str(caught.value).endswith("; leave quotes, backslashes and line breaks out")


def test_agents_line_is_written_into_xens_store_the_domains_side_first() -> None:
    assert store.build_agent_line(4, "/run/agent") == [
        [
            "xenstore-write",
            *("/libxl/4/device/console/1/frontend", "/local/domain/4/device/console/1"),
            *("/libxl/4/device/console/1/backend", "/local/domain/0/backend/console/4/1"),
        ],
        [
            "xenstore-write",
            *("/local/domain/4/device/console/1/backend", "/local/domain/0/backend/console/4/1"),
            *("/local/domain/4/device/console/1/backend-id", "0"),
            *("/local/domain/4/device/console/1/limit", "1048576"),
            *("/local/domain/4/device/console/1/type", "ioemu"),
            *("/local/domain/4/device/console/1/output", "pipe:/run/agent"),
            *("/local/domain/4/device/console/1/tty", ""),
            *("/local/domain/4/device/console/1/state", "1"),
        ],
        ["xenstore-chmod", "-r", "/local/domain/4/device/console/1", "n4", "r0"],
        [
            "xenstore-write",
            *("/local/domain/0/backend/console/4/1/frontend", "/local/domain/4/device/console/1"),
            *("/local/domain/0/backend/console/4/1/frontend-id", "4"),
            *("/local/domain/0/backend/console/4/1/online", "1"),
            *("/local/domain/0/backend/console/4/1/protocol", "vt100"),
            *("/local/domain/0/backend/console/4/1/state", "1"),
        ],
        ["xenstore-chmod", "-r", "/local/domain/0/backend/console/4/1", "n0", "r4"],
    ]


def test_changes_of_a_running_domain_are_commands() -> None:
    assert build.build_adjustments("wabcd-1", BOUNDED) == [
        ["xl", "mem-set", "wabcd-1", "512m"],
        ["xl", "vcpu-set", "wabcd-1", "2"],
        ["xl", "vcpu-pin", "wabcd-1", "all", "0,2"],
        ["xl", "sched-credit2", "-d", "wabcd-1", "-w", "768", "-c", "50"],
    ]
    assert build.build_adjustments("wabcd-1", Limits())[2:] == [
        ["xl", "vcpu-pin", "wabcd-1", "all", "all"],
        ["xl", "sched-credit2", "-d", "wabcd-1", "-w", "256", "-c", "0"],
    ]


@pytest.mark.parametrize(("weight", "wanted"), [(1, 2), (100, 256), (10_000, 25_600)])
def test_weight_of_a_domain_is_to_credit2s_as_to_ours(weight: int, wanted: int) -> None:
    assert build.weight(Limits(cpu_weight=weight)) == wanted


@pytest.fixture
def xl(monkeypatch: pytest.MonkeyPatch) -> FakeXl:
    return FakeXl(monkeypatch)


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return launch_in(tmp_path)


def test_domain_stands_still_until_its_consoles_are_joined(xl: FakeXl, launch: Launch) -> None:
    handle = Xen().start(launch)
    present = Xen().probe(launch.place)
    config = control.config_path(launch.place)

    assert handle.pid == os.getpid()
    assert present is Presence.PRESENT
    assert os.stat(config).st_mode & 0o777 == 0o600
    assert xl.calls[2:6] == [
        ["create", "-e", "-p", config],
        ["domid", "wabcd-1"],
        ["xenconsole", "1", "--num", "0", "--type", "pv", "--interactive"],
        ["unpause", "wabcd-1"],
    ]
    assert xl.stored == store.build_agent_line(1, f"{os.path.dirname(config)}/agent")


def test_console_is_passed_on_by_the_program_of_the_xen_that_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(control, "_VERSION", str(tmp_path))
    monkeypatch.setattr(control, "_PRIVATE_DIRECTORIES", (str(tmp_path),))
    (tmp_path / "major").write_text("4\n")
    (tmp_path / "minor").write_text("0\n")
    with pytest.raises(Failed) as caught:
        control.console_program()
    (tmp_path / "xenconsole").touch()

    assert str(caught.value) == (
        "there is no xenconsole for this version of Xen; install the tools of the Xen that runs"
    )
    assert control.console_program() == f"{tmp_path}/xenconsole"


@pytest.mark.parametrize("verb", ["create", "unpause"])
def test_domain_that_does_not_start_leaves_nothing(
    xl: FakeXl, launch: Launch, verb: str, tmp_path: Path
) -> None:
    xl.failing = verb
    with pytest.raises(Failed) as caught:
        Xen().start(launch)

    assert str(caught.value).endswith(f"libxl: {verb} was told to fail")
    assert (xl.domains, os.listdir(tmp_path / "run")) == ({}, [])


def test_domain_that_nobody_keeps_is_taken_away_and_said(
    xl: FakeXl, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wirt.host.process.find_by_argument", lambda argument: [])
    monkeypatch.setattr(keeper, "_START_SECONDS", 0.0)
    with pytest.raises(Failed) as caught:
        Xen().start(launch)

    assert str(caught.value) == "domain wabcd-1 has no process that keeps it; see xl list"
    assert xl.domains == {}


def test_second_start_is_refused(xl: FakeXl, launch: Launch) -> None:
    Xen().start(launch)
    with pytest.raises(Failed, match="wabcd-1 is started already"):
        Xen().start(launch)

    assert list(xl.domains) == ["wabcd-1"]


def test_domain_is_frozen_once_and_thawed_once(xl: FakeXl, launch: Launch) -> None:
    xen = Xen()
    xen.start(launch)
    seen = [xen.is_frozen(launch.place)]
    # Xen counts: who pauses twice would have to go on twice.
    for act in (xen.freeze, xen.freeze, xen.thaw, xen.thaw):
        act(launch.place)
        seen.append(xen.is_frozen(launch.place))
    told = [call[0] for call in xl.calls if call[0] in ("pause", "unpause")]

    assert seen == [False, True, True, False, False]
    assert told == ["unpause", "pause", "unpause"]


def test_domain_is_killed_again_and_again(xl: FakeXl, launch: Launch) -> None:
    Xen().start(launch)
    for _ in range(2):
        Xen().kill(launch.place)

    assert xl.domains == {}
    assert Xen().probe(launch.place) is Presence.ABSENT
    assert not Xen().is_frozen(launch.place)


def test_disks_of_a_running_domain_stay_as_they_are(xl: FakeXl, launch: Launch) -> None:
    xen = Xen()
    xen.start(launch)
    xl.disks = [51712]
    xen.detach_disk(launch.place, DATA)  # not in it, so there is nothing to do
    xl.disks = [51712, 51744]
    for change in (xen.attach_disk, xen.detach_disk):
        with pytest.raises(Unsupported) as caught:
            change(launch.place, DATA)

        assert str(caught.value) == (
            "disk data cannot be put into a running domain of Xen's, or taken out of it; "
            "stop the guest first"
        )
    assert xen.device_of(DATA) == "/dev/xvdc"
    assert xen.probe_disk(launch.place, DATA) is Presence.PRESENT


def test_running_domain_is_not_told_that_a_disk_has_grown() -> None:
    with pytest.raises(Failed) as caught:
        Xen().grow_disk(Place(name="w-1", run_dir="/run", log="/log"), DATA, 1)

    assert str(caught.value) == "xen cannot tell a running guest that disk data has grown"
    assert Xen().grows_disks() == no(
        "xen", "a domain reads a disk's size when it gets it", "stop the guest"
    )


def test_adjust_says_what_xl_said(xl: FakeXl, launch: Launch) -> None:
    Xen().start(launch)
    xl.failing = "mem-set"
    with pytest.raises(Failed) as caught:
        Xen().adjust(launch.place, BOUNDED)

    assert str(caught.value) == "xl failed: libxl: mem-set was told to fail"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give the keepers of the domains whose agents are asked; a domain's system has no time to do anything by itself."""
    asked: list[int] = []
    monkeypatch.setattr(control, "_UDEV_SECONDS", 0.0)
    monkeypatch.setattr(
        ownkernel, "switch_on", lambda place, handle, wanted: asked.append(handle.pid or 0)
    )
    return asked


def test_processors_that_a_domain_gets_are_switched_on_by_its_agent(
    xl: FakeXl, launch: Launch, asked: list[int]
) -> None:
    Xen().start(launch)
    for limits in (Limits(), BOUNDED):
        Xen().adjust(launch.place, limits)

    # Once: the first asks for as many as it uses.
    assert asked == [os.getpid()]


def test_processors_that_a_domain_uses_by_itself_are_left_to_it(
    xl: FakeXl, launch: Launch, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    Xen().start(launch)
    counts = iter([1, 2])
    monkeypatch.setattr(control, "processors", lambda name: next(counts))
    Xen().adjust(launch.place, BOUNDED)

    assert asked == []


@pytest.mark.parametrize("uses", [1, 2])
def test_domain_without_an_agent_uses_processors_late_or_never(
    xl: FakeXl, launch: Launch, asked: list[int], monkeypatch: pytest.MonkeyPatch, uses: int
) -> None:
    def refuse(*arguments: object) -> None:
        xl.processors = uses
        raise Failed("the guest does not use 2 CPUs: the guest's agent did not answer in time")

    Xen().start(launch)
    monkeypatch.setattr(ownkernel, "switch_on", refuse)
    if uses == 2:
        Xen().adjust(launch.place, BOUNDED)
        return
    with pytest.raises(Failed) as caught:
        Xen().adjust(launch.place, BOUNDED)

    assert str(caught.value).startswith("the guest does not use 2 CPUs: ")


def test_domains_share_what_the_hypervisor_has(xl: FakeXl) -> None:
    assert Xen().ask_machine() == MachineSize(processors=(0, 1, 2, 3), memory=4095 * MIB)


def answer(
    xl: FakeXl,
    patch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    programs: bool = True,
    domain_0: bool = True,
    qemu: bool = True,
    approach: type[Xen] = Xen,
) -> Capability:
    (tmp_path / "capabilities").write_text("control_d\n" if domain_0 else "")
    patch.setattr(driver, "_CAPABILITIES", f"{tmp_path}/capabilities")
    patch.setattr(run, "find_program", lambda name: f"/sbin/{name}" if programs else None)
    patch.setattr(driver, "_QEMU", (str(tmp_path),) if qemu else ())
    return approach().probe_capability()


def test_capability_says_what_stands_in_the_way(
    xl: FakeXl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def ask(**found: object) -> Capability:
        return answer(xl, monkeypatch, tmp_path, **found)  # type: ignore[arg-type]

    assert ask(programs=False) == no(
        "xen", "Xen is not installed", "apt-get install xen-system-amd64 and restart"
    )
    assert ask(domain_0=False) == no(
        "xen",
        "the node does not run on Xen",
        "restart it with Xen: it is the first choice of the boot menu once it is installed",
    )
    assert ask(qemu=False) == no(
        "xen",
        "there is no QEMU for Xen, which serves disks and the line to the agent",
        "apt-get install qemu-system-xen",
    )
    assert ask(approach=XenPvh) == no(
        "xen-pvh",
        "Xen has no help of the processor's: neither VT-x nor SVM",
        "switch it on in the machine's firmware, or use xen",
    )
    assert ask() == yes("xen", "Xen; the guest's kernel is paravirtualized")
    xl.can = "hvm hap"
    assert ask(approach=XenPvh) == yes("xen-pvh", "Xen, with the processor's help")
    assert ask() == no("xen", "this hypervisor has no paravirtualized domains", "use xen-pvh")


def test_limits_are_held_by_the_hypervisors_scheduler() -> None:
    found = Xen().probe_limits()

    assert [name for name, one in found.items() if one.available] == [
        "cpu_weight",
        "cpu_pin",
        "cpu_limit",
    ]
    assert found["swap"] == no(
        "swap",
        "a domain of Xen's is held to CPUs, memory and disk alone",
        "containers (approach lxc) are held to more",
    )
