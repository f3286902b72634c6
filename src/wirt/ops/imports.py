"""``import``: a guest whose disk is an image's, of another machine."""

import os

import msgspec

from wirt.errors import InvalidInput
from wirt.model.disk import OVA, DiskImage
from wirt.model.guest import Guest
from wirt.model.limits import SMALLEST_DISK
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, OwnDisk, create
from wirt.storage.disks import diskimages, ova
from wirt.units import render_bytes


def import_guest(
    context: Context, request: CreateRequest, path: str, form: str, *, disk: int | None
) -> Guest:
    """Make a guest whose disk holds what an image does, and return it, stopped. The image stays as it is.

    Args:
        context: the home.
        request: the guest but for its disk.
        path: the image.
        form: what that is in; it is never guessed.
        disk: bytes of the guest's disk; None: as many as the image's, or as any guest's has at least.

    Raises:
        InvalidInput, NotFound, Conflict, Unsupported, Corrupt: it cannot be; nothing was changed.
        OutOfSpace, Failed: it could not be made; nothing of it is left.
    """
    image = find_image(path, form)
    size = diskimages.measure(image)
    if disk is not None and disk < size:
        raise InvalidInput(
            f"the disk in {path} has {render_bytes(size)}, and does not fit into {render_bytes(disk)}",
            hint="leave --disk out, or ask for more",
        )
    limits = msgspec.structs.replace(request.limits, disk=disk or max(size, SMALLEST_DISK))
    own = OwnDisk(image=image)
    return create(context, msgspec.structs.replace(request, limits=limits, disk=own))


def find_image(path: str, form: str) -> DiskImage:
    """Return the image of a disk in a file: the file, or the part of an appliance.

    Raises:
        InvalidInput, NotFound, Corrupt: there is none.
    """
    if not os.path.isabs(path):
        raise InvalidInput(f"{path} is no absolute path", hint="begin it with /")
    return ova.find_disk(path) if form == OVA else DiskImage(path=path, form=form)
