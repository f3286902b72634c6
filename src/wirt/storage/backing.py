"""Layers of disks that came from another node: where the image is that they rest on."""

import os

from wirt.host import run
from wirt.storage import ubdlayer


def rest_on(directory: str, image: str) -> None:
    """Have the layer in a directory called "qcow2" or "ubd", or a copy of one, say where its image is; no error if there is none.

    Raises:
        Corrupt: it is no layer that is known here.
    """
    layer = os.path.join(directory, "disk")
    if not image or not os.path.exists(layer):
        return
    with open(layer, "rb") as file:
        is_qcow2 = file.read(4) == b"QFI\xfb"
    if is_qcow2:
        rebase = ["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", image]
        run.check([*rebase, layer])
    else:
        ubdlayer.rest_on(layer, image)
