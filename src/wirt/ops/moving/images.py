"""Checksums of templates' images, kept: nobody ever writes to one, and to read one to its end takes seconds."""

import hashlib
import os

from wirt.ops.context import Context

_PART = 1 << 16


def checksum(context: Context, path: str) -> str:
    """Return what tells an image from others with another content; reckoned anew if it is another file than it was."""
    found = os.stat(path)
    stamp = f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"
    key = f"image-checksum {path}"
    known, _, kept = (context.store.setting(key) or "").rpartition(" ")
    if known != stamp:
        kept = _reckon(path)
        context.store.change(key, f"{stamp} {kept}")
    return kept


def _reckon(path: str) -> str:
    """Return the SHA-256 of an image's length and of its parts that are not zero, each with where it is.

    Most of an image is holes, and where they are in the file says nothing: a copy has others.
    """
    zeros = bytes(_PART)
    with open(path, "rb", buffering=0) as file:
        descriptor, end = file.fileno(), os.fstat(file.fileno()).st_size
        total = hashlib.sha256(f"{end} ".encode())
        at = 0
        while at < end:
            part = os.pread(descriptor, _PART, at)
            if part != zeros[: len(part)]:
                total.update(f"{at} ".encode())
                total.update(part)
                at += _PART
            else:
                at = _next_data(descriptor, at, end)
    return total.hexdigest()


def _next_data(descriptor: int, at: int, end: int) -> int:
    """Return where the next part begins that may hold something."""
    try:
        found = os.lseek(descriptor, at + _PART, os.SEEK_DATA)
    except OSError:  # there is none
        return end
    return found // _PART * _PART
