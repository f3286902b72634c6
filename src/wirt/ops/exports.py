"""``export``: what a guest's disk or root holds, as the image of a disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wirt.errors import Conflict
from wirt.host import files, interrupts
from wirt.model.disk import OVA
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.model.resources import BlockImage
from wirt.ops import guests, journal
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder
from wirt.storage import ubdlayer
from wirt.storage.disks import diskimages, ova
from wirt.storage.templates.rootimage import build_image


def export_guest(context: Context, name: str, path: str, form: str, *, force: bool = False) -> int:
    """Write a stopped guest's disk to a file and return the file's bytes; the guest stays as it is.

    Of a guest whose root is a tree, it is a file system (ext4) of the size of its disk that holds that tree, without a
    boot loader.

    Args:
        context: the home.
        name: the guest.
        path: the file; it appears complete or not at all, and a crash leaves ``.NAME.wirt-new`` beside it.
        form: what it is to be in.
        force: True to replace what is there.

    Raises:
        NotFound, WrongState, Conflict, Unsupported, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be written; nothing is left of it.
    """
    with guests.held(context, name) as guest:
        next_state(guest.state, "export", guest.name)
        if os.path.exists(path) and not (force and os.path.isfile(path)):
            raise Conflict(f"there is a {path} already", hint="name another file, or pass --force")
        directory, file = os.path.split(os.path.abspath(path))
        fresh = os.path.join(directory, f".{file}.wirt-new")
        try:
            with files.translated(f"write {path}"), interrupts.allowed():
                with _disk_of(context, guest, f"{fresh}.raw") as disk:
                    _write(guest, disk, fresh, form)
                files.sync_file(fresh)
                os.rename(fresh, path)
                files.sync_directory(directory)
        except BaseException:
            for left in (fresh, f"{fresh}.vmdk"):
                with suppress(FileNotFoundError):
                    os.unlink(left)
            raise
    return os.stat(path).st_size


def _write(guest: Guest, disk: BlockImage | str, target: str, form: str) -> None:
    if form != OVA:
        diskimages.write_out(disk, target, form)
        return
    vmdk = f"{target}.vmdk"
    diskimages.write_out(disk, vmdk, "vmdk", as_stream=True)
    limits = guest.limits
    ova.pack(
        vmdk,
        target,
        name=guest.name,
        size=limits.disk,
        cpus=limits.cpus,
        memory=limits.memory,
    )
    os.unlink(vmdk)


@contextmanager
def _disk_of(context: Context, guest: Guest, image: str) -> Iterator[BlockImage | str]:
    """Give a guest's disk, or the path of a raw image of it that is made at ``image`` and goes with the block."""
    try:
        if context.approach(guest.approach).needs.root == "tree":
            _build_of_tree(context, guest, image)
            yield image
            return
        root = Ladder(context, guest).root.attached()
        assert isinstance(root, BlockImage)
        if root.format != "ubd" or root.backing is None:
            yield root
            return
        if os.path.exists(root.path):
            ubdlayer.unpack(root.path, image, below=root.backing)
        else:  # it has never been started: there is no layer yet
            files.copy_all(root.backing, image)
        yield image
    finally:
        with suppress(FileNotFoundError):
            os.unlink(image)


def _build_of_tree(context: Context, guest: Guest, image: str) -> None:
    """Make a raw image of a guest's tree, which is shown for as long as that takes."""
    journal.begin(context, guest, "export")
    ladder = Ladder(context, guest)
    steps = ladder.to_look()
    journal.build(context, "export", guest, steps, otherwise=guest)
    try:
        build_image(ladder.root.view, image, guest.limits.disk)
    finally:
        journal.dismantle("export", steps)
        journal.settle(context, "export", guest, guest)
