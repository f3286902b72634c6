"""The kernel's marks of pages that a process has written to since somebody took the marks away (soft-dirty).

Source: Documentation/admin-guide/mm/soft-dirty.rst and pagemap.rst.
"""

import ctypes
import mmap
import os
from collections.abc import Iterable
from contextlib import suppress

_ENTRY = 8
_MARK = 1 << 55
_TAKES_AWAY = "/clear_refs"


def are_made() -> bool:
    """Return whether the kernel marks pages: a page of ours that has just been written to is, where it does."""
    with mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as page:
        page[0] = 1
        first = ctypes.c_char.from_buffer(page)
        place = ctypes.addressof(first) // mmap.PAGESIZE * _ENTRY
        del first
        with suppress(OSError), open("/proc/self/pagemap", "rb", buffering=0) as entries:
            return bool(int.from_bytes(os.pread(entries.fileno(), _ENTRY, place), "little") & _MARK)
    return False


def are_used(pids: Iterable[int]) -> bool:
    """Return whether a process takes marks away itself, as some garbage collectors do: others must not, for it would miss theirs."""
    for pid in pids:
        with suppress(OSError):
            for number in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{number}").endswith(_TAKES_AWAY):
                        return True
    return False
