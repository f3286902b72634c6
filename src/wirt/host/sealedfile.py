"""Files that end with the checksum of all that is before it, so that nobody trusts one that was cut short or altered.

What they hold is packed by zstd; the checksum is a frame that zstd skips, so every program that unpacks such files reads them.
"""

import hashlib
import os
import struct
from collections.abc import Iterable

from wirt.errors import Corrupt, InvalidInput
from wirt.host import files

_PACKED = b"\x28\xb5\x2f\xfd"
_DIGEST = hashlib.sha256().digest_size
_MARK = b"wirt-sha256 "
_FRAME = struct.pack("<II", 0x184D2A57, len(_MARK) + _DIGEST) + _MARK
"""What zstd skips: a number that says so, and the length of what follows."""
_PART = 1 << 20


def write(path: str, parts: Iterable[bytes]) -> int:
    """Write a file that is not there yet, whole and on disk when this returns, and return its bytes.

    Args:
        path: the file; what dies or fails leaves a part of it.
        parts: what zstd made.
    """
    summed = hashlib.sha256()
    with open(path, "xb") as file:
        for part in parts:
            summed.update(part)
            file.write(part)
        file.write(_FRAME + summed.digest())
        size = file.tell()
    files.sync_file(path)
    return size


def verify(path: str, what: str) -> None:
    """Check a file against the checksum at its end.

    Args:
        path: the file.
        what: it ought to be, for the message: "a snapshot".

    Raises:
        InvalidInput: it never was one.
        Corrupt: it is not what was written.
    """
    name, summed = os.path.basename(path), hashlib.sha256()
    again = "copy it again from where it was written"
    with open(path, "rb", buffering=0) as file:
        if file.read(len(_PACKED)) != _PACKED:
            raise InvalidInput(f"{name} holds no {what}", hint=f"see what it is: file {path}")
        left = os.fstat(file.fileno()).st_size - len(_FRAME) - _DIGEST
        end = os.pread(file.fileno(), len(_FRAME) + _DIGEST, max(left, 0))
        if left < len(_PACKED) or not end.startswith(_FRAME):
            raise Corrupt(f"{name} is cut short: its end is missing", hint=again)
        file.seek(0)
        while left > 0 and (part := file.read(min(left, _PART))):
            summed.update(part)
            left -= len(part)
    if end[len(_FRAME) :] != summed.digest():
        raise Corrupt(f"{name} is damaged: it is not what was written", hint=again)
