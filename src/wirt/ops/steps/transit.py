"""Where a guest's memory lies on its way to another node: in the node's own memory if there is room, else on its disk.

The directory in the memory is found by the guest's id alone, so whoever takes the guest's own directory away takes it away too; a link
leads to it from where it would be on the disk. After a power cut the link leads nowhere, and nothing vouched for what was there.
"""

import os
import threading
from contextlib import suppress

from wirt.host import facts, files, mountinfo, urgency
from wirt.model.home import Home

_SHARED = "/dev/shm"
"""A file system in memory that every Linux has, and that two homes on one node share: between them nothing has to be copied."""


def make(home: Home, guest_id: str, path: str, size: int, *, times: int = 1) -> None:
    """Make the empty directory ``path``, or a link of that name to one in memory, if there is room for all of it and once more.

    Once more, because what lies there goes on to be a guest's memory.

    Args:
        home: the guest's.
        guest_id: whose memory it is.
        path: of the directory.
        size: bytes that the guest's memory takes.
        times: how often it may come to lie there, in parts that replace each other.
    """
    directory, _ = _places(home, guest_id)
    if not _has_room(size, times):
        os.mkdir(path, mode=0o700)
        return
    try:
        os.mkdir(directory, mode=0o700)
    except FileExistsError:  # everybody may make what they like there
        os.mkdir(path, mode=0o700)
        return
    os.symlink(directory, path)


def measure_room(home: Home, guest_id: str, path: str, size: int, *, times: int) -> int:
    """Return the bytes that may yet be written to what ``make`` has made, or would make; arguments as there."""
    directory, _ = _places(home, guest_id)
    in_memory = os.path.isdir(directory) if os.path.lexists(path) else _has_room(size, times)
    return max(0, _free_memory() - size) if in_memory else files.free_bytes(path)


def reserve(home: Home, guest_id: str, size: int) -> None:
    """Have the kernel look for the memory that ``make`` has found room for, so that nobody waits for it who stands still.

    On a node that gives unused memory back to its own host, to get it takes longer than to write it.
    """
    directory, room = _places(home, guest_id)
    if not size or not os.path.isdir(directory):
        return
    descriptor = os.open(room, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with suppress(OSError):
            os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)


def release(home: Home, guest_id: str) -> threading.Thread:
    """Begin to give back what was reserved, to whoever asks the kernel next, and return who does it."""
    _, room = _places(home, guest_id)

    def give() -> None:
        with urgency.hurrying():
            _unlink(room)

    giving = threading.Thread(target=give)
    giving.start()
    return giving


def forget(home: Home, guest_id: str) -> None:
    """Leave nothing of a guest's memory in the node's; no error if there is nothing. What leads to it is the caller's."""
    directory, room = _places(home, guest_id)
    files.remove_tree(directory)
    _unlink(room)


def is_there(home: Home, guest_id: str) -> bool:
    """Return whether ``forget`` has anything to do."""
    return any(map(os.path.exists, _places(home, guest_id)))


def _places(home: Home, guest_id: str) -> tuple[str, str]:
    """Return the directory, and the file that holds the room for it."""
    directory = f"{_SHARED}/wirt-{home.place(guest_id).name}"
    return directory, f"{directory}.room"


def _has_room(size: int, times: int) -> bool:
    return _free_memory() > (times + 1) * size


def _free_memory() -> int:
    """Return the bytes of memory that can be had for files; 0 where there is no place for them."""
    with open("/proc/self/mountinfo", errors="surrogateescape") as lines:
        mounts = mountinfo.parse_mounts(line.rstrip("\n") for line in lines)
    if not any(one.mount_point == _SHARED and one.type == "tmpfs" for one in mounts):
        return 0
    available = facts.probe_memory().available or 0
    return min(files.free_bytes(_SHARED), available)


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
