"""The host name of a container that runs, changed from the node.

LXC's monitor keeps the name of the container's start, so one that reboots by itself is given the later one by a hook of ``reboots``.
"""

import shlex

from wirt.approaches.lxc import reboots
from wirt.approaches.lxc.checkpoint import find_init
from wirt.host import run
from wirt.model.launch import Place


def give(place: Place, hostname: str) -> None:
    """Have the kernel say another name to a container, from now on and when it has started anew by itself.

    Raises:
        Failed: the container has ended, or the kernel refused.
    """
    init = find_init(place.name)
    script = f'nsenter --uts="/proc/$LXC_PID/ns/uts" hostname {shlex.quote(hostname)}\n'
    reboots.remember(place, "hostname", script)
    run.check(["nsenter", f"--uts=/proc/{init}/ns/uts", "hostname", hostname])
