"""Whether a container that has ended by itself had run out of memory before, which only its control group knew.

The group goes with the container; a hook of LXC's monitor writes down what it counted, before that.
"""

import os
import shlex

from wirt.approaches.lxc import control, reboots
from wirt.host import files
from wirt.host.cgroup import Cgroup
from wirt.model.launch import Place


def watch(place: Place) -> None:
    """Have it written down when the container ends how many of its processes the kernel ended for want of memory."""
    memory = Cgroup(control.payload_group(place.name)).part("memory")
    if memory is None:
        return
    # Version 1 counts in each group alone, version 2 in each for all below it.
    where = shlex.quote(memory.path)
    found = (
        f"{where}/memory.events"
        if memory.version == 2
        else f"$(find {where} -name memory.oom_control)"
    )
    script = f"grep -hs '^oom_kill ' {found} >{shlex.quote(_path(place))}\n"
    files.write(_path(place), "")
    reboots.at_end(place, "memory", script)


def find(place: Place) -> str | None:
    """Return what is to be said of a container that has ended; None: nothing, or nobody knows."""
    try:
        with open(_path(place)) as counts:
            killed = sum(int(line.split()[1]) for line in counts)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not killed:
        return None
    which = "a process" if killed == 1 else f"{killed} processes"
    return f"it had run out of memory, for which the kernel ended {which} of it"


def _path(place: Place) -> str:
    return os.path.join(place.run_dir, "oom-kills")
