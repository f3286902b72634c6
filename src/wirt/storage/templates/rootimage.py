"""A raw image of a root's file system, made of a tree without mounting anything."""

import os

from wirt.errors import Failed, OutOfSpace
from wirt.host import files, run
from wirt.units import render_bytes

_SECTOR = 4096


def build_image(tree: str, out: str, size: int) -> None:
    """Make a raw ext4 image of ``size`` bytes that holds ``tree``; the file is sparse.

    The same tree gives the same layout every time, so that no two guests differ by where their files lie. ``out``
    appears complete and on disk, or not at all; a crash leaves a ``.new`` file beside it.

    Raises:
        OutOfSpace: the tree does not fit, or the disk is full.
        Failed: mke2fs said something else.
    """
    fresh = f"{out}.new"
    with files.translated(f"make the image {out}"):
        descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, size // _SECTOR * _SECTOR)
            try:
                run.check(_mke2fs(tree, fresh))
            except Failed as error:
                raise _explained(error, tree, size) from error
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(fresh, out)
        files.sync_directory(os.path.dirname(os.path.abspath(out)))


def _mke2fs(tree: str, image: str) -> list[str]:
    """Return the command; no space is kept for root, because every process of a measured guest is root's."""
    fixed = "hash_seed=57697274-0000-4000-8000-000000000001,lazy_itable_init=1,root_owner=0:0"
    kind = ["-t", "ext4", "-m", "0", "-L", "wirt", "-E", fixed]
    return ["mke2fs", "-q", "-F", *kind, "-d", tree, image]


def _explained(error: Failed, tree: str, size: int) -> Failed:
    said = f"{error.message} {error.detail or ''}"
    if "Could not allocate" in said or "No space" in said or "not enough" in said.lower():
        return OutOfSpace(
            f"{tree} does not fit into an image of {render_bytes(size)}, or the disk is full",
            detail=error.detail,
            hint="free some space or ask for a larger image",
        )
    return error
