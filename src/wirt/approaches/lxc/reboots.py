"""What is done when a container reboots by itself: LXC starts it anew as it was told once, and knows nothing of what came since.

LXC's monitor runs a hook on the node before a container's first process runs, with the container's cgroups and card there. It runs
the scripts that lie beside it, one for each thing that has been changed since the start. They go with the run directory.
"""

import os
import shlex
from collections.abc import Iterable

from wirt.host import files
from wirt.host.bounds import Setting
from wirt.host.cgroup import Cgroup
from wirt.model.launch import Place

LIMITS = "limits"
"""The script that holds the container to its limits."""
_PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
"""LXC's monitor has none of a person's."""


def build_line(place: Place) -> str:
    """Return the line of a container's configuration that has LXC run the hook.

    What stands in it is read by a shell, which LXC has told to ``exec`` it: with redirections alone that starts nothing, so a
    start without scripts costs no more than that shell. What fails is said in the log and stops nobody.
    """
    log, scripts = shlex.quote(place.log), f"{shlex.quote(place.run_dir)}/*.again"
    return (
        f"lxc.hook.start-host = 2>>{log}; "
        f'for script in {scripts}; do [ ! -e "$script" ] || . "$script"; done; :'
    )


def remember(place: Place, what: str, script: str) -> None:
    """Have a script run from the container's next start by itself on, in the place of an earlier one for the same thing."""
    files.replace(_path(place, what), f"{_PATH}{script}")


def build_limits(group: Cgroup, settings: Iterable[Setting], files_bound: tuple[int, int]) -> str:
    """Return the script that holds a container that begins anew to bounds.

    Args:
        group: the one that its processes are in.
        settings: its bounds.
        files_bound: open files of each process, soft and hard; LXC names the first one in the environment.
    """
    lines = [
        f"echo {shlex.quote(setting.value)} >{shlex.quote(str(path))}"
        for setting in settings
        for path in group.files_of(setting)
    ]
    soft, hard = ("unlimited" if one == -1 else str(one) for one in files_bound)
    lines.append(f'prlimit --pid "$LXC_PID" --nofile={soft}:{hard}')
    return "\n".join(lines) + "\n"


def _path(place: Place, what: str) -> str:
    return os.path.join(place.run_dir, f"{what}.again")
