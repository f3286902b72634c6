"""Mounts, by the kernel's own calls: no program is run for one.

``open_tree``, ``move_mount`` and ``mount_setattr`` have no wrapper in Debian 12's C library or util-linux, so they are
called by number. The numbers are the same on every architecture (they came after the tables were unified).
"""

import ctypes
import errno
import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from wirt.errors import Busy, Failed, NotPermitted
from wirt.host import mountinfo

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_REMOUNT = 32
MS_BIND = 4096
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_OPEN_TREE_CLONE = 1
_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_MOVE_MOUNT_F_EMPTY_PATH = 4
_MOUNT_ATTR_IDMAP = 0x00100000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 16384, 1 << 18
_FIFREEZE, _FITHAW = 0xC0045877, 0xC0045878

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def mount(source: str, target: str, kind: str | None, flags: int = 0, data: str = "") -> None:
    """Mount ``source`` on ``target``.

    Raises:
        NotPermitted, Failed: the kernel refused; the message names the target and the reason.
    """
    _must(
        _libc.mount(
            source.encode(),
            target.encode(),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            data.encode() or None,
        ),
        f"cannot mount {target}",
    )


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Show ``source`` at ``target`` too; read only, device nodes and set-user-id programs have no effect there either.

    Raises:
        NotPermitted, Failed: as ``mount``.
    """
    mount(source, target, None, MS_BIND)
    if read_only:
        mount(source, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


@contextmanager
def private_namespace() -> Iterator[None]:
    """Let what this process mounts be seen by it and its children alone for as long as the block runs, and be gone then.

    Raises:
        NotPermitted, Failed: the kernel refused.
    """
    before = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    place = os.getcwd()
    try:
        _must(_libc.unshare(_CLONE_NEWNS), "cannot leave the node's mounts")
        try:
            mount("none", "/", None, _MS_REC | _MS_PRIVATE)
            yield
        finally:
            _must(_libc.setns(before, _CLONE_NEWNS), "cannot go back to the node's mounts")
            os.chdir(place)
    finally:
        os.close(before)


def forbid_privileges(target: str) -> None:
    """Let device nodes and set-user-id programs have no effect at a mount; nothing is done if ``target`` is none.

    Raises:
        NotPermitted, Failed: as ``mount``.
    """
    if is_mounted(target):
        mount(target, target, None, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV)


def unmount_unused(target: str) -> None:
    """Unmount ``target`` if no process uses it; no error if nothing is mounted there.

    Raises:
        Busy: one has a file of it open, or is in it.
        NotPermitted, Failed: the kernel refused.
    """
    if _libc.umount2(target.encode(), UMOUNT_NOFOLLOW) == 0:
        return
    number = ctypes.get_errno()
    if number == errno.EBUSY:
        raise Busy(f"{target} is in use", hint="see who uses it: fuser -vm, or lsof")
    if number not in (errno.EINVAL, errno.ENOENT):
        raise _refused(f"cannot unmount {target}", number)


def unmount(target: str) -> None:
    """Unmount the topmost mount at ``target``; no error if nothing is mounted there.

    Processes that still use it keep it until they end (lazy), but no path leads to it any more. A link at ``target`` is
    not followed: a guest may have put it there.

    Raises:
        NotPermitted, Failed: the kernel refused.
    """
    if _libc.umount2(target.encode(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0:
        return
    number = ctypes.get_errno()
    if number not in (errno.EINVAL, errno.ENOENT):
        raise _refused(f"cannot unmount {target}", number)


def unmount_below(directory: str) -> None:
    """Unmount everything at and below ``directory``, the innermost first."""
    for target in reversed(mounts_below(directory)):
        unmount(target)


@contextmanager
def held_still(mount_point: str) -> Iterator[None]:
    """Write out all that a mounted file system holds, and let nobody write to it for as long as the block runs.

    A process that dies meanwhile leaves it so: see ``let_go_on``.

    Raises:
        OSError: the kernel refused.
    """
    _tell_file_system(mount_point, _FIFREEZE)
    try:
        yield
    finally:
        let_go_on(mount_point)


def let_go_on(mount_point: str) -> None:
    """Let a mounted file system be written to again; no error if it can be.

    Raises:
        OSError: the kernel refused.
    """
    try:
        _tell_file_system(mount_point, _FITHAW)
    except OSError as error:
        if error.errno != errno.EINVAL:  # it is not held
            raise


def _tell_file_system(mount_point: str, what: int) -> None:
    descriptor = os.open(mount_point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, what, 0)
    finally:
        os.close(descriptor)


def mounts_below(directory: str) -> list[str]:
    """Return the mount points at and below ``directory``, in the order they were mounted."""
    return [target for target in _mount_points() if _is_inside(target, directory)]


def find_copies(target: str) -> list[str]:
    """Return where else the same as at a mount point is shown by ``bind``; the one that was mounted last first."""
    mounts = _mounts()
    same = next((one for one in reversed(mounts) if one.mount_point == target), None)
    if same is None:
        return []
    return [
        one.mount_point
        for one in reversed(mounts)
        if (one.device_number, one.root) == (same.device_number, same.root)
        and one.mount_point != target
    ]


def is_mounted(target: str) -> bool:
    """Return whether something is mounted right at ``target``."""
    return target in _mount_points()


def overlay(lower: str, upper: str, work: str, target: str) -> None:
    """Mount a copy-on-write view of ``lower`` at ``target``; changes go to ``upper``.

    Raises:
        NotPermitted, Failed: as ``mount``.
    """
    lower, upper, work = (_escaped(path) for path in (lower, upper, work))
    # Where the two are on different file systems, a file would have another number for whoever watches it than for whoever looks.
    options = f"lowerdir={lower},upperdir={upper},workdir={work},xino=on"
    mount("overlay", target, "overlay", 0, options)


def overlay_to_read(layers: Sequence[str], target: str) -> None:
    """Show directories as one at ``target``, the first above the others; nobody can write there.

    What is in the layers is a stranger's: its device nodes and set-user-id programs have no effect here.

    Raises:
        NotPermitted, Failed: as ``mount``.
    """
    lower = ":".join(_escaped(path) for path in layers)
    # With an index, the kernel would refuse a layer that another overlay writes to, if only while it is frozen.
    flags = MS_RDONLY | MS_NOSUID | MS_NODEV
    mount("overlay", target, "overlay", flags, f"lowerdir={lower},index=off")


def _escaped(path: str) -> str:
    """Return a path as overlayfs takes it: a plain comma would end the option, a plain colon the layer."""
    return re.sub(r"([\\,:])", r"\\\1", path)


def bind_idmapped(pairs: Sequence[tuple[str, str]], *, first: int, size: int) -> None:
    """Show each source at its target with ids 0..size-1 on disk seen as first..first+size-1.

    Raises:
        Failed: the kernel or the file system has no idmapped mounts (Linux 5.12; ext4, btrfs, xfs).
        NotPermitted: not root.
    """
    with _user_namespace(first, size) as namespace:
        for source, target in pairs:
            _bind_in_namespace(source, target, namespace)


def _bind_in_namespace(source: str, target: str, namespace: int) -> None:
    tree = _libc.syscall(_OPEN_TREE, _AT_FDCWD, source.encode(), _OPEN_TREE_CLONE | os.O_CLOEXEC)
    _must(tree, f"cannot open {source} as a mount")
    try:
        wanted = _MountAttr(attr_set=_MOUNT_ATTR_IDMAP, userns_fd=namespace)
        size = ctypes.c_size_t(ctypes.sizeof(wanted))
        _must(
            _libc.syscall(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, ctypes.byref(wanted), size),
            f"cannot shift the ids of {source}",
        )
        _must(
            _libc.syscall(
                _MOVE_MOUNT, tree, b"", _AT_FDCWD, target.encode(), _MOVE_MOUNT_F_EMPTY_PATH
            ),
            f"cannot mount {target}",
        )
    finally:
        os.close(tree)


def file_system_type(path: str) -> str:
    """Return the type of the file system that ``path``, or its nearest existing parent, lies on."""
    return file_system_of(path).type


def file_system_of(path: str) -> mountinfo.Mount:
    """Return the mount that ``path``, or its nearest existing parent, lies on."""
    place = os.path.abspath(path)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    place = os.path.realpath(place)
    return max(
        (found for found in _mounts() if _is_inside(place, found.mount_point)),
        key=lambda found: len(found.mount_point),
    )


def _is_inside(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


@contextmanager
def _user_namespace(first: int, size: int) -> Iterator[int]:
    """Open a user namespace with the map 0 -> first; it lives as long as a mount or descriptor refers to it."""
    ready, told = os.pipe()
    done, release = os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing but kernel calls until _exit: the parent's buffers and handlers must not run twice.
        status = 1
        try:
            if _libc.unshare(_CLONE_NEWUSER) == 0:
                os.write(told, b"1")
                os.close(release)
                os.read(done, 1)
                status = 0
        finally:
            os._exit(status)
    os.close(told)
    os.close(done)
    try:
        if os.read(ready, 1) != b"1":
            raise Failed(
                "the kernel refuses user namespaces",
                hint="allow them: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone",
            )
        # Root of the node gets the first id beyond the guest's: it writes there too (overlayfs makes its working
        # files as the one who mounted it), and an id without a place on disk would make the mount read-only.
        for kind in ("uid_map", "gid_map"):
            with open(f"/proc/{child}/{kind}", "w") as file:
                file.write(f"0 {first} {size}\n{size} 0 1\n")
        namespace = os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield namespace
        finally:
            os.close(namespace)
    finally:
        os.close(ready)
        os.close(release)
        os.waitpid(child, 0)


def _mounts() -> list[mountinfo.Mount]:
    with open("/proc/self/mountinfo", errors="surrogateescape") as lines:
        return mountinfo.parse_mounts(line.rstrip("\n") for line in lines)


def _mount_points() -> list[str]:
    return [found.mount_point for found in _mounts()]


def _must(result: int, what: str) -> None:
    if result < 0:
        raise _refused(what, ctypes.get_errno())


def _refused(what: str, number: int) -> Failed | NotPermitted:
    reason = os.strerror(number)
    if number in (errno.EPERM, errno.EACCES):
        return NotPermitted(f"{what}: {reason}", hint="run it as root")
    return Failed(f"{what}: {reason}")
