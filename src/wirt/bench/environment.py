"""Describes the node for a results file: what a reader must know to believe, repeat or compare figures.

The keys are stable, the values are JSON, and None means that the node does not say. The host's name is left out unless
it is asked for: results files are passed on, and a name says nothing about a figure.
"""

import os
from collections.abc import Iterable
from typing import Any

from wirt.host import facts
from wirt.model.capability import Capability

PACKAGES = {
    "qemu": "qemu-system-x86",
    "lxc": "lxc",
    "uml": "user-mode-linux",
    "siege": "siege",
    "gcc": "gcc",
    "busybox": "busybox-static",
    "criu": "criu",
}
"""Program that figures may depend on -> the Debian package whose version is recorded."""


def describe_environment(
    path: str,
    *,
    approaches: Iterable[Capability] = (),
    hostname: bool = False,
) -> dict[str, Any]:
    """Return the node's facts as a results file keeps them.

    Args:
        path: where the guests' roots and the file tests lie; its file system is recorded.
        approaches: what the node said of each approach, for the report's table of approaches.
        hostname: True to record the host's name too.
    """
    node = facts.probe_node()
    cpu, memory, kernel = node.cpu, node.memory, node.kernel
    environment: dict[str, Any] = {
        "cpu": {
            "model": cpu.model,
            "count": cpu.count,
            "usable": cpu.usable,
            "flags_virtualization": cpu.virtualization,
            "governor": cpu.governor,
            "turbo": cpu.turbo,
            "microcode": cpu.microcode,
            "smt": cpu.smt,
            "numa_nodes": cpu.numa_nodes,
            "mhz": cpu.mhz,
        },
        "load_before": facts.probe_load(),
        "temperature_c": facts.probe_temperature(),
        "node_is_guest": node.virtualization.guest_of,
        "memory_bytes": memory.total,
        "swap_bytes": memory.swap,
        "ksm": memory.ksm,
        "transparent_hugepages": memory.transparent_hugepages,
        "kernel": kernel.release,
        "kernel_cmdline": kernel.command_line,
        "mitigations": kernel.mitigations,
        "clocksource": kernel.clocksource,
        "aslr": kernel.aslr,
        "distribution": node.distribution,
        "cgroup": node.cgroups.mode,
        "missing_capabilities": node.missing_capabilities,
        "filesystem": _filesystem(path),
        "programs": _programs(),
        "approaches": {
            answer.name: {"available": answer.available, "reason": answer.reason}
            for answer in approaches
        },
    }
    if hostname:
        environment["hostname"] = os.uname().nodename
    return environment


class StealMeter:
    """Measures the share of CPU time that the layer below took away, from its making to each ``percent``."""

    def __init__(self) -> None:
        self._begin = facts.probe_cpu_times()

    def percent(self) -> float | None:
        """Return the share taken since the beginning, percent; None if the kernel does not count it."""
        return steal_percent(self._begin, facts.probe_cpu_times())


def steal_percent(begin: facts.CpuTimes | None, end: facts.CpuTimes | None) -> float | None:
    """Return the share of CPU time taken away between two readings, percent; None if it is not known."""
    if begin is None or end is None or end.total <= begin.total:
        return None
    return 100 * max(0.0, end.steal - begin.steal) / (end.total - begin.total)


def _filesystem(path: str) -> dict[str, Any] | None:
    found = facts.probe_filesystem(path)
    if found is None:
        return None
    return {
        "path": found.path,
        "type": found.type,
        "options": found.options,
        "device": found.device,
        "scheduler": found.scheduler,
    }


def _programs() -> dict[str, str | None]:
    versions = facts.probe_package_versions(list(PACKAGES.values()))
    return {program: versions[package] for program, package in PACKAGES.items()}
