"""The configuration of a container, made from values alone.

Keys and their meaning: lxc.container.conf(5) of LXC 5.0. Every line is here on purpose; LXC's own common.conf is not
included, because what a container may do must not change with a package's update.
"""

from collections.abc import Mapping, Sequence

from wirt.approaches.lxc import control, reboots, veth
from wirt.host.bounds import Setting
from wirt.model.launch import GivenDevice, Launch
from wirt.model.privileges import Privileges
from wirt.model.resources import Nic, RootTree
from wirt.units import UNBOUNDED

_VERSIONS = {1: "", 2: "2"}
"""Cgroup version -> how LXC's keys name it."""

DROPPED = ("mac_admin", "mac_override", "sys_module", "sys_rawio", "sys_time")
"""Rights of the kernel that root in a container does not have even over what is the container's own."""


_FILES = "lxc.prlimit.nofile"


def build_config(
    launch: Launch,
    root: RootTree,
    *,
    settings: Sequence[Setting],
    init: str,
    joined_by: str | None = None,
    identified_by: str | None = None,
    shown: Mapping[str, str] | None = None,
    device_version: int = 2,
) -> str:
    """Return the text of the container's configuration file.

    Args:
        launch: the guest.
        root: its file system.
        settings: what holds its cgroup to its limits.
        init: its first program.
        joined_by: path of the program ``ip``, which joins the card to the bridge if liblxc cannot: it looks for the bridge in
            /sys, which shows the interfaces of the network that it was mounted in.
        identified_by: path of that program if an end of a card on the node has a name or a MAC that was asked for.
        device_version: of the control groups that bound the use of devices.
        shown: files of the node that are seen in the place of the container's own: where in its root -> which.
    """
    lines = [
        f"lxc.uts.name = {launch.hostname}",
        f"lxc.rootfs.path = dir:{root.path}",
        f"lxc.init.cmd = {init}",
        "lxc.tty.max = 0",
        f"lxc.pty.max = {launch.limits.terminals}",
        "lxc.console.path = none",
        f"lxc.console.logfile = {launch.place.log}",
        # For programs that enter the container; its monitor is told otherwise.
        f"lxc.log.file = {control.own_log(launch.place.run_dir)}",
        "lxc.log.level = ERROR",
        "lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed",
        *(
            f"lxc.mount.entry = {file} {place} none bind,optional 0 0"
            for place, file in (shown or {}).items()
        ),
        f"lxc.cgroup.dir = {launch.place.name}",
        *_rights(launch.privileges),
        *_devices(launch.devices, device_version),
        "lxc.signal.halt = SIGRTMIN+3",
        *reboots.build_lines(launch.place),
        "lxc.apparmor.profile = generated",
        "lxc.apparmor.allow_nesting = 1",
        *(
            f"lxc.net.{number}.{line}"
            for number, nic in enumerate((launch.nic, *launch.cards))
            for line in _card(nic, joined_by, identified_by)
        ),
        *(f"lxc.cgroup{_VERSIONS[s.version]}.{s.file} = {s.value}" for s in settings),
    ]
    if root.idmap is None:
        # What the filter forbids an unprivileged container's root may not do anyway, or only to what is its own; there it
        # would cost a fifth of every call. Call by call: docs/design/0010-what-keeps-guests-apart.md.
        lines.append("lxc.seccomp.profile = /usr/share/lxc/config/common.seccomp")
    else:
        lines += [
            f"lxc.idmap = {kind} 0 {root.idmap.first} {root.idmap.size}" for kind in ("u", "g")
        ]
    return with_files("\n".join(lines) + "\n", launch.limits.files)


def _rights(privileges: Privileges) -> list[str]:
    dropped = ({*DROPPED} - {*privileges.kept}) | {*privileges.dropped}
    return [f"lxc.cap.drop = {' '.join(sorted(dropped))}"] if dropped else []


def _devices(devices: Sequence[GivenDevice], version: int) -> list[str]:
    """Return what shows a container its devices. All others it can have no files of, so only what these may not be used for is refused."""
    lines = [
        f"lxc.mount.entry = {given.node} {given.device.path.removeprefix('/')} "
        "none bind,create=file 0 0"
        for given in devices
    ]
    refused = [
        f"lxc.cgroup{_VERSIONS[version]}.devices.deny = {given.number} {letter}"
        for given in devices
        for letter in "rw"
        if letter not in given.device.access
    ]
    if refused and version == 2:
        # Without this, LXC takes what follows for all that may be used.
        refused.insert(0, "lxc.cgroup2.devices.allow = a")
    return [*lines, *refused]


def _card(nic: Nic, joined_by: str | None, identified_by: str | None) -> list[str]:
    lines = [
        "type = veth",
        f"veth.pair = {nic.interface}",
        *_joining(nic, joined_by, identified_by),
        "flags = up",
        f"name = {nic.name}",
        f"hwaddr = {nic.mac}",
        *(f"ipv{6 if ':' in one else 4}.address = {one}" for one in nic.addresses),
    ]
    # LXC knows of no other routing tables: what goes there is done by a hook.
    leads_out = nic.table is None
    if nic.gateway is not None and leads_out:
        lines.append(f"ipv4.gateway = {nic.gateway}")
    if nic.gateway6 is not None and leads_out:
        lines.append(f"ipv6.gateway = {nic.gateway6}")
    if nic.mtu is not None:
        lines.append(f"mtu = {nic.mtu}")
    return lines


def _joining(nic: Nic, joined_by: str | None, identified_by: str | None) -> list[str]:
    """Return what gives the node's end to the bridge, and what it is called and has there."""
    lines = [f"link = {nic.bridge}"] if joined_by is None else []
    commands = [f"{joined_by} {veth.join(nic)}"] if joined_by is not None else []
    commands += [f"{identified_by} {one}" for one in veth.identify(nic)]
    if commands:
        # A shell has been told to execute it, with arguments of liblxc's behind: redirections alone leave it the shell.
        stays = "2>&1; " if len(commands) > 1 else ""
        lines.append(f"script.up = {stays}{'; '.join(commands)}; :")
    return lines


def with_files(config: str, files: int) -> str:
    """Return a configuration that holds each process to this number of open files, UNBOUNDED to that of the node's own.

    LXC's programs read it anew for every command that is run in the container.
    """
    lines = [line for line in config.splitlines() if not line.startswith(_FILES)]
    if files != UNBOUNDED:
        lines.append(f"{_FILES} = {files}")
    return "\n".join(lines) + "\n"
