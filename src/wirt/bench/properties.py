"""What the approaches are and can do: table 1.1 and chapter 2 of the source as data, joined with what this node said.

Used by the report. Facts that hold on every machine are written down here; whether an approach works on the node that
was measured comes from the run's header, never from the machine that renders the report.
"""

from collections.abc import Mapping

import msgspec

from wirt.bench.sample import Header


class Approach(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the analysis table: what holds for an approach on every node."""

    name: str
    """Our word for it: "lxc"."""
    title: str
    kind: str
    """The source's kind of virtualization (table 1.1)."""
    products_2006: str
    products_now: str
    principle: str
    """How it works."""
    own_kernel: bool
    guests: str
    """Systems that run under it."""
    isolation: str
    resources: str
    """How CPU, memory, disk and network are shared out."""
    effort: str
    """What has to be made and kept for one more guest."""
    suits: str
    """What it is good for, as the end of the sentence "it suits ..."; how fast it is there, only a run can say."""
    section: str
    """Where the source treats it."""


class ProbedApproach(msgspec.Struct, frozen=True, kw_only=True):
    """An approach with what the node of a run could do with it."""

    approach: Approach
    available: bool | None
    """None: the run recorded nothing about it."""
    reason: str
    measured: bool
    """A subject of the run used it."""


APPROACHES: tuple[Approach, ...] = (
    Approach(
        name="chroot",
        title="Change root",
        kind="operating-system level",
        products_2006="chroot",
        products_now="chroot, systemd RootDirectory=",
        principle=(
            "A process and its children see a directory as the root of the file system. Nothing else is separated."
        ),
        own_kernel=False,
        guests="Linux programs that work with the host's kernel and C library interface",
        isolation=(
            "The file tree only: processes, users, network and devices are the host's, and root can break out"
        ),
        resources="None of its own; what the host gives to any process",
        effort="Copy the files a program needs; no start-up, no address, no kernel",
        suits="services that you trust",
        section="1.4.1",
    ),
    Approach(
        name="lxc",
        title="System container",
        kind="operating-system level",
        products_2006="OpenVZ, Virtuozzo, Linux-VServer",
        products_now="LXC, Incus, Virtuozzo, systemd-nspawn; Docker and Podman for single programs",
        principle=(
            "The host's kernel keeps a separate view of processes, users, mounts and network for each guest "
            "(namespaces) and accounts for what it uses (cgroups). In 2006 this took kernel patches; now it is in "
            "the stock kernel."
        ),
        own_kernel=False,
        guests="Any Linux distribution that works with the host's kernel",
        isolation=(
            "Own processes, users, addresses and init; unprivileged guests have no rights on the host. One kernel "
            "for all: a hole in it opens every guest"
        ),
        resources=(
            "Shares, limits and counters for CPU, memory, processes and disk, changed while the guest runs; the "
            "host's kernel shares everything out, and only network cards can be given exclusively"
        ),
        effort="Unpack or clone a template; no kernel to keep; snapshots, checkpoints and live migration need CRIU",
        suits="Linux servers on the host's kernel",
        section="1.4.2, 2.1",
    ),
    Approach(
        name="uml",
        title="User-Mode Linux",
        kind="paravirtualization",
        products_2006="User-Mode Linux",
        products_now="User-Mode Linux",
        principle=(
            "A Linux kernel adapted to run as an ordinary process of the host; it catches the system calls of its "
            "own processes."
        ),
        own_kernel=True,
        guests="Linux with the adapted kernel; programs run unchanged",
        isolation=(
            "Own kernel, own memory and disk; but its processes are root's on the host, so whoever loads a module into "
            "the guest's kernel or breaks out of it is root on the host"
        ),
        resources=(
            "Memory and disk are fixed at start; the host schedules it as processes, so its shares and limits apply"
        ),
        effort="A disk image and a kernel binary; no hardware support needed; Wirt starts it as root",
        suits="Linux with a kernel of its own",
        section="1.4.5",
    ),
    Approach(
        name="qemu",
        title="Emulation",
        kind="full emulation",
        products_2006="VMware Workstation and GSX Server, Microsoft Virtual PC and Virtual Server",
        products_now="QEMU with TCG",
        principle=(
            "A whole machine in software: processor, devices and firmware. Guest instructions are translated to "
            "those of the host."
        ),
        own_kernel=True,
        guests="Unmodified systems: Linux, BSD, Windows, Solaris, also for other processors",
        isolation="Own kernel and emulated hardware; the guest reaches the host only through the emulator",
        resources=(
            "Number of virtual CPUs, memory (with a balloon) and disks for each guest; disks may be files, "
            "partitions or network storage"
        ),
        effort="A full system with a kernel and boot loader on a disk image; runs on any host",
        suits="other systems and processors",
        section="1.4.4",
    ),
    Approach(
        name="kvm",
        title="Hardware virtualization",
        kind="hardware virtualization",
        products_2006="Xen 3 on Intel VT or AMD SVM (KVM was new)",
        products_now="KVM with QEMU, Cloud Hypervisor, VMware ESXi, Hyper-V",
        principle=(
            "The processor runs the guest's kernel in a mode of its own; QEMU adds the devices, most of them "
            "paravirtual (virtio)."
        ),
        own_kernel=True,
        guests="Unmodified systems for the host's processor: Linux, BSD, Windows, Solaris",
        isolation="Own kernel, separated by the processor; the guest reaches the host through few devices",
        resources=(
            "Virtual CPUs that can be pinned, memory (with a balloon), disks; PCI devices can be given exclusively"
        ),
        effort="A full system on a disk image; the host needs VT-x or SVM, also when it is itself a guest",
        suits="any system for the host's processor",
        section="1.4.7",
    ),
    Approach(
        name="xen",
        title="Xen domains",
        kind="paravirtualization and hardware virtualization",
        products_2006="Xen 3, XenEnterprise",
        products_now="Xen, XCP-ng, XenServer",
        principle=(
            "A hypervisor below all systems; domain 0 drives the hardware and serves split devices to the other "
            "domains (dom U)."
        ),
        own_kernel=True,
        guests="Adapted Linux, BSD and Solaris; with VT-x or SVM any system",
        isolation="Own kernel under a small hypervisor; the other domains reach hardware only through domain 0",
        resources=(
            "Virtual CPUs under a credit scheduler or pinned, memory with a balloon, disks and cards that can be "
            "given exclusively"
        ),
        effort="The host itself boots the hypervisor and becomes domain 0; a kernel and a disk for each guest",
        suits="different systems side by side with resources given exclusively",
        section="1.4.5, 1.4.7, 2.2",
    ),
)


def describe_approaches(header: Header) -> list[ProbedApproach]:
    """Return every approach with what the node of the run that ``header`` opens could do with it."""
    probed = header.environment.get("approaches")
    capabilities: Mapping[str, object] = probed if isinstance(probed, Mapping) else {}
    measured = {subject.approach for subject in header.subjects}
    return [
        _join(approach, capabilities.get(approach.name), header, approach.name in measured)
        for approach in APPROACHES
    ]


def _join(approach: Approach, capability: object, header: Header, measured: bool) -> ProbedApproach:
    available: bool | None = None
    reason = ""
    if isinstance(capability, Mapping):
        available = bool(capability.get("available"))
        reason = str(capability.get("reason") or "")
    elif measured:
        available = True
    # The run's own reason wins: it says why this run has no figures, whatever the probe found.
    if approach.name in header.unavailable:
        reason = header.unavailable[approach.name]
        available = bool(available)
    return ProbedApproach(approach=approach, available=available, reason=reason, measured=measured)
