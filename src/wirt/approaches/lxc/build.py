"""The configuration of a container, made from values alone.

Keys and their meaning: lxc.container.conf(5) of LXC 5.0. Every line is here on purpose; LXC's own common.conf is not
included, because what a container may do must not change with a package's update.
"""

from wirt.model.launch import Launch
from wirt.model.limits import Limits
from wirt.model.resources import RootTree

_CPU_PERIOD = 100_000
"""Microseconds in which a container may use its share of processor time."""

DROPPED = ("mac_admin", "mac_override", "sys_module", "sys_rawio", "sys_time")
"""Rights of the kernel that root in a container does not have even over what is the container's own."""


def build_config(launch: Launch, root: RootTree, *, cgroup_version: int, init: str) -> str:
    """Return the text of the container's configuration file."""
    nic = launch.nic
    lines = [
        f"lxc.uts.name = {launch.hostname}",
        f"lxc.rootfs.path = dir:{root.path}",
        f"lxc.init.cmd = {init}",
        "lxc.tty.max = 0",
        "lxc.pty.max = 1024",
        "lxc.console.path = none",
        f"lxc.console.logfile = {launch.place.log}",
        "lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed",
        f"lxc.cgroup.dir = {launch.place.name}",
        f"lxc.cap.drop = {' '.join(DROPPED)}",
        "lxc.signal.halt = SIGRTMIN+3",
        "lxc.apparmor.profile = generated",
        "lxc.apparmor.allow_nesting = 1",
        "lxc.net.0.type = veth",
        f"lxc.net.0.veth.pair = {nic.interface}",
        f"lxc.net.0.link = {nic.bridge}",
        "lxc.net.0.flags = up",
        "lxc.net.0.name = eth0",
        f"lxc.net.0.hwaddr = {nic.mac}",
        f"lxc.net.0.ipv4.address = {nic.address}/{nic.prefix}",
        f"lxc.net.0.ipv4.gateway = {nic.gateway}",
        *_limits(launch.limits, cgroup_version),
    ]
    if root.idmap is None:
        # What the filter forbids an unprivileged container's root may not do anyway, or only to what is its own; there it
        # would cost a fifth of every call. Call by call: docs/design/0008-what-keeps-guests-apart.md.
        lines.append("lxc.seccomp.profile = /usr/share/lxc/config/common.seccomp")
    else:
        lines += [
            f"lxc.idmap = {kind} 0 {root.idmap.first} {root.idmap.size}" for kind in ("u", "g")
        ]
    return "\n".join(lines) + "\n"


def _limits(limits: Limits, cgroup_version: int) -> list[str]:
    quota = limits.cpus * _CPU_PERIOD
    if cgroup_version == 2:
        return [
            f"lxc.cgroup2.memory.max = {limits.memory}",
            f"lxc.cgroup2.cpu.max = {quota} {_CPU_PERIOD}",
        ]
    return [
        f"lxc.cgroup.memory.limit_in_bytes = {limits.memory}",
        f"lxc.cgroup.cpu.cfs_period_us = {_CPU_PERIOD}",
        f"lxc.cgroup.cpu.cfs_quota_us = {quota}",
    ]
