from pathlib import Path

import pytest

from wirt.host.kerneltree import KernelTree
from wirt.host.virtualization import Virtualization, probe_virtualization

GUEST_CPU = "processor\t: 0\nflags\t\t: fpu hypervisor svm\n"
BARE_CPU = "processor\t: 0\nflags\t\t: fpu vmx\n"
CLOCKS = "/sys/devices/system/clocksource/clocksource0/available_clocksource"


def make_tree(root: Path, files: dict[str, str], *, container: bool = False) -> KernelTree:
    """Write a node's files; its process is in the kernel's first namespaces unless it is a container."""
    for path, text in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    namespaces = root / "proc/self/ns"
    namespaces.mkdir(parents=True, exist_ok=True)
    namespaces.joinpath("pid").symlink_to(f"pid:[{4026532500 if container else 4026531836}]")
    namespaces.joinpath("user").symlink_to("user:[4026531837]")
    return KernelTree(root)


def test_guest_of_bare_machine_is_none(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"/proc/cpuinfo": BARE_CPU})

    assert probe_virtualization(tree) == Virtualization(machine=None, container=None)
    assert probe_virtualization(tree).guest_of is None


def test_guest_of_machine_made_by_amazon_without_hypervisor_flag_is_none(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path, {"/proc/cpuinfo": BARE_CPU, "/sys/class/dmi/id/sys_vendor": "Amazon EC2"}
    )

    assert probe_virtualization(tree).machine is None


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("/sys/firmware/acpi/tables/DSDT", "DSDT....wFIRECKFCVMDSDT", "firecracker"),
        ("/sys/class/dmi/id/sys_vendor", "VMware, Inc.", "vmware"),
        ("/sys/class/dmi/id/sys_vendor", "innotek GmbH", "oracle"),
        ("/sys/class/dmi/id/product_name", "Virtual Machine", "microsoft"),
        ("/sys/class/dmi/id/sys_vendor", "QEMU", "qemu"),
        ("/sys/class/dmi/id/bios_vendor", "Xen", "xen"),
        ("/sys/hypervisor/type", "xen", "xen"),
        (CLOCKS, "tsc kvm-clock", "kvm"),
        (CLOCKS, "hyperv_clocksource_tsc_page", "microsoft"),
    ],
)
def test_guest_of_virtual_machine_is_named(
    tmp_path: Path, file: str, text: str, expected: str
) -> None:
    tree = make_tree(tmp_path, {"/proc/cpuinfo": GUEST_CPU, file: text})

    assert probe_virtualization(tree).guest_of == expected


def test_machine_whose_tables_are_for_root_only_is_known_by_its_clock_and_says_so(
    tmp_path: Path,
) -> None:
    table = "/sys/firmware/acpi/tables/DSDT"
    files = {"/proc/cpuinfo": GUEST_CPU, CLOCKS: "kvm-clock", table: ""}
    shut = probe_virtualization(make_tree(tmp_path / "user", files))
    read = probe_virtualization(make_tree(tmp_path / "root", files | {table: "DSDT FIRECKVM"}))

    assert (shut.guest_of, shut.closed) == ("kvm", True)
    assert (read.guest_of, read.closed) == ("firecracker", False)


def test_guest_of_qemu_with_kvm_clock_is_kvm(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path,
        {
            "/proc/cpuinfo": GUEST_CPU,
            "/sys/class/dmi/id/sys_vendor": "QEMU",
            CLOCKS: "kvm-clock tsc",
        },
    )

    assert probe_virtualization(tree).machine == "kvm"


def test_guest_of_user_mode_linux_is_uml(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"/proc/cpuinfo": "vendor_id\t: User Mode Linux\n"})

    assert probe_virtualization(tree).machine == "uml"


def test_guest_of_xen_domain_0_is_none(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path,
        {
            "/proc/cpuinfo": GUEST_CPU,
            "/proc/xen/capabilities": "control_d\n",
            "/sys/hypervisor/type": "xen",
        },
    )

    assert probe_virtualization(tree).machine is None


def test_container_marker_in_first_namespaces_is_not_believed(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"/proc/cpuinfo": BARE_CPU, "/.dockerenv": ""})

    assert probe_virtualization(tree).container is None


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("/.dockerenv", "", "docker"),
        ("/run/.containerenv", "", "podman"),
        ("/run/systemd/container", "systemd-nspawn", "systemd-nspawn"),
        ("/proc/1/environ", "HOME=/\0container=lxc\0TERM=linux\0", "lxc"),
        ("/proc/vz/version", "2.7", "openvz"),
        ("/etc/hostname", "web1", "container"),
    ],
)
def test_container_in_namespaces_of_its_own_is_named(
    tmp_path: Path, file: str, text: str, expected: str
) -> None:
    tree = make_tree(tmp_path, {"/proc/cpuinfo": BARE_CPU, file: text}, container=True)

    assert probe_virtualization(tree).container == expected


def test_guest_of_container_in_virtual_machine_names_both(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path,
        {"/proc/cpuinfo": GUEST_CPU, CLOCKS: "kvm-clock", "/proc/1/environ": "container=lxc"},
        container=True,
    )

    assert probe_virtualization(tree).guest_of == "lxc in kvm"
