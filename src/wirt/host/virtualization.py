"""Says whether the node is itself a guest, and of what.

Words are those of systemd-detect-virt ("kvm", "vmware", "microsoft", "lxc", ...) plus "firecracker". Kernel facts come
before marker files: a marker such as ``/.dockerenv`` also stays in the root of a machine made from a container image.
"""

import msgspec

from wirt.errors import Error
from wirt.host import run
from wirt.host.kerneltree import KernelTree

_DSDT = "/sys/firmware/acpi/tables/DSDT"
UNNAMED = "unknown"
"""There is a hypervisor, but it does not say which."""

_FIRST_NAMESPACES = {"pid": 0xEFFFFFFC, "user": 0xEFFFFFFD}
"""Inode numbers of the namespaces the kernel boots with (include/linux/proc_ns.h)."""

_DMI_FILES = ("product_name", "sys_vendor", "board_vendor", "bios_vendor")
_DMI_WORDS = (
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("VirtualBox", "oracle"),
    ("innotek GmbH", "oracle"),
    ("Virtual Machine", "microsoft"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Apple Virtualization", "apple"),
    ("Amazon EC2", "amazon"),
    ("Google Compute Engine", "google"),
    ("Xen", "xen"),
    ("KubeVirt", "kvm"),
    ("OpenStack", "kvm"),
    ("KVM", "kvm"),
    ("QEMU", "qemu"),
    ("Bochs", "bochs"),
)
"""What a maker writes into its firmware -> our word; Microsoft is known by the product, since it makes laptops too."""

_CLOCKS = (("kvm-clock", "kvm"), ("hyperv", "microsoft"), ("xen", "xen"))
"""Start of a clock source that only one hypervisor offers -> our word."""


class Virtualization(msgspec.Struct, frozen=True, kw_only=True):
    """What lies below the node's system; None: nothing."""

    machine: str | None
    """The hypervisor or emulator whose virtual machine the node is."""
    container: str | None
    """The container that this process sees as the node."""
    closed: bool = False
    """The machine's tables, which might name it more closely, are for root only, and were not read."""

    @property
    def guest_of(self) -> str | None:
        """Name both in one, "lxc in kvm", or None for a machine of its own."""
        return " in ".join(name for name in (self.container, self.machine) if name) or None


def probe_virtualization(tree: KernelTree) -> Virtualization:
    """Ask the kernel and the firmware what the node is a guest of."""
    machine = _machine(tree)
    return Virtualization(
        machine=machine,
        container=_container(tree),
        # Firecracker's machines have KVM's clock, which everybody may see.
        closed=machine == "kvm" and tree.exists(_DSDT) and tree.text(_DSDT) is None,
    )


def _machine(tree: KernelTree) -> str | None:
    if "User Mode Linux" in (tree.text("/proc/cpuinfo") or ""):
        return "uml"
    if "control_d" in (tree.text("/proc/xen/capabilities") or ""):
        return None  # Xen's domain 0: it runs on the hypervisor, but it is the host of the guests.
    if tree.text("/sys/hypervisor/type") == "xen":
        return "xen"
    if _flag_says_no(tree):
        return None
    named = _from_acpi(tree) or _from_firmware(tree) or _from_clocks(tree)
    if named == "qemu":
        # QEMU's firmware says the same with and without hardware below it; KVM's clock tells them apart.
        return "kvm" if _from_clocks(tree) == "kvm" else "qemu"
    return named or _from_systemd() or (UNNAMED if _has_hypervisor_flag(tree) else None)


def _has_hypervisor_flag(tree: KernelTree) -> bool:
    flags = next((s for s in tree.lines("/proc/cpuinfo") if s.startswith("flags")), "")
    return "hypervisor" in flags.split()


def _flag_says_no(tree: KernelTree) -> bool:
    """Return whether the CPU could say that there is a hypervisor, and does not (x86 only)."""
    has_flags = any(line.startswith("flags") for line in tree.lines("/proc/cpuinfo"))
    return has_flags and not _has_hypervisor_flag(tree)


def _from_acpi(tree: KernelTree) -> str | None:
    # Firecracker has no DMI; it signs its ACPI tables, which only root may read.
    table = tree.text(_DSDT) or ""
    return "firecracker" if "FIRECK" in table[:64] else None


def _from_firmware(tree: KernelTree) -> str | None:
    said = " | ".join(tree.text(f"/sys/class/dmi/id/{name}") or "" for name in _DMI_FILES)
    return next((word for mark, word in _DMI_WORDS if mark in said), None)


def _from_clocks(tree: KernelTree) -> str | None:
    path = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
    clocks = (tree.text(path) or "").split()
    return next((word for mark, word in _CLOCKS for c in clocks if c.startswith(mark)), None)


def _from_systemd() -> str | None:
    if run.find_program("systemd-detect-virt") is None:
        return None
    try:
        said = run.run(["systemd-detect-virt", "--vm"], timeout=5).stdout.strip()
    except Error:
        return None
    return said if said not in ("", "none") else None


def _container(tree: KernelTree) -> str | None:
    if all(
        tree.link(f"/proc/self/ns/{kind}") == f"{kind}:[{number}]"
        for kind, number in _FIRST_NAMESPACES.items()
    ):
        return None
    if tree.exists("/proc/vz") and not tree.exists("/proc/bc"):
        return "openvz"
    marked = (
        _from_environment(tree.text("/proc/1/environ"))
        or tree.text("/run/systemd/container")
        or ("podman" if tree.exists("/run/.containerenv") else None)
        or ("docker" if tree.exists("/.dockerenv") else None)
    )
    return marked or "container"


def _from_environment(environment: str | None) -> str | None:
    """Return the value of ``container=``, which container managers give to process 1."""
    for entry in (environment or "").split("\0"):
        name, _, value = entry.partition("=")
        if name == "container" and value:
            return value
    return None
