"""Names that people give, and names that the kernel gets."""

import os
import re
import zlib
from collections.abc import Sequence

from wirt.errors import InvalidInput

MAX_NAME = 40
BRIDGES = "wirt-"
"""What the bridges of all homes begin with, and nothing else."""
_NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_NUMBER = r"[1-9][0-9]{0,17}"
_TEMPLATE = r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?"


def check_name(name: str, what: str = "guest") -> str:
    """Return ``name`` if a guest may be called so.

    A name is a DNS label, because it becomes the guest's host name, and short enough for every kernel object.

    Raises:
        InvalidInput: it is empty, too long, or holds other characters than a-z, 0-9 and inner hyphens.
    """
    _check_length(name, what)
    if re.fullmatch(_NAME, name) is None:
        raise InvalidInput(
            f"{name!r} is not a {what} name",
            hint="use a-z, 0-9 and inner hyphens, such as web-1",
        )
    return name


def check_template_name(name: str) -> str:
    """Return ``name`` if a template may be called so: as guests, and as others call theirs (debian-12.0-x86_64).

    It becomes a directory, never one that is hidden.

    Raises:
        InvalidInput: it is empty, too long, or holds other characters.
    """
    _check_length(name, "template")
    if re.fullmatch(_TEMPLATE, name) is None:
        raise InvalidInput(
            f"{name!r} is not a template name",
            hint="use a-z, 0-9 and inner hyphens, dots and underscores, such as debian-12-web",
        )
    return name


def number_in(name: str) -> int | None:
    """Return the number that a name is, written as numbers are; None if it is none."""
    return int(name) if re.fullmatch(_NUMBER, name) else None


def name_of_archive(path: str) -> str:
    """Return what a template that is made of an archive is called: as its file, without the endings of archives."""
    return re.sub(r"\.(tar(\.\w+)?|tgz|oci)$", "", os.path.basename(os.path.abspath(path)))


def _check_length(name: str, what: str) -> None:
    if len(name) > MAX_NAME:
        raise InvalidInput(
            f"{what} name {name[:20]!r}... has {len(name)} characters",
            hint=f"use at most {MAX_NAME}",
        )


def new_guest_id() -> str:
    """Return a fresh guest id: six hexadecimal digits, short enough for interface names."""
    return os.urandom(3).hex()


def home_tag(home: str) -> str:
    """Return the four-letter tag that keeps two homes' kernel objects apart.

    Letters only, so that a tag never looks like a number to ``ip`` or ``nft``.
    """
    number = zlib.crc32(home.encode())
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(4))


def kernel_name(tag: str, guest_id: str) -> str:
    """Return what a guest is called in cgroups, containers, processes: ``wabcd-12ab34``."""
    return f"w{tag}-{guest_id}"


def interface_name(tag: str, guest_id: str, card: int = 0) -> str:
    """Return the host side of a guest's network card, within the kernel's 15 characters: ``wabcd12ab34``, ``wabcd12ab34.1``."""
    return f"{interface_prefix(tag)}{guest_id}{f'.{card}' if card else ''}"


def bridge_name(tag: str, network: int = 0) -> str:
    """Return what a home's bridge is called, or that of a private network: ``wirt-abcd``, ``wirt-abcd.1``."""
    return f"{BRIDGES}{tag}{f'.{network}' if network else ''}"


def routed_bridge_name(tag: str) -> str:
    """Return what the bridge of a home's routed cards is called: ``wirt-abcd.r``."""
    return f"{BRIDGES}{tag}.r"


def interface_prefix(tag: str) -> str:
    """Return what the interfaces of all guests of a home begin with; the bridge's name (``wirt-abcd``) does not."""
    return f"w{tag}"


def enumerate_guests(names: Sequence[str]) -> str:
    """Return the guests of these names for a sentence, the first five of them by name."""
    guests = "guest" if len(names) == 1 else "guests"
    return f"the {guests} {', '.join(names[:5])}{' and others' if len(names) > 5 else ''}"
