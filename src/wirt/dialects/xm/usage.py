"""What the subcommands of xm are, what each takes, and how all this is told."""

from collections.abc import Mapping

import msgspec

_HERE = "wirt.dialects.xm"


ACCESS_CONTROL = (
    "labels",
    "addlabel",
    "rmlabel",
    "getlabel",
    "dry-run",
    "resources",
    "makepolicy",
    "loadpolicy",
    "cfgbootpolicy",
    "dumppolicy",
    "setpolicy",
    "resetpolicy",
    "getpolicy",
)
NODE_DEVICES = (
    "pci-attach",
    "pci-detach",
    "pci-list",
    "pci-list-assignable-devices",
    "usb-add",
    "usb-del",
    "scsi-attach",
    "scsi-detach",
    "scsi-list",
)
"""Subcommands of which none can be done here."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One subcommand."""

    target: str
    """Module and function."""
    takes: str = ""
    about: str


def _c(target: str, takes: str, about: str) -> Command:
    return Command(target=f"{_HERE}.{target}", takes=takes, about=about)


def _no(about: str, takes: str = "") -> Command:
    return Command(target=f"{_HERE}.missing:refuse", takes=takes, about=about)


COMMANDS: Mapping[str, Command] = {
    "console": _c("console:console", "[-q|--quiet] <Domain>", "Attach to <Domain>'s console."),
    "create": _c(
        "create:create", "<ConfigFile> [options] [vars]", "Create a domain based on <ConfigFile>."
    ),
    "new": _c("create:new", "<ConfigFile> [options] [vars]", "Add a domain without starting it."),
    "start": _c("create:start", "<DomainName> [-p] [-c]", "Start a domain that was added."),
    "delete": _c("lifecycle:delete", "<DomainName>", "Remove a domain that does not run."),
    "destroy": _c("lifecycle:destroy", "<Domain>", "Terminate a domain immediately."),
    "domid": _c("listing:domid", "<DomainName>", "Convert a domain name to domain id."),
    "domname": _c("listing:domname", "<DomId>", "Convert a domain id to domain name."),
    "dump-core": _c(
        "missing:dump_core",
        "[-L|--live] [-C|--crash] <Domain> [Filename]",
        "Dump core for a specific domain.",
    ),
    "list": _c(
        "listing:list_domains",
        "[options] [Domain, ...]",
        "List information about all/some domains.",
    ),
    "mem-max": _c(
        "memory:set_most", "<Domain> <Mem>", "Set the maximum amount reservation for a domain."
    ),
    "mem-set": _c(
        "memory:set_memory", "<Domain> <Mem>", "Set the current memory usage for a domain."
    ),
    "migrate": _c(
        "keeping:migrate", "<Domain> <Host> [-l|--live]", "Migrate a domain to another machine."
    ),
    "pause": _c("lifecycle:pause", "<Domain>", "Pause execution of a domain."),
    "reboot": _c("lifecycle:reboot", "<Domain> [-wa]", "Reboot a domain."),
    "rename": _c("lifecycle:rename", "<Domain> <NewDomainName>", "Rename a domain."),
    "restore": _c(
        "keeping:restore", "<CheckpointFile> [-p]", "Restore a domain from a saved state."
    ),
    "save": _c(
        "keeping:save", "[-c] <Domain> <CheckpointFile>", "Save a domain state to restore later."
    ),
    "shutdown": _c("lifecycle:shutdown", "<Domain> [-waRH]", "Shutdown a domain."),
    "sysrq": _no("Send a sysrq to a domain.", "<Domain> <letter>"),
    "top": _c("top:top", "", "Monitor a host and the domains in real time."),
    "unpause": _c("lifecycle:unpause", "<Domain>", "Unpause a paused domain."),
    "uptime": _c("listing:uptime", "[-s|--short] [Domain, ...]", "Print uptime for a domain."),
    "vcpu-list": _c("cpus:list_cpus", "[Domain, ...]", "List the VCPUs for all/some domains."),
    "vcpu-pin": _c("cpus:pin", "<Domain> <VCPU|all> <CPUs|all>", "Set which CPUs a VCPU can use."),
    "vcpu-set": _c(
        "cpus:set_count",
        "<Domain> <vCPUs>",
        "Set the number of active VCPUs for allowed for the domain.",
    ),
    "dmesg": _c("node:dmesg", "[-c|--clear]", "Read and/or clear the message buffer of the node."),
    "info": _c("node:info", "[-c|--config]", "Get information about the node."),
    "log": _no("Print the log of xend."),
    "serve": _no("Proxy to xend over stdio."),
    "sched-credit": _c(
        "cpus:credit",
        "[-d <Domain> [-w[=WEIGHT]|-c[=CAP]]]",
        "Get/set credit scheduler parameters.",
    ),
    "sched-sedf": _no("Get/set EDF parameters.", "<Domain> [options]"),
    "block-attach": _c(
        "attaching:attach_disk",
        "<Domain> <BackDev> <FrontDev> <Mode> [BackDomain]",
        "Create a new virtual block device.",
    ),
    "block-configure": _c(
        "attaching:configure_disk",
        "<Domain> <BackDev> <FrontDev> <Mode> [BackDomain]",
        "Change block device configuration.",
    ),
    "block-detach": _c(
        "attaching:detach_disk",
        "<Domain> <DevId> [-f|--force]",
        "Destroy a domain's virtual block device.",
    ),
    "block-list": _c(
        "attaching:list_disks", "<Domain> [--long]", "List virtual block devices for a domain."
    ),
    "network-attach": _c(
        "attaching:attach_card",
        "<Domain> [type=<type>] [mac=<mac>] [bridge=<bridge>] [ip=<ip>] [script=<script>] "
        "[backend=<BackDomain>] [vifname=<name>] [rate=<rate>] [model=<model>] [accel=<accel>]",
        "Create a new virtual network device.",
    ),
    "network-detach": _c(
        "attaching:detach_card",
        "<Domain> <DevId> [-f|--force]",
        "Destroy a domain's virtual network device.",
    ),
    "network-list": _c(
        "attaching:list_cards",
        "<Domain> [-l|--long]",
        "List virtual network interfaces for a domain.",
    ),
    "vtpm-list": _no("List virtual TPM devices.", "<Domain> [--long]"),
    "vnet-list": _no("List Vnets.", "[-l|--long]"),
    "vnet-create": _no("Create a vnet from ConfigFile.", "<ConfigFile>"),
    "vnet-delete": _no("Delete a Vnet.", "<VnetId>"),
    "suspend": _c("keeping:suspend", "<DomainName>", "Suspend a domain that stays."),
    "resume": _c("keeping:resume_domain", "<DomainName> [-p]", "Let a suspended domain go on."),
    "reset": _c("lifecycle:reset", "<Domain>", "Reset a domain."),
    "shell": _no("Launch an interactive shell."),
    "vncviewer": _no("Attach to the VNC server of a domain.", "[--vncviewer-autopass] <Domain>"),
    "debug-keys": _no("Send debug keys to Xen.", "<Keys>"),
    "trigger": _no("Send a trigger to a domain.", "<Domain> <nmi|reset|init|s3resume> [<VCPU>]"),
    **{name: _no("Access control.") for name in ACCESS_CONTROL},
    **{name: _no("A device of the node for a domain.") for name in NODE_DEVICES},
    "help": _c("help:help_command", "[command]", "Print this help, or that of a command."),
}
"""Those of Xen 3.0.3 and of 3.4."""

