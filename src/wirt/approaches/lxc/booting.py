"""Whether a container's systemd is still at starting it, in which nothing of it should be kept.

Control groups come and go meanwhile, and systemd watches for it: CRIU writes down a watch on one that is gone by then, and finds
nothing to watch when it puts it back. So memory that was kept without a complaint could not be gone on from.
"""

import os
import time

from wirt.approaches.lxc import control
from wirt.approaches.lxc.checkpoint import find_init
from wirt.errors import Error
from wirt.host import cgroup, process
from wirt.model.checkpoint import Obstacle
from wirt.model.launch import Place

_YOUNG_SECONDS = 300.0
"""Who has run for longer is not asked, though it may wait for something yet: to ask takes 30 ms."""
_STARTING = ("initializing", "starting", "offline", "unknown", "")
"""What systemctl(1), is-system-running, says meanwhile; at the very beginning nobody answers it."""


def find(place: Place) -> list[Obstacle]:
    """Return what stands in the way of a checkpoint for as long as a container is being started; a frozen one is not asked.

    Raises:
        Failed: it does not run.
    """
    init = find_init(place.name)
    group = cgroup.Cgroup(control.payload_group(place.name))
    if not _is_young(init) or group.is_frozen() or not _is_systemd(init):
        return []
    try:
        said = control.ask(place.run_dir, place.name, ["systemctl", "is-system-running"])
    except Error:
        return []
    if said not in _STARTING:
        return []
    return [
        Obstacle(
            what="systemd",
            reason="is still starting the container",
            hint="wait until it is done: systemctl is-system-running --wait",
        )
    ]


def _is_young(pid: int) -> bool:
    started = process.start_time(pid)
    if started is None:
        return False
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
    return age < _YOUNG_SECONDS


def _is_systemd(pid: int) -> bool:
    # It calls itself so only after a while; until then its name is "init".
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "systemd"
    except OSError:
        return False
