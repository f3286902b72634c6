"""What a guest's memory held, on disk: written with its checksums, and never trusted without them.

A checkpoint is a snapshot with memory: its root is the snapshot's, in the pool; the rest is a directory of the guest's,
with whatever the approach wrote and a manifest that is written last.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import msgspec

from wirt.errors import Corrupt
from wirt.host import files
from wirt.model.guest import Guest

_MANIFEST = "manifest.json"
_PART = 1 << 20


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a checkpoint."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint is of, and every file of it."""

    version: int = 1
    guest: Guest
    """As it was then: its limits, card and names."""
    machine: str
    """Processor architecture, as uname says it."""
    kernel: str
    parts: dict[str, Part]
    """Path below the checkpoint -> what is there."""


def seal(directory: str, guest: Guest) -> Manifest:
    """Write the manifest of a directory that is complete, and everything in it through to the disk."""
    names = sorted(_list(directory))
    with ThreadPoolExecutor(2) as pool:
        parts = dict(zip(names, pool.map(lambda name: _read(directory, name), names), strict=True))
    node = os.uname()
    manifest = Manifest(guest=guest, machine=node.machine, kernel=node.release, parts=parts)
    content = msgspec.json.format(msgspec.json.encode(manifest))
    files.write_atomically(os.path.join(directory, _MANIFEST), content)
    return manifest


def verify(directory: str, what: str) -> Manifest:
    """Check every file of a checkpoint against its manifest, which is returned.

    Args:
        directory: the checkpoint.
        what: what it is called in messages: "checkpoint one of guest web".

    Raises:
        Corrupt: something is missing, altered or too much.
    """
    hint = "it cannot be resumed; go back to its disk alone: wirt snapshot restore"
    try:
        with open(os.path.join(directory, _MANIFEST), "rb") as file:
            manifest = msgspec.json.decode(file.read(), type=Manifest)
    except (OSError, msgspec.MsgspecError):
        raise Corrupt(f"{what} is damaged: its manifest cannot be read", hint=hint) from None
    names = sorted(manifest.parts)
    if names != sorted(_list(directory)):
        raise Corrupt(f"{what} is damaged: files of it are missing or strange", hint=hint)
    with ThreadPoolExecutor(2) as pool:
        for name, part in zip(
            names, pool.map(lambda one: _read(directory, one), names), strict=True
        ):
            if part != manifest.parts[name]:
                raise Corrupt(f"{what} is damaged: {name} is not what was written", hint=hint)
    return manifest


def size(manifest: Manifest) -> int:
    """Return the bytes of a checkpoint's files."""
    return sum(part.bytes for part in manifest.parts.values())


def _list(directory: str) -> list[str]:
    found = []
    for top, _, names in os.walk(directory):
        found += [os.path.relpath(os.path.join(top, name), directory) for name in names]
    return [name for name in found if name != _MANIFEST and not name.endswith(".log")]


def _read(directory: str, name: str) -> Part:
    checksum, total = hashlib.sha256(), 0
    with open(os.path.join(directory, name), "rb") as file:
        while part := file.read(_PART):
            checksum.update(part)
            total += len(part)
    return Part(bytes=total, sha256=checksum.hexdigest())