ALIASES: Mapping[str, str] = {
    "balloon": "mem-set",
    "set-vcpus": "vcpu-set",
    "vif-list": "network-list",
    "vbd-create": "block-attach",
    "vbd-destroy": "block-detach",
    "vbd-list": "block-list",
}
"""Deprecated name -> the one that took its place."""


_POOLS = (
    *("create", "new", "start", "list", "destroy", "delete"),
    *("cpu-add", "cpu-remove", "migrate"),
)
_TMEM = ("list", "thaw", "freeze", "destroy", "set", "freeable", "shared-auth")
ELSEWHERE: Mapping[str, tuple[str, str | None]] = {
    **dict.fromkeys(
        ("sched-bvt", "sched-bvt-ctxallow", "sched-credit2"),
        (
            "the node's kernel shares its processors by weight",
            "xm sched-credit sets weight and cap",
        ),
    ),
    **dict.fromkeys(
        [f"{kind}-{what}" for kind in ("cpupool", "pool") for what in _POOLS],
        ("the node's processors are one pool", "xm vcpu-pin says which a domain's run on"),
    ),
    **dict.fromkeys(
        ["mem-swap-target", *(f"tmem-{what}" for what in _TMEM)],
        ("there is no hypervisor that keeps memory for domains", "see xm mem-set"),
    ),
    **dict.fromkeys(
        ("network2-attach", "network2-detach", "network2-list"),
        ("there is one kind of network cards", "see xm network-attach"),
    ),
    **dict.fromkeys(
        [
            *("usb-attach", "usb-detach", "usb-list", "usb-list-assignable-devices"),
            *("usb-hc-create", "usb-hc-destroy"),
        ],
        ("no device of the node is given to a domain", None),
    ),
    **dict.fromkeys(("getenforce", "setenforce"), ("there is no access control module", None)),
    "domstate": ("it came with Xen 4.2", "xm list shows the state of a domain"),
    "change-vnc-passwd": (
        "a domain's screen is at a socket that only root reaches",
        "see wirt show NAME",
    ),
}
"""Subcommands of Xen 3.0.2 and of 4.2 that are not those of 3.0.3 or 3.4, and why they cannot be done; none of them can be cut short."""


def render_usage(command: str) -> str:
    """Return how one subcommand is used."""
    takes = COMMANDS[command].takes
    return f"Usage: xm {command}{' ' if takes else ''}{takes}\n\n{COMMANDS[command].about}"


def render_help() -> str:
    """Return what there is, in one line each."""
    width = max(len(name) for name in COMMANDS) + 1
    lines = [f" {name:<{width}} {command.about}" for name, command in COMMANDS.items()]
    deprecated = ", ".join(f"{old} is {new}" for old, new in ALIASES.items())
    return "\n".join(
        [
            "Usage: xm <subcommand> [args]",
            "",
            "Control, list, and manipulate domains: guests with a kernel of their own.",
            "",
            "xm subcommands, which may be cut short while they are clear:",
            *lines,
            "",
            f"Deprecated: {deprecated}.",
            "<Domain> can either be the Domain Name or Id.",
        ]
    )
