"""What ``wirt doctor --security`` finds on nodes that are kernel trees in a directory, or facts."""

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wirt.console.doctor import WIDTH
from wirt.console.security import render_security
from wirt.host.kerneltree import KernelTree
from wirt.host.security import IdRange, Listener, Security, probe_security
from wirt.model.resources import Idmap
from wirt.ops.security import Finding, State, judge

SAFE = Security(
    is_root=True,
    user_namespaces=10000,
    id_ranges=[IdRange(owner="root", file="/etc/passwd", first=0, size=1)],
    seccomp=True,
    kernel=(6, 1),
    apparmor=True,
    selinux=None,
    sysctls={
        "net.ipv4.ip_forward": "0",
        "net.ipv4.conf.default.proxy_arp": "0",
        "net.ipv4.conf.all.rp_filter": "1",
        "kernel.sysrq": "176",
        "net.ipv4.conf.default.send_redirects": "0",
        "net.ipv4.conf.all.send_redirects": "0",
        "kernel.dmesg_restrict": "1",
        "kernel.kptr_restrict": "2",
        "kernel.perf_event_paranoid": "3",
        "kernel.randomize_va_space": "2",
        "kernel.unprivileged_bpf_disabled": "2",
        "kernel.core_pattern": "core",
        "fs.protected_hardlinks": "1",
        "fs.protected_symlinks": "1",
        "fs.suid_dumpable": "0",
        "fs.inotify.max_user_instances": "1048576",
        "kernel.pty.max": "1048576",
    },
    mitigations={"l1tf": "Mitigation: PTE Inversion"},
    listeners=[Listener(protocol="tcp", address="127.0.0.1", port=25)],
    places={"/d": stat.S_IFDIR | 0o711},
    guest_places={"/d/pools/directory/12ab34": stat.S_IFDIR | 0o710},
    devices={"/dev/sda": stat.S_IFBLK | 0o660, "/dev/null": stat.S_IFCHR | 0o666},
    home_options="rw,nosuid,nodev",
)


def judged(*, unbounded: tuple[str, ...] | None = (), **changes: Any) -> dict[str, Finding]:
    facts = msgspec.structs.replace(SAFE, **changes)
    findings = judge(
        facts,
        idmap=Idmap(first=1_000_000, size=65_536),
        dropped=("sys_module",),
        unbounded=None if unbounded is None else [*unbounded],
    )
    return {finding.name: finding for finding in findings}


def with_sysctl(name: str, value: str) -> Finding:
    return judged(sysctls={**SAFE.sysctls, name: value})[name]


def test_judge_of_a_safe_node_wants_nothing_changed() -> None:
    findings = judged()

    assert {f.state for f in findings.values()} == {State.GOOD, State.KNOW}
    assert [f.name for f in findings.values() if f.state is State.KNOW] == ["seccomp"]


@pytest.mark.parametrize(
    ("changes", "name", "found"),
    [
        (
            {"user_namespaces": 0},
            "user namespaces",
            "the kernel gives none, so no container starts",
        ),
        (
            {"id_ranges": [IdRange(owner="eve", file="/etc/subuid", first=1_065_535, size=9)]},
            "id ranges",
            "of the guests' ids, 1000000 to 1065535, some are given to eve (/etc/subuid)",
        ),
        ({"apparmor": False}, "AppArmor or SELinux", "neither is on"),
        ({"places": {"/d": stat.S_IFDIR | 0o777}}, "home", "others may write to /d"),
        (
            {"guest_places": {"/d/pools/directory/12ab34": stat.S_IFDIR | 0o755}},
            "guests' files",
            "other users get to /d/pools/directory/12ab34",
        ),
        (
            {"devices": {"/dev/sda": stat.S_IFBLK | 0o666, "/dev/mem": stat.S_IFCHR | 0o644}},
            "devices",
            "open to everybody: /dev/sda, /dev/mem",
        ),
        (
            {"mitigations": {"mds": "Vulnerable", "mmio": "Mitigation: x; SMT vulnerable"}},
            "processor",
            "vulnerable: mds, mmio",
        ),
    ],
)
def test_judge_of_an_open_node_says_what_to_change(
    changes: dict[str, Any], name: str, found: str
) -> None:
    finding = judged(**changes)[name]

    assert (finding.state, finding.found) == (State.CHANGE, found)
    assert finding.change


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("net.ipv4.conf.default.proxy_arp", "1"),
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.all.rp_filter", "2"),
        ("kernel.sysrq", "1"),
        ("net.ipv4.conf.default.send_redirects", "1"),
        ("net.ipv4.conf.all.send_redirects", "1"),
        ("kernel.dmesg_restrict", "0"),
        ("kernel.kptr_restrict", "0"),
        ("kernel.perf_event_paranoid", "-1"),
        ("kernel.randomize_va_space", "1"),
        ("kernel.unprivileged_bpf_disabled", "0"),
        ("fs.protected_hardlinks", "0"),
        ("fs.protected_symlinks", "0"),
        ("fs.suid_dumpable", "2"),
        ("fs.inotify.max_user_instances", "128"),
        ("kernel.pty.max", "4096"),
        ("kernel.core_pattern", "|/usr/bin/collect %P"),
    ],
)
def test_judge_of_an_open_kernel_parameter_names_the_command_that_closes_it(
    name: str, value: str
) -> None:
    finding = with_sysctl(name, value)

    assert (finding.state, finding.found) == (State.CHANGE, value)
    assert (finding.change or "").startswith(f"sysctl -w {name}=")


def test_judge_of_a_core_pattern_that_knows_containers_is_good() -> None:
    finding = with_sysctl("kernel.core_pattern", "|/lib/systemd/systemd-coredump %P %u")

    assert finding.state is State.GOOD


