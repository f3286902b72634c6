"""lxcfs, where it is installed: files of /proc and /sys that tell who reads them of its own control group, not of the node."""

import os

_VARIABLE = "WIRT_LXCFS"
"""Environment variable that names another mount of it than the distribution's."""
_DIRECTORY = "/var/lib/lxcfs"
_FILES = (
    "proc/cpuinfo",
    "proc/diskstats",
    "proc/loadavg",
    "proc/meminfo",
    "proc/stat",
    "proc/swaps",
    "proc/uptime",
    "sys/devices/system/cpu/online",
)
TYPE = "fuse.lxcfs"
"""As the kernel names mounts of it."""


def directory() -> str:
    """Return where lxcfs is mounted, if it is."""
    return os.environ.get(_VARIABLE) or _DIRECTORY


def find_files() -> list[str]:
    """Return the files that it serves, such as "proc/meminfo", relative to its directory and to a guest's root alike.

    None if it is not there, or its program has ended and left its mount behind.
    """
    top = directory()
    try:
        # The program of a mount that is only left over answers nothing.
        if not os.path.ismount(top) or not os.listdir(top):
            return []
    except OSError:
        return []
    return [file for file in _FILES if os.path.exists(os.path.join(top, file))]
