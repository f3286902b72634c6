"""Where each approach is: a name and a module, loaded when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING

from wirt.errors import InvalidInput

if TYPE_CHECKING:
    from wirt.approaches.base import Approach

APPROACHES = {
    "chroot": "wirt.approaches.chroot:Chroot",
    "lxc": "wirt.approaches.lxc.driver:Lxc",
    "uml": "wirt.approaches.uml.driver:Uml",
    "qemu": "wirt.approaches.qemu.driver:Qemu",
    "kvm": "wirt.approaches.qemu.driver:Kvm",
    "xen": "wirt.approaches.xen.driver:Xen",
    "xen-pvh": "wirt.approaches.xen.driver:XenPvh",
}
"""In the order of the source's table 1.1: from the least to the most between guest and node."""


_REMEMBERING = frozenset({"kvm"})
"""Approaches whose probe takes seconds: they keep its answer in a directory until the node is started anew."""


def load_approach(name: str, directory: str | None = None) -> "Approach":
    """Return the driver of an approach.

    Args:
        name: the approach.
        directory: where a driver may keep what it found out about the node until its next start; None: nowhere.

    Raises:
        InvalidInput: there is no approach of this name.
    """
    try:
        module, _, class_name = APPROACHES[name].partition(":")
    except KeyError:
        raise InvalidInput(
            f"there is no approach {name!r}", hint=f"choose one of {', '.join(APPROACHES)}"
        ) from None
    driver_class = getattr(import_module(module), class_name)
    driver: Approach = driver_class(directory) if name in _REMEMBERING else driver_class()
    return driver
