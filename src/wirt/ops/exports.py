"""``export``: what a guest's disk or root holds, as the image of a disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wirt.errors import Conflict, Unsupported
from wirt.host import files, interrupts
from wirt.model.disk import OVA
from wirt.model.guest import Guest
from wirt.model.lifecycle import next_state
from wirt.model.resources import BlockImage
from wirt.ops import guests, journal
from wirt.ops.context import Context
from wirt.ops.steps import Ladder
from wirt.storage import diskimages, ova
from wirt.storage.rootimage import build_image


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
                if context.approach(guest.approach).needs.root == "tree":
                    with _tree_as_image(context, guest, f"{fresh}.raw") as image:
                        _write(guest, image, fresh, form)
                else:
                    _write(guest, _disk_of(context, guest), fresh, form)
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


def _disk_of(context: Context, guest: Guest) -> BlockImage:
    root = Ladder(context, guest).root.attached()
    assert isinstance(root, BlockImage)
    if root.format not in diskimages.DRIVERS:
        raise Unsupported(
            f"guest {guest.name} cannot be exported: under {guest.approach} its disk is a layer that only "
            "User-Mode Linux reads",
            hint="copy its files out while it runs: wirt copy",
        )
    return root


@contextmanager
def _tree_as_image(context: Context, guest: Guest, image: str) -> Iterator[str]:
    """Give a raw image of a guest's tree, which is shown for as long as it takes to make it."""
    journal.begin(context, guest, "export")
    ladder = Ladder(context, guest)
    steps = ladder.to_look()
    journal.build(context, "export", guest, steps, otherwise=guest)
    try:
        try:
            build_image(ladder.root.view, image, guest.limits.disk)
        finally:
            journal.dismantle("export", steps)
            journal.settle(context, "export", guest, guest)
        yield image
    finally:
        with suppress(FileNotFoundError):
            os.unlink(image)
