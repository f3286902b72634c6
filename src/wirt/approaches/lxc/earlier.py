"""What of a container's memory has been written by earlier dumps, so that a dump writes only the pages that have changed since.

The kernel marks the pages that a process writes to (soft-dirty), where it is built to, and CRIU takes the marks away when it has
written a container's memory down. So what the next dump writes is what has changed since the *last* that took marks away, whoever
wanted that: which that was is noted beside the container's configuration, and struck before marks are taken away again.

Among its images those of a dump have ``before-1``, ``before-2`` and so on, each with a link ``parent`` to the one before, and one to the
last. They are second names of the files of an earlier checkpoint: each is whole without the others, and the bytes are there once, for
as long as anybody has a name for them. Or they are what was written ahead of this very dump, while the container ran. They lie among the images because a process that is being restored looks for them as root of the
container, who comes no further.
"""

import os
from contextlib import suppress

import msgspec

from wirt.host import files
from wirt.model.checkpoint import EARLIER
from wirt.model.launch import Place

PARENT = "parent"
_MOST = 8
"""Dumps that rest on each other. Of a page that is never written to again all of them are asked."""
_NEEDED = ("pages-", "pagemap-", "inventory.img")
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


def take(noted: Noted | None, images: str, init: int) -> str | None:
    """Give what a dump can rest on names among its images; return its path from there, None if there is nothing.

    Args:
        noted: what was, before the marks are taken away.
        images: the directory of the dump that is to be.
        init: the container's first process.
    """
    if noted is None or noted.init != init:
        return None
    if os.path.dirname(noted.images) == images:
        return os.path.basename(noted.images) if _is_there(noted) else None
    number = _count(noted.images) + 1
    if number > _MOST:
        return None
    try:
        if os.stat(noted.images).st_ino != noted.inode:
            return None
        for one in range(1, number + 1):
            source = noted.images if one == number else os.path.join(noted.images, _name(one))
            _link(source, os.path.join(images, _name(one)))
            if one > 1:
                os.symlink(f"../{_name(one - 1)}", os.path.join(images, _name(one), PARENT))
    except OSError:  # it has been deleted, or is on another file system
        for one in range(1, number + 1):
            files.remove_tree(os.path.join(images, _name(one)))
        return None
    return _name(number)


def begin_ahead(noted: Noted | None, images: str, init: int) -> tuple[str, str | None]:
    """Make the directory, among images that are to be, of what is written ahead of them, and return it.

    Returns:
        And what it can rest on, by its path from there; None if there is nothing: then it is the only one.

    Args:
        noted: what was, before the marks are taken away.
        images: the directory of the dump that is to be.
        init: the container's first process.
    """
    number, rests_on = _count(images), None
    last = os.path.join(images, _name(number))
    if noted is not None and (noted.images, noted.init) == (last, init) and _is_there(noted):
        rests_on = f"../{_name(number)}"
    else:
        for one in range(1, number + 1):
            files.remove_tree(os.path.join(images, _name(one)))
        number = 0
    made = os.path.join(images, _name(number + 1))
    # CRIU opens it to read as root of the container.
    os.mkdir(made, mode=0o755)
    return made, rests_on


def _is_there(noted: Noted) -> bool:
    """Return whether what was noted is where it was."""
    with suppress(OSError):
        return os.stat(noted.images).st_ino == noted.inode
    return False


def _count(images: str) -> int:
    """Return how many earlier dumps one rests on."""
    number = 0
    while os.path.isdir(os.path.join(images, _name(number + 1))):
        number += 1
    return number


def _name(number: int) -> str:
    """Return what an earlier dump is called."""
    return f"{EARLIER}{number}"


def _link(source: str, target: str) -> None:
    # CRIU opens it to read as root of the container.
    os.mkdir(target, mode=0o755)
    for file in os.listdir(source):
        if file.startswith(_NEEDED):
            os.link(os.path.join(source, file), os.path.join(target, file))


def _note(place: Place) -> str:
    return os.path.join(place.run_dir, "written")
