"""What a guest's memory held, on disk: written with its checksums, and never trusted without them.

A checkpoint is a snapshot with memory: its root is the snapshot's, in the pool; the rest is a directory of the guest's,
with whatever the approach wrote and a manifest that is written last.

The checksums find damage, which is all that they can: who may write here may write a manifest as well. So they are the quickest
that do, CRC-32 of every MiB, because a guest waits for them; they take two fifths of the time of SHA-256.
"""

import os
import zlib
from concurrent.futures import ThreadPoolExecutor

import msgspec

from wirt.errors import Corrupt
from wirt.host import files
from wirt.model.checkpoint import EARLIER
from wirt.model.guest import Guest

_MANIFEST = "manifest.json"
_PIECE = 1 << 20
_TURN = 16
"""How many pieces of a file a thread reads at a time: a large one keeps them all busy."""
_THREADS = 4


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a checkpoint."""

    bytes: int
    crc32: tuple[int, ...]
    """Of every MiB of it."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint is of, and every file of it."""

    version: int = 2
    guest: Guest
    """As it was then: its limits, card and names."""
    machine: str
    """Processor architecture, as uname says it."""
    kernel: str
    parts: dict[str, Part]
    """Path below the checkpoint -> what is there."""


def seal(directory: str, guest: Guest) -> Manifest:
    """Write the manifest of a directory that is complete."""
    node = os.uname()
    manifest = Manifest(
        guest=guest, machine=node.machine, kernel=node.release, parts=_read(directory)
    )
    content = msgspec.json.encode(manifest)
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
    if sorted(manifest.parts) != sorted(_list(directory)):
        raise Corrupt(f"{what} is damaged: files of it are missing or strange", hint=hint)
    found = _read(directory)
    for name, part in sorted(manifest.parts.items()):
        if found[name] != part:
            raise Corrupt(f"{what} is damaged: {name} is not what was written", hint=hint)
    return manifest


def size(manifest: Manifest) -> int:
    """Return the bytes of a checkpoint's files, but for those that it has from an earlier one."""
    return sum(part.bytes for name, part in manifest.parts.items() if f"/{EARLIER}" not in name)


def _list(directory: str) -> list[str]:
    found = []
    for top, _, names in os.walk(directory):
        found += [os.path.relpath(os.path.join(top, name), directory) for name in names]
    return [name for name in found if name != _MANIFEST and not name.endswith(".log")]


def _read(directory: str) -> dict[str, Part]:
    """Return what every file of a checkpoint is."""
    sizes = {name: os.path.getsize(os.path.join(directory, name)) for name in _list(directory)}
    turns = [(name, at) for name, size in sizes.items() for at in range(0, size, _TURN * _PIECE)]
    sums: dict[str, list[int]] = {name: [] for name in sizes}
    with ThreadPoolExecutor(_THREADS) as pool:
        paths = [os.path.join(directory, name) for name, _ in turns]
        for (name, _), found in zip(
            turns, pool.map(_sums, paths, (at for _, at in turns)), strict=True
        ):
            sums[name] += found
    return {name: Part(bytes=size, crc32=tuple(sums[name])) for name, size in sizes.items()}


def _sums(path: str, start: int) -> list[int]:
    """Return the checksums of one turn's pieces of a file."""
    piece = memoryview(bytearray(_PIECE))
    sums: list[int] = []
    with open(path, "rb", buffering=0) as file:
        file.seek(start)
        while len(sums) < _TURN and (length := file.readinto(piece)):
            sums.append(zlib.crc32(piece[:length]))
    return sums
