"""Facts of the node: what it is and what its kernel allows, read and never guessed.

Used by ``ops/doctor.py`` and ``bench/environment.py``. Nothing here changes the node, needs root, or knows guests.
None means that the node does not say; it never means 0.
"""

import os
from collections.abc import Mapping, Sequence

import msgspec

from wirt.host import cgroup, run
from wirt.host.kerneltree import KernelTree
from wirt.host.mountinfo import Mount, parse_mounts
from wirt.host.virtualization import Virtualization, probe_virtualization

_CPUS = "/sys/devices/system/cpu"
_KIB = 1024

GUEST_CAPABILITIES = {
    "chown": 0,
    "dac_override": 1,
    "fowner": 3,
    "kill": 5,
    "setgid": 6,
    "setuid": 7,
    "net_admin": 12,
    "sys_chroot": 18,
    "sys_ptrace": 19,
    "sys_admin": 21,
    "sys_resource": 24,
    "mknod": 27,
    "setfcap": 31,
}
"""What engines use to make guests -> its bit number (include/uapi/linux/capability.h)."""


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """The processors."""

    model: str | None
    count: int
    """Processors that are online."""
    usable: int
    """Processors that this process may use."""
    virtualization: str | None
    """The flag for hardware virtualization, "vmx" or "svm"; None: the CPU shows neither."""
    mhz: float | None
    microcode: str | None
    smt: bool | None
    numa_nodes: int | None
    governor: str | None
    """Frequency governor; several, if the processors differ, joined by commas."""
    turbo: bool | None


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Memory in bytes."""

    total: int | None
    available: int | None
    swap: int | None
    ksm: bool | None
    """Same-page merging runs."""
    transparent_hugepages: str | None


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel and its settings that matter to guests and figures."""

    release: str
    command_line: str | None
    """Parameters of the kernel; what follows ``--`` is for process 1 and left out."""
    mitigations: dict[str, str]
    """Vulnerability of the CPU -> what the kernel says of it."""
    clocksource: str | None
    aslr: int | None
    """kernel.randomize_va_space: 0 off, 1 in part, 2 full."""


class Cgroups(msgspec.Struct, frozen=True, kw_only=True):
    """How the kernel's control groups are mounted."""

    mode: str | None
    """"v1", "hybrid" (v1 controllers beside a v2 tree) or "v2"; None: not mounted."""
    controllers: list[str]


class FileSystem(msgspec.Struct, frozen=True, kw_only=True):
    """The file system that a path lies on."""

    path: str
    mount_point: str
    type: str
    options: str
    device: str
    scheduler: str | None
    """The disk's queue scheduler, None if no disk of its own is behind it."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What the node is."""

    cpu: Cpu
    memory: Memory
    kernel: Kernel
    cgroups: Cgroups
    distribution: str | None
    virtualization: Virtualization
    kvm_device: str | None
    """"usable", or why /dev/kvm is not; None: there is none. A device that opens proves no working KVM."""
    is_root: bool
    missing_capabilities: list[str]
    """Which of the kernel capabilities that engines use this process does not hold; without root usually all."""


class CpuTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of CPU since boot, over all processors."""

    total: float
    idle: float
    """Nobody wanted to run, or all who did waited for a disk."""
    steal: float
    """Taken by the layer below while a processor here wanted to run."""


def probe_node(tree: KernelTree | None = None) -> Node:
    """Ask the kernel what this node is."""
    tree = tree or KernelTree()
    return Node(
        cpu=probe_cpu(tree),
        memory=probe_memory(tree),
        kernel=_kernel(tree),
        cgroups=probe_cgroups(tree),
        distribution=_distribution(tree),
        virtualization=probe_virtualization(tree),
        kvm_device=_kvm_device(),
        is_root=os.geteuid() == 0,
        missing_capabilities=_missing_capabilities(tree),
    )


def probe_meminfo(tree: KernelTree | None = None) -> dict[str, int]:
    """Return what ``/proc/meminfo`` says in kB, in bytes."""
    pairs = _pairs((tree or KernelTree()).lines("/proc/meminfo"))
    return {
        name: int(value.split()[0]) * _KIB for name, value in pairs.items() if value.endswith(" kB")
    }


def read_first_cpu(tree: KernelTree | None = None) -> Mapping[str, str]:
    """Return what the kernel says of the first processor, by its own words for it."""
    return _pairs((tree or KernelTree()).lines("/proc/cpuinfo"))


def probe_cpu(tree: KernelTree) -> Cpu:
    """Ask the kernel about the processors."""
    first = read_first_cpu(tree)
    flags = first.get("flags", "").split()
    smt = tree.number(f"{_CPUS}/smt/active")
    return Cpu(
        model=first.get("model name"),
        count=_online(tree) or os.cpu_count() or 1,
        usable=len(os.sched_getaffinity(0)),
        virtualization=next((flag for flag in ("vmx", "svm") if flag in flags), None),
        mhz=_float(first.get("cpu MHz")),
        microcode=first.get("microcode"),
        smt=None if smt is None else smt == 1,
        numa_nodes=_span(tree.text("/sys/devices/system/node/online")),
        governor=_governor(tree),
        turbo=_turbo(tree),
    )


def probe_cgroups(tree: KernelTree) -> Cgroups:
    """Ask the kernel how its control groups are mounted and which controllers can be used there."""
    hierarchies = cgroup.find_hierarchies(tree)
    versions = {hierarchy.version for hierarchy in hierarchies}
    mode = (
        "hybrid"
        if len(versions) == 2
        else "v1"
        if 1 in versions
        else "v2"
        if 2 in versions
        else None
    )
    return Cgroups(mode=mode, controllers=sorted(cgroup.list_controllers(hierarchies)))


def probe_filesystem(path: str, tree: KernelTree | None = None) -> FileSystem | None:
    """Return the file system that ``path`` (or the nearest directory above it that exists) lies on."""
    tree = tree or KernelTree()
    wanted = os.path.realpath(path)
    best: Mount | None = None
    for mount in parse_mounts(tree.lines("/proc/self/mountinfo")):
        at = mount.mount_point.rstrip("/")
        # Of two at the same place the later one hides the earlier.
        if (wanted == at or wanted.startswith(f"{at}/")) and (
            best is None or len(mount.mount_point) >= len(best.mount_point)
        ):
            best = mount
    if best is None:
        return None
    options = dict.fromkeys((best.options + "," + best.super_options).split(","))
    return FileSystem(
        path=path,
        mount_point=best.mount_point,
        type=best.type,
        options=",".join(options),
        device=best.source,
        scheduler=_scheduler(tree, best.device_number),
    )


def probe_cpu_times(tree: KernelTree | None = None) -> CpuTimes | None:
    """Return the processors' time since boot, None if the kernel does not say."""
    lines = (tree or KernelTree()).lines("/proc/stat")
    fields = lines[0].split() if lines else []
    if len(fields) < 9 or fields[0] != "cpu":
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    # user nice system idle iowait irq softirq steal; the guest times after them are in user and nice already.
    values = [int(field) / ticks for field in fields[1:9]]
    return CpuTimes(total=sum(values), idle=values[3] + values[4], steal=values[7])


