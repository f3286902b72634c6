"""What of a container's memory has been written by earlier dumps, so that a dump writes only the pages that have changed since.

The kernel marks the pages that a process writes to (soft-dirty), where it is built to, and CRIU takes the marks away when it has
written a container's memory down. So what the next dump writes is what has changed since the *last* that took marks away, whoever
wanted that: which that was is noted beside the container's configuration, and struck before marks are taken away again.

Beside ``images`` the directory of a dump then holds ``before-1``, ``before-2`` and so on, each with a link ``parent`` to the one before,
and ``images`` with one to the last. They are second names of the files of an earlier checkpoint: each is whole without the others, and
the bytes are there once, for as long as anybody has a name for them.
"""

import os
from contextlib import suppress

import msgspec

from wirt.host import files
from wirt.model.checkpoint import EARLIER
from wirt.model.launch import Place

IMAGES, PARENT = "images", "parent"
_MOST = 8
"""Dumps that rest on each other. Of a page that is never written to again all of them are asked."""
_NEEDED = ("pages-", "pagemap-", "inventory.img", PARENT)
"""What of earlier images CRIU looks at."""


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """The dump by which marks were taken away last."""

    images: str
    """Its directory."""
    inode: int
    """Of that, which may have made place for another."""
    init: int
    """The container's first process: one that has started anew has others' pages."""


def note(place: Place, images: str, init: int) -> None:
    """Note that the marks of a running container are of what has changed since images were written, which are whole."""
    noted = Noted(images=images, inode=os.stat(images).st_ino, init=init)
    files.replace(_note(place), msgspec.json.encode(noted).decode())


def strike(place: Place) -> Noted | None:
    """Note that marks are going to be taken away, and return what was noted; a crash after this leaves the next dump whole."""
    try:
        with open(_note(place), "rb") as file:
            noted = msgspec.json.decode(file.read(), type=Noted)
    except (OSError, msgspec.MsgspecError):
        noted = None
    with suppress(FileNotFoundError):
        os.unlink(_note(place))
    return noted


def is_noted(place: Place) -> bool:
    """Return whether the marks of a container are known to be of something."""
    return os.path.exists(_note(place))


def take(noted: Noted | None, directory: str, init: int) -> str | None:
    """Give what a dump can rest on names in the directory of another; return its path as CRIU wants it, None if there is none.

    Args:
        noted: what was, before the marks are taken away.
        directory: of the dump that is to be; ``images`` is there.
        init: the container's first process.
    """
    if noted is None or noted.init != init:
        return None
    above = os.path.dirname(noted.images)
    number = _count(above) + 1
    if number > _MOST:
        return None
    try:
        if os.stat(noted.images).st_ino != noted.inode:
            return None
        for one in range(1, number):
            _link(os.path.join(above, _name(one)), os.path.join(directory, _name(one)))
        _link(noted.images, os.path.join(directory, _name(number)))
    except OSError:  # it has been deleted, or is on another file system
        for one in range(1, number + 1):
            files.remove_tree(os.path.join(directory, _name(one)))
        return None
    return f"../{_name(number)}"


def _count(directory: str) -> int:
    """Return how many earlier dumps there are in a directory."""
    number = 0
    while os.path.isdir(os.path.join(directory, _name(number + 1))):
        number += 1
    return number


def _name(number: int) -> str:
    """Return what an earlier dump is called."""
    return f"{EARLIER}{number}"


def _link(source: str, target: str) -> None:
    os.mkdir(target, mode=0o711)
    for file in os.listdir(source):
        if file.startswith(_NEEDED):
            os.link(os.path.join(source, file), os.path.join(target, file), follow_symlinks=False)


def _note(place: Place) -> str:
    return os.path.join(place.run_dir, "written")
