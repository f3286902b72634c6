"""The AppArmor profile of a container, whose name is made of where the container is: what it is called where that goes on.

liblxc loads a profile for each container, and a namespace for those that are loaded in it, before CRIU restores its processes.
"""

import os
import re
from contextlib import suppress

from wirt.model.launch import Place

_OF_LXC = re.compile(r"lxc-[^_<>]*_<[^>]*>")
_AROUND_NAME = 20
"""Bytes of an image that holds nothing but a name are at most so many more: two magic numbers, three lengths and two kinds."""


def read(pid: int) -> str:
    """Return the label that a process is confined by, such as "lxc-w1_</run/w1>//&:lxc-w1_<-run-w1>:unconfined"; empty if none.

    Source: apparmor(7), ``/proc/PID/attr/current``; the mode that follows in brackets is left out.
    """
    with suppress(OSError), open(f"/proc/{pid}/attr/current") as file:
        return file.read().strip("\0\n").partition(" (")[0]
    return ""


def move(label: str, place: Place) -> str | None:
    """Return what takes the place of what a label begins with, for a container that goes on at ``place``; None if it stays.

    What follows is a profile of the container's own namespace, which each process has for itself.
    """
    ours = f"lxc-{place.name}_<{place.run_dir}>"
    beyond = ours.replace("/", "-")
    moved = _OF_LXC.sub(lambda found: ours if "/" in found[0] else beyond, label)
    if moved == label:
        return None
    head, mark, _ = moved.rpartition(":")
    return f"{head}{mark}" if mark else moved


def leave_out_empty(images: str, label: str) -> None:
    """Leave the namespace of a container with this label out of its images if no profiles were loaded in it.

    liblxc makes it anew; CRIU would make one of the old name (``write_aa_policy`` in ``criu/apparmor.c``), which nobody takes away.
    """
    image = os.path.join(images, "apparmor.img")
    beyond = label.partition(":")[2].rpartition(":")[0]
    with suppress(FileNotFoundError):
        if beyond and os.path.getsize(image) <= _AROUND_NAME + len(os.fsencode(beyond)):
            os.unlink(image)
