"""What a guest with a kernel of its own is booted with: the node's files that it was told, or its template's."""

import os

from wirt.approaches.base import Needs
from wirt.errors import InvalidInput, NotFound, Unsupported
from wirt.model.guest import Guest
from wirt.model.kernelboot import KernelBoot, check_words
from wirt.ops.context import Context


def find_boot(context: Context, guest: Guest, needs: Needs) -> KernelBoot | None:
    """Return what a guest is booted with; None if that is its engine's affair, or what is on its disk.

    Raises:
        NotFound: a file of the node is gone.
    """
    if guest.kernel_boot is not None:
        _check_files(guest.name, guest.kernel_boot)
        return guest.kernel_boot
    if not needs.kernel_image or not guest.has_template:
        return None
    boot = context.templates.path_of_form(guest.template, "boot", sha256=guest.template_sha256)
    return KernelBoot(kernel=f"{boot}/vmlinuz", ramdisk=f"{boot}/initrd.img")


def check_boot(name: str, approach: str, needs: Needs, boot: KernelBoot) -> None:
    """Check that a guest that is going to be made can be booted so.

    Raises:
        Unsupported: it has no kernel of its own.
        InvalidInput, NotFound: what is given is no kernel's.
    """
    if not needs.own_kernel:
        raise Unsupported(
            f"guest {name} cannot have a kernel of its own: approach {approach} runs it under the node's",
            hint="use the approach uml, qemu or kvm",
        )
    for path in (boot.kernel, boot.ramdisk):
        if path is not None and not os.path.isabs(path):
            raise InvalidInput(f"{path} is no absolute path", hint="begin it with /")
    check_words(boot)
    _check_files(name, boot)


def _check_files(name: str, boot: KernelBoot) -> None:
    for what, path in (("kernel", boot.kernel), ("ramdisk", boot.ramdisk)):
        if path is not None and not os.path.isfile(path):
            raise NotFound(
                f"the {what} of guest {name} is not there: {path} is no file",
                hint="put it back, or name another",
            )
