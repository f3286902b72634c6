from collections.abc import Callable
from pathlib import Path
from typing import cast

from wirt.approaches.base import Approach
from wirt.approaches.fake import FakeApproach
from wirt.console.doctor import WIDTH, render_doctor
from wirt.errors import Failed, NotPermitted
from wirt.host.facts import Cgroups, Cpu, Kernel, Memory, Node
from wirt.host.virtualization import Virtualization
from wirt.model.capability import Capability, no, yes
from wirt.network.base import Network
from wirt.ops.doctor import Diagnosis, Program, diagnose, find_programs
from wirt.storage.base import Pool

NODE = Node(
    cpu=Cpu(
        model="AMD EPYC",
        count=2,
        usable=2,
        virtualization=None,
        mhz=None,
        microcode=None,
        smt=None,
        numa_nodes=None,
        governor=None,
        turbo=None,
    ),
    memory=Memory(total=2**31, available=None, swap=0, ksm=None, transparent_hugepages=None),
    kernel=Kernel(release="6.18", command_line=None, mitigations={}, clocksource=None, aslr=None),
    cgroups=Cgroups(mode="hybrid", controllers=["cpu", "memory"]),
    distribution="Debian GNU/Linux 12 (bookworm)",
    virtualization=Virtualization(machine="firecracker", container=None),
    kvm_device="usable",
    is_root=True,
    missing_capabilities=["sys_resource"],
)


class Probed:
    """Stands for an approach, a pool or a network: all that the doctor asks of one is its name and its answer."""

    def __init__(self, name: str, probe: Callable[[], Capability]) -> None:
        self.name = name
        self.probe_capability = probe


def probed(answer: Capability) -> Probed:
    return Probed(answer.name, lambda: answer)


def failing(name: str, error: Exception) -> Probed:
    def probe() -> Capability:
        raise error

    return Probed(name, probe)


def diagnose_with(approach: Probed) -> Diagnosis:
    return diagnose(
        approaches=[cast(Approach, approach), cast(Approach, probed(yes("chroot", "root")))],
        pools=[cast(Pool, probed(yes("directory", "overlayfs")))],
        network=cast(Network, probed(yes("bridge", "veth"))),
    )


def make_diagnosis(
    *approaches: Capability,
    programs: list[Program] | None = None,
    limits: dict[str, list[Capability]] | None = None,
) -> Diagnosis:
    return Diagnosis(
        node=NODE,
        approaches=list(approaches),
        pools=[],
        networks=[],
        programs=programs or [],
        limits=limits or {},
    )


def test_diagnose_with_answers_gives_them_unchanged() -> None:
    kvm = no("kvm", "a stock kernel does not start", "look elsewhere")

    diagnosis = diagnose_with(probed(kvm))

    assert diagnosis.approaches == [kvm, yes("chroot", "root")]
    assert diagnosis.pools == [yes("directory", "overlayfs")]
    assert diagnosis.networks == [yes("bridge", "veth")]


def test_diagnose_asks_approaches_that_hold_guests_to_more_limits_which(tmp_path: Path) -> None:
    fake = FakeApproach(str(tmp_path))
    diagnosis = diagnose(
        approaches=[fake], pools=[], network=cast(Network, probed(yes("bridge", "veth")))
    )

    assert diagnosis.limits == {"fake": list(fake.probe_limits().values())}


class Tracking(FakeApproach):
    """Would write what has changed alone, and has a node that does not know what changes."""

    def probe_tracking(self) -> Capability:
        return no("changes", "the kernel does not mark pages", "all is written")


def test_diagnose_asks_whether_only_changes_of_memory_are_written_again(tmp_path: Path) -> None:
    diagnosis = diagnose(
        approaches=[Tracking(str(tmp_path))],
        pools=[],
        network=cast(Network, probed(yes("bridge", ""))),
    )
    lines = render_doctor(diagnosis).splitlines()
    at = lines.index("Checkpoints of what has changed")

    assert diagnosis.tracking == [no("fake", "the kernel does not mark pages", "all is written")]
    assert lines[at + 1].split() == [
        "fake",
        "no",
        *["the", "kernel", "does", "not", "mark", "pages"],
    ]
    assert lines[at + 2].split() == ["->", *["all", "is", "written"]]


