"""Trees on disks of their own: an overlay whose upper layer is an ext4 file system in a file.

The file system bounds bytes and inodes, whatever the node's own can do. It holds what the guest has changed, so a clone is an
empty file system in a sparse file, made in the same time whatever the template's size.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from wirt.errors import Failed, OutOfSpace, Unsupported
from wirt.host import ext4, files, loop, mount, quotas, run
from wirt.model.capability import Capability, no, yes
from wirt.model.presence import Presence
from wirt.model.resources import DiskUsage, Idmap, RootTree
from wirt.storage import spareinodes
from wirt.storage.directory import DirectoryPool
from wirt.units import UNBOUNDED, render_bytes

DISK, MOUNTED = "disk.ext4", "layer"
"""Names, in the guest's directory, of the file and of the place where it is mounted."""

_COUNTED = ".counted"
"""What the name of its copy ends in that is made to count users, or not to."""

FREE_SECONDS = 5.0
_REPAIRED = 1
"""Exit status of e2fsck that has found something and put it right."""
_TOO_SMALL = ("smaller than minimum", "Not enough space")
"""What resize2fs says of a file system that holds more than it shall."""

_FILLER = "filler"
"""The file that takes what is free of the disk of a guest whose grace is over."""
_BALLAST, _BALLAST_FILES, _BALLAST_BYTES = "ballast", 16, 4096
"""Files that no guest can reach, and which make room for overlayfs: to be mounted it has to write a few of its own.

Without them a guest that fills its disk could not be started any more, and so never be emptied.
"""


