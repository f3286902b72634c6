"""Whether a container that has ended by itself ended because it had run out of memory, which only its control group knew.

The group goes with the container; a hook of LXC's monitor writes down what it counted, before that, and how the container's first
process ended: who has been powered off has not ended for want of memory, whatever the kernel ended in it before.
"""

import os
import re
import shlex

from wirt.approaches.lxc import control, reboots
from wirt.host import files
from wirt.host.cgroup import Cgroup
from wirt.model.launch import Place

_POWERED_OFF = re.compile(r"on signal .*\(2\)$")
"""How the kernel ends the first process when one in the container powers off (reboot(2) in a PID namespace: SIGINT)."""
_NOBODY_KNOWS = "ended unseen"
_AT_AN_END = "-- ended --"
"""Stands in LXC's log between one life of a container and the next, of which one that reboots by itself has many."""


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
    script = build_script(found, _path(place), control.own_log(place.run_dir))
    files.write(_path(place), "")
    reboots.at_end(place, "memory", script)


def build_script(counts: str, path: str, log: str) -> str:
    """Return the script that writes down how a container has ended.

    Args:
        counts: the files in which the kernel counts what it has ended for want of memory, for a shell.
        path: where it is written down.
        log: LXC's own, of all lives of the container. What it says stays, for whoever asks why a container could not start.
    """
    path, log = shlex.quote(path), shlex.quote(log)
    # A monitor of an older version has no such log.
    return f"""\
grep -hs '^oom_kill ' {counts} >{path}
if [ -e {log} ]; then
    tac {log} | sed '/^{_AT_AN_END}$/q' | grep -m 1 -o 'Child <[0-9]*> ended on .*' >>{path}
    [ "$(stat -c %s {log})" -le {control.LARGEST_LOG} ] || : >{log}
    echo '{_AT_AN_END}' >>{log}
else
    echo '{_NOBODY_KNOWS}' >>{path}
fi
"""


def find(place: Place) -> str | None:
    """Return what is to be said of a container that has ended; None: nothing, or nobody knows."""
    try:
        with open(_path(place)) as said:
            lines = [line.strip() for line in said]
    except (FileNotFoundError, NotADirectoryError):
        return None
    counts = [line.split() for line in lines if line.startswith("oom_kill ")]
    killed = sum(int(count[1]) for count in counts)
    ending = lines[-1] if len(lines) > len(counts) else None
    # A first process that has returned in good order has no line.
    if not killed or ending is None or _POWERED_OFF.search(ending):
        return None
    which = "a process" if killed == 1 else f"{killed} processes"
    return f"it had run out of memory, for which the kernel ended {which} of it"


def _path(place: Place) -> str:
    return os.path.join(place.run_dir, "oom-kills")