def test_diagnose_with_probe_that_needs_root_says_so_and_goes_on() -> None:
    diagnosis = diagnose_with(failing("lxc", NotPermitted("cannot make a cgroup")))

    assert diagnosis.approaches == [
        no("lxc", "cannot make a cgroup", "run wirt doctor as root for an answer"),
        yes("chroot", "root"),
    ]


def test_diagnose_with_probe_that_fails_gives_its_reason_and_hint() -> None:
    diagnosis = diagnose_with(failing("uml", Failed("linux.uml ended", hint="see its log")))

    assert diagnosis.approaches[0] == no("uml", "linux.uml ended", "see its log")


def test_missing_packages_of_two_programs_in_one_package_names_it_once() -> None:
    programs = [
        Program(name="no-such-a", package="tools", purpose="a"),
        Program(name="sh", package="dash", purpose="b"),
        Program(name="no-such-b", package="tools", purpose="c"),
    ]

    diagnosis = make_diagnosis(programs=find_programs(programs))

    assert diagnosis.missing_packages == ["tools"]


def test_render_doctor_shows_every_answer_with_its_next_step() -> None:
    text = render_doctor(
        make_diagnosis(
            yes("chroot", "root may change its root directory"),
            no(
                "kvm",
                "/dev/kvm opens and creates a vCPU, but a stock kernel does not start under it",
                "ask the provider for nested virtualization",
            ),
            programs=[Program(name="siege", package="siege", purpose="measuring web servers")],
            limits={"lxc": [no("cpu-pin", "the node has no cgroup controller cpuset", "mount it")]},
        )
    )

    assert text == (
        "Node\n"
        "  guest of   firecracker\n"
        "  processor  2 x AMD EPYC, neither VT-x nor SVM\n"
        "  memory     2 GiB, no swap\n"
        "  kernel     6.18\n"
        "  system     Debian GNU/Linux 12 (bookworm)\n"
        "  cgroups    hybrid: cpu memory\n"
        "  /dev/kvm   opens, which alone proves nothing: see the approach kvm\n"
        "  rights     root without CAP_SYS_RESOURCE\n"
        "\n"
        "Approaches\n"
        "  chroot     yes  root may change its root directory\n"
        "  kvm        no   /dev/kvm opens and creates a vCPU, but a stock kernel does not\n"
        "                  start under it\n"
        "                  -> ask the provider for nested virtualization\n"
        "\n"
        "Limits of lxc\n"
        "  cpu-pin    no   the node has no cgroup controller cpuset\n"
        "                  -> mount it\n"
        "\n"
        "Programs\n"
        "  missing    siege (siege), for measuring web servers\n"
        "  install    apt-get install siege\n"
    )


def test_render_doctor_with_long_reasons_stays_within_the_width() -> None:
    text = render_doctor(make_diagnosis(no("lxc", "a reason " * 40, "a hint " * 40)))

    assert max(len(line) for line in text.splitlines()) <= WIDTH


def test_answers_that_are_no_for_one_reason_are_told_together() -> None:
    limits = [
        no("swap", "its own kernel does that", "use lxc"),
        yes("memory-guarantee", "memory.low"),
        no("files", "its own kernel does that", "use lxc"),
        no("cpu-pin", "there is no cpuset"),
    ]
    lines = render_doctor(make_diagnosis(limits={"uml": limits, "kvm": limits})).splitlines()
    begin = lines.index("Limits of uml, kvm")

    assert lines[begin + 1 : begin + 5] == [
        "  memory-guarantee yes  memory.low",
        "  cpu-pin          no   there is no cpuset",
        "  the rest         no   swap, files: its own kernel does that",
        "                        -> use lxc",
    ]