class LoopDisks(DirectoryPool):
    """The roots of a pool ``directory``, each with its layer on a disk of its own."""

    def clone(self, form_path: str, guest_id: str, *, root: str, size: int) -> None:
        """Make the guest's empty disk of ``size`` bytes.

        Raises:
            OutOfSpace, Failed: it could not be made.
        """
        self._clone(form_path, guest_id, size, None)

    def clone_with_inodes(
        self, form_path: str, guest_id: str, *, root: str, size: int, inodes: int
    ) -> None:
        """Make a disk that has so many inodes, and some more if there may be.

        Raises:
            OutOfSpace, Failed: as ``clone``.
        """
        self._clone(form_path, guest_id, size, spareinodes.to_make(size, inodes))

    def _clone(self, form_path: str, guest_id: str, size: int, inodes: int | None) -> None:
        super().clone(form_path, guest_id, root="tree", size=size)
        disk = self._path(guest_id, DISK)
        if os.path.exists(disk):
            return
        fresh = f"{disk}.new"
        with files.translated(f"make the disk of guest {guest_id}"):
            descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(descriptor, size)
                # No space is kept for root, because a guest's root is not the node's. The rest is zero already.
                lazily = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
                run.check(
                    [
                        "mke2fs",
                        "-q",
                        "-F",
                        "-t",
                        "ext4",
                        "-b",
                        "4096",
                        "-m",
                        "0",
                        "-E",
                        lazily,
                        *([] if inodes is None else ["-N", str(inodes)]),
                        fresh,
                    ]
                )
            finally:
                os.close(descriptor)
            os.rename(fresh, disk)

    def copy(self, source_id: str, guest_id: str, *, size: int) -> None:
        """Copy the disk; what a mounted one has not written yet is written first.

        Its journal is that of a disk whose machine lost its power: who mounts the copy puts it right.
        """
        DirectoryPool.clone(self, "", guest_id, root="tree", size=size)
        source, disk = self._path(source_id, DISK), self._path(guest_id, DISK)
        if mount.is_mounted(layer := self._path(source_id, "layer")):
            run.check(["sync", "-f", layer])
        files.copy_all(source, f"{disk}.new")
        os.rename(f"{disk}.new", disk)

    def parts(self, guest_id: str) -> tuple[str, ...]:
        """Return the disk."""
        return (DISK,)

    def write_out(self, guest_id: str) -> None:
        """Write what a mounted disk has not written yet."""
        if mount.is_mounted(layer := self._path(guest_id, "layer")):
            run.check(["sync", "-f", layer])

    def attach(self, form_path: str, guest_id: str, *, root: str, idmap: Idmap | None) -> RootTree:
        """Mount the disk where the layer is, then the overlay.

        A crash in between leaves the disk mounted below the guest's directory, which ``detach`` takes away.
        """
        layer, disk = self._path(guest_id, MOUNTED), self._path(guest_id, DISK)
        if mount.is_mounted(self._path(guest_id, "root")):
            return RootTree(path=self._path(guest_id, "root"), idmap=idmap)
        with files.translated(f"mount the disk of guest {guest_id}"):
            if not mount.is_mounted(layer):
                counts = quotas.MOUNTED_WITH if ext4.has_quotas(disk) else ""
                with loop.opened(disk) as device:
                    mount.mount(device, layer, "ext4", data=counts)
            for part in ("upper", "work"):
                os.makedirs(f"{layer}/{part}", mode=0o755, exist_ok=True)
            os.chmod(layer, 0o700)
        files.remove_tree(f"{layer}/{_BALLAST}")
        attached = super().attach(form_path, guest_id, root=root, idmap=idmap)
        _take_ballast(f"{layer}/{_BALLAST}")
        return attached

    def show(self, form_path: str, guest_id: str, target: str) -> None:
        """Mount the disk at ``target`` if it is not mounted, and the overlay over it there, for reading alone."""
        layer = self._path(guest_id, MOUNTED)
        if mount.is_mounted(layer):
            mount.overlay_to_read([f"{layer}/upper", form_path], target)
        else:
            show_disk(self._path(guest_id, DISK), form_path, target)

    def probe_resize(self, guest_id: str, size: int) -> Capability:
        """Ask whether the disk is mounted; then it can grow, where the kernel lets this process do that."""
        if not mount.is_mounted(self._path(guest_id, MOUNTED)):
            return yes("image", "its file system is changed in a copy, which then takes its place")
        if size < self._size(guest_id):
            return no("image", "a mounted ext4 file system cannot be made smaller", "stop it first")
        if not ext4.may_grow():
            return no(
                "image",
                "its file system is mounted, and the kernel makes it larger only for who has "
                "CAP_SYS_RESOURCE",
                "stop it first, or run this with that capability",
            )
        return yes("image", "its file system grows where it is")

    def resize(self, guest_id: str, size: int) -> None:
        """Give the disk another size: where it is if it is mounted, else in a copy that takes its place.

        Raises:
            OutOfSpace: what it holds does not fit, or the copy does not; the disk is as before.
            Failed: as before, too.
        """
        disk, wanted = self._path(guest_id, DISK), size // ext4.BLOCK * ext4.BLOCK
        with files.translated(f"resize the disk of guest {guest_id}"):
            with suppress(FileNotFoundError):
                os.unlink(f"{disk}.new")
            if mount.is_mounted(self._path(guest_id, MOUNTED)):
                self._grow(guest_id, wanted)
            elif os.stat(disk).st_size != wanted:
                _resize_in_copy(disk, wanted)

    def _grow(self, guest_id: str, wanted: int) -> None:
        """Let the mounted disk have ``wanted`` bytes; if it cannot, or has died on the way, it is as before and so is its file."""
        disk, has = self._path(guest_id, DISK), self._size(guest_id)
        if wanted < has:
            raise Failed("a mounted ext4 file system cannot be made smaller", hint="stop it first")
        _set_length(disk, wanted)
        try:
            if wanted > has:
                ext4.grow(self._path(guest_id, MOUNTED), wanted)
        except OSError:
            _set_length(disk, has)
            raise

    def _size(self, guest_id: str) -> int:
        """Return the size of the file system on the disk, whose file may be larger: it grows first."""
        disk = self._path(guest_id, DISK)
        return ext4.read_size(loop.device_of(disk) or disk)

    def detach(self, guest_id: str) -> None:
        """Unmount everything, and return when the disk is no device any more: what it held is in its file then."""
        super().detach(guest_id)
        # If a process outside of the guest still has a file of it open, the kernel gives the device up when it has not.
        loop.wait_free(self._path(guest_id, DISK), FREE_SECONDS)

    def close(self, guest_id: str) -> None:
        """Have a file beside the guest's layer take all blocks that are free; what the guest deletes later too, at the next call.

        Killed on the way, it has taken some.
        """
        layer = self._path(guest_id, MOUNTED)
        if not mount.is_mounted(layer):
            return
        with files.translated(f"keep the disk of guest {guest_id} from growing"):
            free = os.statvfs(layer)
            file = os.open(f"{layer}/{_FILLER}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                wanted = free.f_bavail * free.f_frsize
                # What the file needs for itself leaves a little less than there was.
                while wanted >= ext4.BLOCK:
                    try:
                        os.posix_fallocate(file, os.fstat(file).st_size, wanted)
                    except OSError as error:
                        if error.errno != errno.ENOSPC:
                            raise
                        wanted //= 2
            finally:
                os.close(file)

    def reopen(self, guest_id: str) -> None:
        """Delete that file."""
        with suppress(FileNotFoundError):
            os.unlink(f"{self._path(guest_id, MOUNTED)}/{_FILLER}")

    def most_inodes(self, guest_id: str) -> int:
        """Return how many inodes the disk's file system has."""
        disk = self._path(guest_id, DISK)
        return ext4.read_inodes(loop.device_of(disk) or disk)

    def hold_inodes(self, guest_id: str, inodes: int) -> None:
        """Keep the others from the guest, if its disk is mounted."""
        layer = self._path(guest_id, MOUNTED)
        if mount.is_mounted(layer):
            with files.translated(f"bound the inodes of guest {guest_id}"):
                spareinodes.hold(layer, inodes)

    def probe_users(self) -> Capability:
        """Try whether the kernel mounts such a file system."""
        lack = quotas.find_lack()
        if lack is None:
            return yes("image", "the guest's file system counts what its users and groups hold")
        return no("image", lack)

    def count_users(self, guest_id: str, *, on: bool) -> None:
        """Give a disk that is not mounted what counts, in a copy that takes its place, or take it away."""
        disk = self._path(guest_id, DISK)
        if mount.is_mounted(self._path(guest_id, MOUNTED)):
            return
        fresh = f"{disk}{_COUNTED}"
        # Of a command that was killed.
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        if ext4.has_quotas(disk) == on:
            return
        if on and (lack := quotas.find_lack()) is not None:
            raise Unsupported(
                f"the users of guest {guest_id} cannot be held to quotas: {lack}",
                hint="switch that off: wirt set --user-quotas off",
            )
        with (
            files.translated(f"change the disk of guest {guest_id}"),
            _changed_in_copy(disk, fresh),
        ):
            check_file_system(fresh)
            run.check(["tune2fs", "-O", "quota" if on else "^quota", fresh])

    def counted_at(self, guest_id: str) -> str | None:
        """Look at the disk that is mounted."""
        layer, disk = self._path(guest_id, MOUNTED), self._path(guest_id, DISK)
        if not mount.is_mounted(layer):
            return None
        return layer if ext4.has_quotas(loop.device_of(disk) or disk) else None

    def remove(self, guest_id: str) -> None:
        """Delete the guest's disk."""
        self.detach(guest_id)
        mount.unmount_below(self._path(guest_id))
        snapshots = self._path(guest_id, "snapshots")
        for name in os.listdir(snapshots) if os.path.isdir(snapshots) else []:
            loop.wait_free(f"{snapshots}/{name}", FREE_SECONDS)
        super().remove(guest_id)

    def probe(self, guest_id: str) -> Presence:
        """Ask whether the guest's disk is there."""
        if os.path.exists(self._path(guest_id, DISK)):
            return Presence.PRESENT
        return Presence.PARTIAL if os.path.isdir(self._path(guest_id)) else Presence.ABSENT

    def probe_attached(self, guest_id: str) -> Presence:
        """Ask the kernel whether disk and overlay are mounted."""
        found = self._attached(guest_id)
        if found == [self._path(guest_id, MOUNTED), self._path(guest_id, "root")]:
            return Presence.PRESENT
        return Presence.PARTIAL if found else Presence.ABSENT

    def measure(self, guest_id: str) -> DiskUsage | None:
        """Ask the file system, None if it is not mounted."""
        layer = self._path(guest_id, MOUNTED)
        if not mount.is_mounted(layer):
            return None
        # What keeps the guest from growing is none of its own.
        found = usage_of(layer, foreign=_allocated(f"{layer}/{_FILLER}"))
        inodes = (found.inodes or 0) - spareinodes.taken(layer)
        return msgspec.structs.replace(found, inodes=inodes)


def _set_length(disk: str, length: int) -> None:
    """Give a file, and the device that it is, another length; on disk before anything relies on it."""
    file = os.open(disk, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(file, length)
        os.fsync(file)
    finally:
        os.close(file)
    device = loop.device_of(disk)
    if device is not None:
        loop.follow_size(device)


def show_disk(disk: str, form_path: str, target: str) -> None:
    """Mount a disk that is not mounted at ``target``, and the overlay over it there, for reading alone."""
    with loop.opened(disk) as device:
        mount.mount(device, target, "ext4", mount.MS_RDONLY | mount.MS_NOSUID | mount.MS_NODEV)
    if os.path.isdir(f"{target}/upper"):
        mount.overlay_to_read([f"{target}/upper", form_path], target)
    else:
        # The guest has never been started, and has changed nothing.
        mount.bind(form_path, target, read_only=True)


def _resize_in_copy(disk: str, wanted: int) -> None:
    """Give a disk that is not mounted another size.

    Raises:
        OutOfSpace: what it holds does not fit, or the copy does not; the disk is as before.
        Failed: as before, too.
    """
    fresh = f"{disk}.new"
    with _changed_in_copy(disk, fresh):
        if wanted < os.stat(disk).st_size:
            _give_inodes_back(fresh)
        resize_file(fresh, wanted)


@contextmanager
def _changed_in_copy(disk: str, fresh: str) -> Iterator[None]:
    """Make a copy of a disk that is not mounted, which takes its place at the end of the block.

    The copy shares holes and, where the node's file system can, blocks: programs of e2fsprogs that are killed leave a file
    system that nobody can read.

    Raises:
        OutOfSpace, Failed: the disk is as before.
    """
    files.check_room_for(disk, fresh)
    try:
        run.check(["cp", "--sparse=always", "--reflink=auto", disk, fresh])
        yield
        run.check(["sync", "-f", fresh])
        os.rename(fresh, disk)
        files.sync_directory(os.path.dirname(disk))
    except Failed:
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        raise


def _give_inodes_back(disk: str) -> None:
    """Take the files off a disk, which is not mounted, that keep inodes from its guest: a smaller one may not have so many."""
    with loop.opened(disk) as device, mount.private_namespace():
        place = f"{disk}.mounted"
        os.makedirs(place, mode=0o700, exist_ok=True)
        try:
            mount.mount(device, place, "ext4", mount.MS_NOSUID | mount.MS_NODEV)
            try:
                spareinodes.hold(place, UNBOUNDED)
            finally:
                mount.unmount(place)
        finally:
            os.rmdir(place)
    loop.wait_free(disk, FREE_SECONDS)


def resize_file(disk: str, size: int) -> None:
    """Give a disk that is not mounted, and that nobody misses, another size; what fails leaves it unusable.

    Raises:
        OutOfSpace: what it holds does not fit.
        Failed: it is damaged, or could not be changed.
    """
    wanted = size // ext4.BLOCK * ext4.BLOCK
    if os.stat(disk).st_size == ext4.read_size(disk) == wanted:
        return
    if os.stat(disk).st_size < wanted:
        os.truncate(disk, wanted)
    fit_file_system(disk, wanted)
    os.truncate(disk, wanted)


def usage_of(mounted: str, *, foreign: int = 0) -> DiskUsage:
    """Return what of a mounted file system is used, but for so many bytes that are none of its guest's."""
    found = os.statvfs(mounted)
    return DiskUsage(
        bytes=(found.f_blocks - found.f_bfree) * found.f_frsize - foreign,
        bytes_limit=found.f_blocks * found.f_frsize,
        inodes=found.f_files - found.f_ffree,
        inodes_limit=found.f_files,
    )


def fit_file_system(disk: str, wanted: int) -> None:
    """Give the file system on a disk that is not mounted, and large enough, another size; what fails leaves it unusable.

    Raises:
        OutOfSpace: what it holds does not fit.
        Failed: it is damaged, or could not be changed.
    """
    try:
        check_file_system(disk)
        run.check(["resize2fs", disk, f"{wanted // 1024}K"])
    except Failed as error:
        said = f"{error.message} {error.detail or ''}"
        if any(reason in said for reason in _TOO_SMALL):
            raise OutOfSpace(
                f"what the guest holds does not fit into a disk of {render_bytes(wanted)}",
                detail=error.detail,
                hint="give more, or delete something in it first",
            ) from error
        raise


def check_file_system(disk: str) -> None:
    """Put right what a file system on a disk that is not mounted has left undone, as its journal.

    Raises:
        Failed: it is damaged.
    """
    checked = run.run(["e2fsck", "-f", "-y", disk])
    if checked.status > _REPAIRED:
        raise Failed(f"the file system in {disk} is damaged", detail=checked.stdout)


def _allocated(path: str) -> int:
    """Return the bytes that a file takes on its disk, 0 if there is none."""
    try:
        return os.stat(path).st_blocks * 512
    except FileNotFoundError:
        return 0


def _take_ballast(directory: str) -> None:
    """Make the ballast; after a crash there may not be room for all of it, until the guest has deleted something."""
    try:
        os.mkdir(directory, 0o700)
        for number in range(_BALLAST_FILES):
            file = os.open(f"{directory}/{number}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, _BALLAST_BYTES)
            finally:
                os.close(file)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
