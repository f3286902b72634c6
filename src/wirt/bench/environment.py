"""Describes the node for a results file: what a reader must know to believe, repeat or compare figures.

The keys are stable, the values are JSON, and None means that the node does not say. The host's name is left out unless
it is asked for: results files are passed on, and a name says nothing about a figure.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wirt import __version__
from wirt.errors import Error
from wirt.host import facts, owngroup, run
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
_GIT_SECONDS = 20.0


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
    limits = owngroup.probe_limits()
    environment: dict[str, Any] = {
        "wirt": describe_program(),
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
        "cgroup_limits": {
            "cpus": limits.cpus,
            "cpuset": limits.cpuset,
            "memory_bytes": limits.memory,
        },
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


def describe_program() -> dict[str, Any]:
    """Return Wirt's version and, if it runs from a checkout, the commit, and whether files differ from it."""
    source = Path(__file__).resolve().parents[2]
    commit = status = None
    if source.name == "src" and (source.parent / ".git").exists():
        commit = _git(source.parent, "rev-parse", "HEAD")
        status = _git(source.parent, "status", "--porcelain", "--untracked-files=no")
    return {
        "version": __version__,
        "commit": commit,
        "dirty": None if commit is None or status is None else status != "",
    }


def _git(checkout: Path, *argv: str) -> str | None:
    """Return what git says of a checkout; None if there is no git, or it has nothing to say."""
    # The checkout is often another person's than root's, who measures; its code runs as root all the same.
    settings = ("-c", f"safe.directory={checkout}", "-c", "core.fsmonitor=false")
    try:
        done = run.run(["git", *settings, "-C", str(checkout), *argv], timeout=_GIT_SECONDS)
    except Error:
        return None
    return done.stdout.strip() if done.status == 0 else None


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