def test_judge_of_a_parameter_that_the_kernel_lacks_is_unknown() -> None:
    findings = judged(sysctls={}, mitigations={}, home_options=None)

    assert findings["kernel.dmesg_restrict"].state is State.UNKNOWN
    assert findings["net.ipv4.ip_forward"].state is State.UNKNOWN
    assert findings["processor"].state is State.UNKNOWN
    assert findings["mount of the home"].state is State.UNKNOWN


def test_judge_without_root_does_not_guess_at_the_guests_files() -> None:
    finding = judged(is_root=False, guest_places={})["guests' files"]

    assert (finding.state, finding.found) == (State.UNKNOWN, "only root can look")


def test_judge_of_services_names_those_on_all_addresses_once() -> None:
    finding = judged(
        listeners=[
            Listener(protocol="tcp", address="0.0.0.0", port=80),
            Listener(protocol="tcp", address="::", port=80),
            Listener(protocol="udp", address="0.0.0.0", port=53),
            Listener(protocol="tcp", address="10.0.0.1", port=22),
        ]
    )["services"]

    assert (finding.state, finding.found) == (State.KNOW, "on all addresses listen tcp 80, udp 53")


@pytest.mark.parametrize(
    ("kernel", "words"),
    [((6, 10), "refuses them file handles"), ((6, 11), "may open file handles")],
)
def test_judge_of_file_handles_depends_on_the_kernel(kernel: tuple[int, int], words: str) -> None:
    assert words in judged(kernel=kernel)["seccomp"].found


def write(root: Path, path: str, text: str) -> None:
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def test_probe_security_reads_the_tree(tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st\n"
    write(tmp_path, "/proc/sys/user/max_user_namespaces", "5\n")
    write(tmp_path, "/proc/sys/kernel/osrelease", "6.12.9-amd64\n")
    write(tmp_path, "/proc/sys/kernel/dmesg_restrict", "1\n")
    write(tmp_path, "/proc/sys/kernel/seccomp/actions_avail", "kill_process\n")
    write(tmp_path, "/sys/module/apparmor/parameters/enabled", "Y\n")
    write(tmp_path, "/sys/fs/selinux/enforce", "0\n")
    write(tmp_path, "/sys/devices/system/cpu/vulnerabilities/mds", "Not affected\n")
    write(tmp_path, "/etc/passwd", "root:x:0:0::/root:/bin/sh\nbroken\n")
    write(tmp_path, "/etc/subuid", "eve:100000:65536\n# no entry\n")
    listening = f"{head} 0: 0100007F:0050 00000000:0000 0A\n 1: 00000000:0016 0100007F:0050 01\n"
    write(tmp_path, "/proc/net/tcp", listening)
    write(tmp_path, "/proc/net/udp6", f"{head} 0: {'0' * 24}01000000:0035 {'0' * 32}:0000 07\n")
    write(tmp_path, "/proc/self/mountinfo", "1 1 8:1 / / rw,nodev - ext4 /dev/sda1 rw\n")
    (tmp_path / "d/pools/directory/12ab34").mkdir(parents=True)
    (tmp_path / "d/pools/directory/12ab34").chmod(0o750)
    (tmp_path / "d").chmod(0o711)

    facts = probe_security(data="/d", run="/r", etc="/e", tree=KernelTree(tmp_path))

    assert facts == Security(
        is_root=os.geteuid() == 0,
        user_namespaces=5,
        id_ranges=[
            IdRange(owner="root", file="/etc/passwd", first=0, size=1),
            IdRange(owner="eve", file="/etc/subuid", first=100000, size=65536),
        ],
        seccomp=True,
        kernel=(6, 12),
        apparmor=True,
        selinux=False,
        sysctls={"kernel.dmesg_restrict": "1"},
        mitigations={"mds": "Not affected"},
        listeners=[
            Listener(protocol="tcp", address="127.0.0.1", port=80),
            Listener(protocol="udp", address="::1", port=53),
        ],
        places={
            "/d": stat.S_IFDIR | 0o711,
            "/d/pools": facts.places["/d/pools"],
            "/d/pools/directory": facts.places["/d/pools/directory"],
        },
        guest_places={"/d/pools/directory/12ab34": stat.S_IFDIR | 0o750},
        devices={},
        home_options="rw,nodev",
    )


def test_probe_security_of_an_empty_tree_knows_nothing(tmp_path: Path) -> None:
    facts = probe_security(data="/d", run="/r", etc="/e", tree=KernelTree(tmp_path))

    assert (facts.user_namespaces, facts.selinux, facts.home_options) == (None, None, None)
    assert (facts.kernel, facts.sysctls, facts.listeners, facts.places) == ((0, 0), {}, [], {})


def test_render_security_says_state_reason_and_next_step() -> None:
    finding = Finding(
        name="kernel.sysrq", state=State.CHANGE, found="1", why="because", change="sysctl -w x=1"
    )
    text = render_security([finding])

    assert text == (
        "  change  kernel.sysrq: 1\n"
        "          because\n"
        "          -> sysctl -w x=1\n"
        "\n"
        "1 of 1 to change"
    )


def test_render_security_of_a_safe_node_stays_within_the_width_and_says_so() -> None:
    text = render_security(list(judged().values()))

    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert text.endswith("\nnothing to change")


def test_disks_of_guests_are_unknown_to_who_may_not_look() -> None:
    found = judged(unbounded=None)["guests' disks"]

    assert (found.state, found.found) == (State.UNKNOWN, "only root can look")
    assert found.change == "run wirt doctor --security as root"
