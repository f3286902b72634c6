"""The command line of a User-Mode Linux guest, made from values alone.

What each argument means: ``linux.uml --help`` and Documentation/virt/uml/user_mode_linux_howto_v2.rst of Linux 6.1.
"""

from wirt.approaches import ownkernel
from wirt.approaches.uml import cards, disks
from wirt.model.launch import Launch
from wirt.model.resources import BlockImage
from wirt.units import MIB

CONSOLE = "tty0"
AGENT_DEVICE, SIGNAL_DEVICE = "/dev/ttyS1", "/dev/ttyS2"


def identity(name: str) -> str:
    """Return the argument by which all processes of a guest are known."""
    return f"umid={name}"


def build_argv(
    launch: Launch,
    root: BlockImage,
    *,
    program: str,
    to_agent: int,
    from_agent: int,
    signals: int,
    to_console: int,
    shared: str,
) -> list[str]:
    """Return the command line; it is run in the guest's private directory.

    Args:
        launch: the guest.
        root: its disk.
        program: path of the kernel.
        to_agent: inherited descriptor that the agent's requests come from.
        from_agent: inherited descriptor that its answers go to.
        signals: inherited descriptor that the second serial line's output goes to.
        to_console: inherited descriptor that what is typed at the console comes from.
        shared: the only directory of the node that the guest may mount (through hostfs).

    Raises:
        InvalidInput: a path holds what separates arguments; User-Mode Linux has no way to quote it.
    """
    for path in (root.path, root.backing or "", shared, launch.initrd or ""):
        disks.check_path(path)
    return [
        program,
        identity(launch.place.name),
        "uml_dir=.",
        f"mem={launch.limits.memory // MIB}M",
        # A disk of its own is looked at by nobody: who writes a layer's head there would have another file opened.
        f"ubd0={root.path},{root.backing}" if root.backing else f"ubd0d={root.path}",
        *(disks.argument(drive) for drive in launch.disks),
        f"root={launch.root_device or '/dev/ubda'}",
        "rw",
        # What the console says goes to the log. The second line is the agent's, the third says when commands end.
        "con=null",
        f"con0=fd:{to_console},fd:1",
        "ssl=null",
        f"ssl1=fd:{to_agent},fd:{from_agent}",
        f"ssl2=null,fd:{signals}",
        *(cards.argument(nic) for nic in (launch.nic, *launch.cards)),
        # Without this a guest's root user could mount any directory of the node.
        f"hostfs={shared}",
        # A guest that restarts is a guest that has ended: its engine goes, and Wirt sees it.
        "noreboot",
        "net.ifnames=0",
        *ownkernel.network_arguments(launch, cards.INTERFACE, is_numbered=True),
        f"systemd.hostname={launch.hostname}",
        # Of all terminals only the console leads anywhere.
        "systemd.getty_auto=0",
        # Debian's kernel has 256 terminals of BSD's kind, which udev would look at one by one while the guest comes up.
        "pty.legacy_count=0",
        *ownkernel.console_arguments(launch, CONSOLE),
        *([f"initrd={launch.initrd}"] if launch.initrd else []),
        *launch.arguments.split(),
    ]