def probe_load() -> float | None:
    """Return the load average of one minute."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def probe_temperature(tree: KernelTree | None = None) -> float | None:
    """Return the highest temperature that a sensor of the node shows, degrees Celsius."""
    tree = tree or KernelTree()
    zones = tree.texts("/sys/class/thermal/thermal_zone*/temp")
    chips = tree.texts("/sys/class/hwmon/hwmon*/temp*_input")
    values = [_float(text) for text in (zones | chips).values()]
    return max((value / 1000 for value in values if value is not None), default=None)


def probe_overheating(tree: KernelTree | None = None) -> int | None:
    """Return how often processors have slowed down because they were hot, since boot; None if nobody counts."""
    tree = tree or KernelTree()
    counts = tree.texts(f"{_CPUS}/cpu[0-9]*/thermal_throttle/core_throttle_count").values()
    return sum(int(text) for text in counts) if counts else None


def probe_mhz(tree: KernelTree | None = None) -> float | None:
    """Return the mean frequency of the processors now, MHz."""
    tree = tree or KernelTree()
    now = tree.texts(f"{_CPUS}/cpu[0-9]*/cpufreq/scaling_cur_freq").values()
    values = [_float(text) for text in now]
    known = [value / 1000 for value in values if value is not None]
    if not known:
        lines = [line for line in tree.lines("/proc/cpuinfo") if line.startswith("cpu MHz")]
        said = [_float(line.partition(":")[2]) for line in lines]
        known = [value for value in said if value is not None]
    return sum(known) / len(known) if known else None


def probe_package_versions(packages: Sequence[str]) -> dict[str, str | None]:
    """Return package -> installed version; None for one that is not installed, or a node without dpkg."""
    versions: dict[str, str | None] = dict.fromkeys(packages)
    if run.find_program("dpkg-query") is None:
        return versions
    form = "${Package} ${db:Status-Status} ${Version}\n"
    # It ends with status 1 if one of them is unknown, and still lists the others.
    for line in run.run(["dpkg-query", "-W", "-f", form, *packages]).stdout.splitlines():
        name, status, version = [*line.split(" "), "", ""][:3]
        if status == "installed":
            versions[name] = version
    return versions


def probe_memory(tree: KernelTree | None = None) -> Memory:
    """Return the memory of the node."""
    tree = tree or KernelTree()
    meminfo = probe_meminfo(tree)
    ksm = tree.number("/sys/kernel/mm/ksm/run")
    return Memory(
        total=meminfo.get("MemTotal"),
        available=meminfo.get("MemAvailable"),
        swap=meminfo.get("SwapTotal"),
        ksm=None if ksm is None else ksm == 1,
        transparent_hugepages=_chosen(tree.text("/sys/kernel/mm/transparent_hugepage/enabled")),
    )


def _kernel(tree: KernelTree) -> Kernel:
    said = tree.texts(f"{_CPUS}/vulnerabilities/*")
    command_line = tree.text("/proc/cmdline")
    return Kernel(
        release=tree.text("/proc/sys/kernel/osrelease") or os.uname().release,
        command_line=command_line and command_line.split(" -- ")[0],
        mitigations={path.rpartition("/")[2]: text for path, text in said.items()},
        clocksource=tree.text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        aslr=tree.number("/proc/sys/kernel/randomize_va_space"),
    )


def _distribution(tree: KernelTree) -> str | None:
    for line in tree.lines("/etc/os-release") or tree.lines("/usr/lib/os-release"):
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip("\"'")
    return None


def _kvm_device() -> str | None:
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.strerror
    return "usable"


def _missing_capabilities(tree: KernelTree) -> list[str]:
    held = int(_pairs(tree.lines("/proc/self/status")).get("CapEff", "0"), 16)
    return [name for name, bit in GUEST_CAPABILITIES.items() if not held >> bit & 1]


def _governor(tree: KernelTree) -> str | None:
    governors = set(tree.texts(f"{_CPUS}/cpu[0-9]*/cpufreq/scaling_governor").values())
    return ",".join(sorted(governors)) or None


def _turbo(tree: KernelTree) -> bool | None:
    off = tree.number(f"{_CPUS}/intel_pstate/no_turbo")
    if off is not None:
        return off == 0
    boost = tree.number(f"{_CPUS}/cpufreq/boost")
    return None if boost is None else boost == 1


def _online(tree: KernelTree) -> int | None:
    return _span(tree.text(f"{_CPUS}/online"))


def _scheduler(tree: KernelTree, device_number: str) -> str | None:
    device = f"/sys/dev/block/{device_number}"
    whole = _chosen(tree.text(f"{device}/queue/scheduler"))
    # A partition has no queue of its own; its disk is the directory above.
    return whole or _chosen(tree.text(f"{device}/../queue/scheduler"))


def _pairs(lines: Sequence[str]) -> Mapping[str, str]:
    """Return name -> value of lines "name : value"; of a name that comes again the first value counts."""
    pairs: dict[str, str] = {}
    for line in lines:
        name, separator, value = line.partition(":")
        if separator:
            pairs.setdefault(name.strip(), value.strip())
    return pairs


def _chosen(text: str | None) -> str | None:
    """Return the choice that stands in brackets: "always [madvise] never" -> "madvise"."""
    start, end = (text or "").find("["), (text or "").find("]")
    return (text or "")[start + 1 : end] if 0 <= start < end else None


def _span(text: str | None) -> int | None:
    """Return how many numbers a kernel list "0-3,8" stands for."""
    if not text:
        return None
    ends = [part.split("-") for part in text.split(",")]
    return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)


def _float(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
