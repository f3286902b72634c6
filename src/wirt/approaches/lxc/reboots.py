"""What is done when a container reboots by itself: LXC starts it anew as it was told once, and knows nothing of what came since.

LXC's monitor runs a hook on the node before a container's first process runs, with the container's cgroups and cards there, and
another when its last one has ended, with the container's network still there. They run the scripts that lie beside them, one for
each thing that has been changed since the start. They go with the run directory.
"""

import os
import shlex
import sys
from collections.abc import Iterable

from wirt.host import files
from wirt.host.bounds import Setting
from wirt.host.cgroup import Cgroup
from wirt.model.launch import Place

LIMITS = "limits"
"""The script that holds the container to its limits."""
_AGAIN, _ENDED = "again", "ended"
"""What the names of the scripts of the two hooks end in."""
_PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
"""LXC's monitor has none of a person's."""


def build_lines(place: Place) -> list[str]:
    """Return the lines of a container's configuration that have LXC run the hooks.

    What stands in them is read by a shell, which LXC has told to ``exec`` it: with redirections alone that starts nothing, so a
    start without scripts costs no more than that shell. What fails is said in the log and stops nobody.

    Behind the second one LXC puts what there is of the container's namespaces, as ``net:PATH``: the scripts' arguments.
    """
    log = shlex.quote(place.log)

    def run_all(kind: str) -> str:
        scripts = f"{shlex.quote(place.run_dir)}/*.{kind}"
        return f'for script in {scripts}; do [ ! -e "$script" ] || . "$script"; done'

    return [
        f"lxc.hook.start-host = 2>>{log}; {run_all(_AGAIN)}; :",
        f"lxc.hook.stop = 2>>{log}; ended() {{ {run_all(_ENDED)}; }}; ended",
    ]


def remember(place: Place, what: str, script: str, *, ended: str | None = None) -> None:
    """Have a script run from the container's next start by itself on, in the place of an earlier one for the same thing.

    Args:
        place: where the container's traces are.
        what: it is for, in a word.
        script: for the node's shell.
        ended: another, for when the container has ended by itself, whether it starts anew or not.
    """
    if ended is not None:
        at_end(place, what, ended)
    files.replace(_path(place, what, _AGAIN), f"{_PATH}{script}")


def at_end(place: Place, what: str, script: str) -> None:
    """Have a script run when the container has ended by itself, whether it starts anew or not; its control groups are still there."""
    files.replace(_path(place, what, _ENDED), f"{_PATH}{script}")


def build_limits(
    group: Cgroup,
    settings: Iterable[Setting],
    files_bound: tuple[int, int],
    most_terminals: int,
) -> str:
    """Return the script that holds a container that begins anew to bounds.

    Args:
        group: the one that its processes are in.
        settings: its bounds.
        files_bound: open files of each process, soft and hard; LXC names the first one in the environment.
        most_terminals: of its /dev/pts.
    """
    lines = [
        f"echo {shlex.quote(setting.value)} >{shlex.quote(str(path))}"
        for setting in settings
        for path in group.files_of(setting)
    ]
    soft, hard = ("unlimited" if one == -1 else str(one) for one in files_bound)
    lines.append(f'prlimit --pid "$LXC_PID" --nofile={soft}:{hard}')
    # No program of the node's can be told to change what is mounted elsewhere without being there itself.
    python = f"{shlex.quote(sys.executable)} -I -m wirt.host.terminals"
    lines.append(f'{python} "$LXC_PID" {most_terminals}')
    return "\n".join(lines) + "\n"


def _path(place: Place, what: str, kind: str) -> str:
    return os.path.join(place.run_dir, f"{what}.{kind}")
