import os
from pathlib import Path

from wirt.host import facts
from wirt.host.kerneltree import KernelTree
from wirt.host.mountinfo import parse_mounts

CPUS = "sys/devices/system/cpu"
MEBIBYTE = 1024**2


def make_tree(root: Path, files: dict[str, str]) -> KernelTree:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return KernelTree(root)


def test_probe_node_of_intel_server_says_all(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path,
        {
            "proc/cpuinfo": "model name\t: Xeon\nmicrocode\t: 0x1\ncpu MHz\t\t: 2400.5\nflags\t\t: fpu vmx\n"
            "\nmodel name\t: second\n",
            f"{CPUS}/online": "0-3,6\n",
            f"{CPUS}/smt/active": "1\n",
            f"{CPUS}/intel_pstate/no_turbo": "0\n",
            f"{CPUS}/cpu0/cpufreq/scaling_governor": "powersave\n",
            f"{CPUS}/cpu1/cpufreq/scaling_governor": "performance\n",
            f"{CPUS}/vulnerabilities/l1tf": "Mitigation: PTE Inversion\n",
            "sys/devices/system/node/online": "0-1\n",
            "proc/meminfo": "MemTotal:  2048 kB\nMemAvailable:  1024 kB\nSwapTotal:  0 kB\n",
            "sys/kernel/mm/ksm/run": "1\n",
            "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
            "proc/sys/kernel/osrelease": "6.1.0\n",
            "proc/cmdline": "root=/dev/sda1 quiet -- secret=1\n",
            "proc/sys/kernel/randomize_va_space": "2\n",
            "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
            "proc/self/status": "CapEff:\t000001fffeffffff\n",
        },
    )

    node = facts.probe_node(tree)

    assert node.cpu == facts.Cpu(
        model="Xeon",
        count=5,
        usable=len(os.sched_getaffinity(0)),
        virtualization="vmx",
        mhz=2400.5,
        microcode="0x1",
        smt=True,
        numa_nodes=2,
        governor="performance,powersave",
        turbo=True,
    )
    assert node.memory == facts.Memory(
        total=2 * MEBIBYTE,
        available=MEBIBYTE,
        swap=0,
        ksm=True,
        transparent_hugepages="madvise",
    )
    assert node.kernel == facts.Kernel(
        release="6.1.0",
        command_line="root=/dev/sda1 quiet",
        mitigations={"l1tf": "Mitigation: PTE Inversion"},
        clocksource=None,
        aslr=2,
    )
    assert node.distribution == "Debian GNU/Linux 12 (bookworm)"
    assert node.missing_capabilities == ["sys_resource"]


def test_probe_node_of_silent_kernel_knows_nothing_and_does_not_fail(tmp_path: Path) -> None:
    node = facts.probe_node(KernelTree(tmp_path))

    assert node.cpu.governor is None
    assert node.cpu.turbo is None
    assert node.cpu.smt is None
    assert node.memory.swap is None
    assert node.memory.ksm is None
    assert node.kernel.mitigations == {}
    assert node.cgroups == facts.Cgroups(mode=None, controllers=[])
    assert facts.probe_cpu_times(KernelTree(tmp_path)) is None
    assert facts.probe_temperature(KernelTree(tmp_path)) is None
    assert facts.probe_filesystem("/", KernelTree(tmp_path)) is None


def test_probe_cgroups_of_v1_beside_v2_is_hybrid(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path,
        {
            "proc/self/mountinfo": "32 31 0:29 / /c/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
            "40 31 0:37 / /c/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
            "41 31 0:38 / /c/unified rw - cgroup2 cgroup2 rw\n",
            "c/unified/cgroup.controllers": "hugetlb\n",
        },
    )

    assert facts.probe_cgroups(tree) == facts.Cgroups(
        mode="hybrid", controllers=["cpu", "cpuacct", "hugetlb"]
    )


def test_probe_cgroups_of_v2_alone_is_v2(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path,
        {
            "proc/self/mountinfo": "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            "sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n",
        },
    )

    assert facts.probe_cgroups(tree).mode == "v2"
    assert facts.probe_cgroups(tree).controllers == ["cpu", "memory", "pids"]


def test_probe_filesystem_of_path_below_two_mounts_takes_the_innermost(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path,
        {
            "proc/self/mountinfo": "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n"
            "28 27 8:1 / /no/such\\040pool rw,noatime - btrfs /dev/sda1 rw,compress=zstd\n",
            "sys/dev/block/8:1/queue/scheduler": "none [mq-deadline] kyber\n",
        },
    )

    assert facts.probe_filesystem("/no/such pool/guests/1", tree) == facts.FileSystem(
        path="/no/such pool/guests/1",
        mount_point="/no/such pool",
        type="btrfs",
        options="rw,noatime,compress=zstd",
        device="/dev/sda1",
        scheduler="mq-deadline",
    )
    found = facts.probe_filesystem("/no/such", tree)
    assert found is not None
    assert found.device == "/dev/vda"


def test_parse_mounts_with_propagation_fields_reads_type_and_source() -> None:
    line = r"36 35 98:0 /mnt1 /mnt2\040x rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue"

    (mount,) = parse_mounts([line])

    assert (mount.mount_point, mount.type, mount.source) == ("/mnt2 x", "ext3", "/dev/root")
    assert (mount.root, mount.super_options) == ("/mnt1", "rw,errors=continue")


def test_probe_cpu_times_counts_guest_time_once(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"proc/stat": "cpu  100 0 100 700 0 0 0 100 50 0\ncpu0 1\n"})
    ticks = os.sysconf("SC_CLK_TCK")

    times = facts.probe_cpu_times(tree)

    assert times == facts.CpuTimes(total=1000 / ticks, idle=700 / ticks, steal=100 / ticks)


def test_probe_temperature_of_several_sensors_is_the_highest(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path,
        {
            "sys/class/thermal/thermal_zone0/temp": "41000\n",
            "sys/class/hwmon/hwmon2/temp1_input": "56500\n",
        },
    )

    assert facts.probe_temperature(tree) == 56.5


def test_probe_package_versions_of_unknown_package_is_none() -> None:
    versions = facts.probe_package_versions(["no-such-package-of-wirt"])

    assert versions == {"no-such-package-of-wirt": None}


def test_probe_node_of_this_machine_agrees_with_the_standard_library() -> None:
    node = facts.probe_node()

    assert node.kernel.release == os.uname().release
    assert node.memory.total == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert node.is_root == (os.geteuid() == 0)
