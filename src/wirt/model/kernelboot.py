"""A kernel that the node hands to a guest, in the place of the template's or the node's own."""

import msgspec

from wirt.errors import InvalidInput

MOST_ARGUMENTS = 1024
"""Bytes: the kernel of x86-64 reads 2047 in all, and some are Wirt's."""


class KernelBoot(msgspec.Struct, frozen=True, kw_only=True):
    """What a guest with a kernel of its own is booted with: files of the node, looked for at every start."""

    kernel: str
    """Absolute path; for User-Mode Linux that of the program."""
    ramdisk: str | None = None
    """Absolute path; None: the kernel reaches its root by itself."""
    arguments: str = ""
    """What the kernel is told beside what Wirt tells it; the last word counts."""
    root: str | None = None
    """Its root as the kernel names it; None: the first disk."""


def check_words(boot: KernelBoot) -> None:
    """Check what the kernel is to be told.

    Raises:
        InvalidInput: it is too long, or could not be handed over in one line.
    """
    for text in (boot.arguments, boot.root or ""):
        if len(text.encode()) > MOST_ARGUMENTS or not (text.isprintable() or not text):
            raise InvalidInput(
                f"a kernel cannot be told {text[:40]!r}",
                hint=f"give at most {MOST_ARGUMENTS} bytes, in one line",
            )
    if boot.root is not None and (not boot.root or " " in boot.root):
        raise InvalidInput(
            f"{boot.root!r} names no root", hint="name a device, such as /dev/vda, or LABEL=NAME"
        )
