"""The node as domain 0 and as xm tells of it: ``xm info`` and ``dmesg``."""

import os
import re

from wirt.console import output
from wirt.dialects.xm.call import Call
from wirt.host import facts, run
from wirt.host.kerneltree import KernelTree
from wirt.host.run import STANDARD

_CONFIG_FORMAT = 2
"""Of the configuration files that are read."""
_NOT_OF_XEN = (
    "xen_major",
    "xen_minor",
    "xen_extra",
    "xen_caps",
    "xen_pagesize",
    "platform_params",
    "xen_changeset",
)
_COMPILER = re.compile(
    r"\((?P<by>[^()@\s]+)@(?P<domain>[^()\s]+)\) \((?P<compiler>.+?)(?:, GNU ld|, LLD|, ld|\) #)"
)
_DATE = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d.*|\d{4}-\d\d-\d\d")
"""Of a kernel's build, as its maker's clock wrote it: ``Sat Jun 1 12:00:00 UTC 2024``, or Debian's ``(2024-06-01)``."""


def memory() -> int:
    """Return the node's memory in MiB."""
    return facts.probe_meminfo()["MemTotal"] >> 20


def cpu_seconds() -> list[float]:
    """Return the seconds that each processor that is online has worked since boot."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = []
    for line in KernelTree().lines("/proc/stat"):
        name, *fields = line.split()
        if re.fullmatch(r"cpu\d+", name):
            user, nice, system, _, _, irq, softirq = map(int, fields[:7])
            found.append((user + nice + system + irq + softirq) / ticks)
    return found


def uptime() -> float:
    """Return the seconds since boot."""
    return float((KernelTree().text("/proc/uptime") or "0").split()[0])


def info(call: Call) -> int:
    """Tell what the node is, in the lines of xm; what only a hypervisor of Xen's has is ``(none)``."""
    given, _ = call.read({"config": "c"})
    if "config" in given:
        _say("xend_config_format", str(_CONFIG_FORMAT))
        return 0
    for name, value in describe().items():
        _say(name, value)
    return 0


def describe() -> dict[str, str]:
    """Return the lines of ``xm info``, in their order."""
    uname, tree = os.uname(), KernelTree()
    cpu, said = facts.probe_cpu(tree), facts.probe_meminfo(tree)
    topology = "/sys/devices/system/cpu/cpu{}/topology/{}"
    online = range(cpu.count)
    packages = {tree.text(topology.format(number, "physical_package_id")) for number in online}
    cores = {
        (
            tree.text(topology.format(number, "physical_package_id")),
            tree.text(topology.format(number, "core_id")),
        )
        for number in online
    }
    nodes = cpu.numa_nodes or 1
    sockets = max(1, len(packages) // nodes)
    per_socket = max(1, len(cores) // max(1, len(packages)))
    compiler = _COMPILER.search(tree.text("/proc/version") or "")
    date = _DATE.search(uname.version)
    lines = {
        "system": uname.sysname,
        "host": uname.nodename,
        "release": uname.release,
        "version": uname.version,
        "machine": uname.machine,
        "nr_cpus": str(cpu.count),
        "nr_nodes": str(nodes),
        "sockets_per_node": str(sockets),
        "cores_per_socket": str(per_socket),
        "threads_per_core": str(max(1, cpu.count // max(1, len(cores)))),
        "cpu_mhz": "" if cpu.mhz is None else f"{cpu.mhz:.0f}",
        "hw_caps": cpu.virtualization or "",
        "total_memory": str(said["MemTotal"] >> 20),
        "free_memory": str(said["MemAvailable"] >> 20),
    }
    lines |= dict.fromkeys(_NOT_OF_XEN, "")
    lines |= {
        "cc_compiler": compiler["compiler"] if compiler else "",
        "cc_compile_by": compiler["by"] if compiler else "",
        "cc_compile_domain": compiler["domain"] if compiler else "",
        "cc_compile_date": date[0] if date else "",
        "xend_config_format": str(_CONFIG_FORMAT),
    }
    return lines


def dmesg(call: Call) -> int:
    """Show the messages of the node's kernel, which stands where Xen's hypervisor would; with ``-c`` forget them."""
    given, _ = call.read({"clear": "c"})
    argv = ["dmesg", *(["--read-clear"] if "clear" in given else [])]
    return run.attach(argv, streams=STANDARD, environment=run.ENVIRONMENT)


def _say(name: str, value: str) -> None:
    output.say(f"{name:<23}: {value or '(none)'}")
