"""Thin volumes that are reached by links: what the pool ``lvm`` and the keeper of its snapshots share.

A link is written before its volume is made and deleted after it is removed. So no volume is ever forgotten, whatever a crash
leaves, and one takes another's place when a link is renamed. A volume's own name says only that it is ours, and whose.
"""

import os
from contextlib import suppress

from wirt.host import ext4, files, lvm, mount
from wirt.storage.loopdisk import fit_file_system


def make(link: str, pool: str, owner: str, size: int) -> None:
    """Make an empty volume of a thin pool, and the link to it; a leftover that the link leads to goes first."""
    erase(link)
    group = pool.partition("/")[0]
    lvm.make_thin(pool, _make_link(link, group, owner), size)


def fork(source: str, link: str, *, owner: str | None = None) -> None:
    """Make a snapshot of the volume of a link, and another link to it; a leftover that this one leads to goes first.

    Args:
        source: a link.
        link: the new one.
        owner: whose it is, None if it is the same one's.
    """
    erase(link)
    volume = volume_of(source)
    group, _, name = volume.partition("/")
    lvm.snapshot(volume, _make_link(link, group, owner or name.split(".")[1]))


def erase(link: str) -> None:
    """Remove the volume that a link leads to, and the link; no error if either is gone, or if there is no link but a file."""
    if os.path.islink(link):
        lvm.remove(volume_of(link))
        with suppress(FileNotFoundError):
            os.unlink(link)


def volume_of(link: str) -> str:
    """Return the volume, ``GROUP/NAME``, that a link leads to."""
    return lvm.volume_of(os.readlink(link))


def whole(size: int) -> int:
    """Return the size of a file system that is to have ``size`` bytes: it has whole blocks."""
    return size // ext4.BLOCK * ext4.BLOCK


def fit(link: str, size: int) -> None:
    """Give the file system on a volume that nobody uses or misses another size, and the volume too.

    Raises:
        OutOfSpace: what it holds does not fit.
        Failed: it is damaged, or could not be changed.
    """
    wanted = whole(size)
    if (has := ext4.read_size(link)) == wanted:
        return
    if has < wanted:
        lvm.resize(volume_of(link), wanted)
    fit_file_system(link, wanted)
    if has > wanted:
        lvm.resize(volume_of(link), wanted)


def show(link: str, target: str) -> None:
    """Mount a volume that is not mounted, for reading alone."""
    flags = mount.MS_RDONLY | mount.MS_NOSUID | mount.MS_NODEV
    mount.mount(os.path.realpath(link), target, "ext4", flags)


def _make_link(link: str, group: str, owner: str) -> str:
    """Make a link to a volume that is to be made, and return that one's name in its group."""
    name = f"wirt.{owner}.{os.urandom(4).hex()}"
    os.symlink(lvm.device(f"{group}/{name}"), link)
    files.sync_directory(os.path.dirname(link))
    return name
