"""Images of whole disks, from elsewhere and for elsewhere: looked at, taken in and written out by ``qemu-img``.

A stranger's image is read in the format that a person said, and as one that rests on nothing. What a format lets it name besides is
looked for before ``qemu-img`` sees it: a qcow2 image's backing and data files, the extents and the parent of a VMDK.
"""

import json
import os
import stat
import struct
from typing import Any

from wirt.errors import Corrupt, Failed, InvalidInput, NotFound
from wirt.host import files, run
from wirt.model.disk import QCOW2, RAW, DiskImage
from wirt.model.limits import LARGEST_DISK
from wirt.model.resources import BlockImage
from wirt.storage.disks import nodedisks
from wirt.units import render_bytes

DRIVERS = {RAW: "raw", QCOW2: "qcow2", "vmdk": "vmdk", "vhd": "vpc", "vdi": "vdi"}
"""Format -> what QEMU calls it."""

_OPTIONS = {"vhd": ["-o", "force_size=on"]}
"""Else a VHD's size is rounded to a geometry that nobody has."""

_VMDK = struct.Struct("<4sIIQQQQ")
"""Magic, version, flags, sectors; sectors of a grain; where its description is and how long, in sectors."""
_ONE_FILE = ('createType="monolithicSparse"', 'createType="streamOptimized"')
_SECTOR = 512
_LONGEST_DESCRIPTION = 20
"""Sectors, as many as those who write them leave room for."""


def measure(image: DiskImage) -> int:
    """Return the bytes that a machine has on the disk that an image is of; nothing else is opened.

    Raises:
        NotFound, Corrupt, InvalidInput, Conflict, Failed: it is no such image, or more than that; says why.
    """
    if image.form in (RAW, QCOW2):
        return _check_size(image.path, nodedisks.examine(image.path, image.form, read_only=True))
    if not os.path.isfile(image.path):
        raise NotFound(f"there is no {image.path}", hint="name a file")
    if image.form == "vmdk":
        with files.translated(f"look at {image.path}"):
            _check_vmdk(image)
    try:
        said = run.check(["qemu-img", "info", "--output=json", f"json:{json.dumps(_node(image))}"])
    except Failed as error:
        raise Corrupt(
            f"{image.path} is no {image.form} image",
            detail=error.detail,
            hint="say with --format what it is",
        ) from error
    found: dict[str, Any] = json.loads(said)
    return _check_size(image.path, int(found["virtual-size"]))


def take_in(image: DiskImage | None, layer: str, form: str, size: int) -> None:
    """Write the disk of a guest: what an image holds, or nothing, at least ``size`` bytes large.

    ``layer`` appears complete or not at all; a crash leaves a ``.new`` file beside it, which the next call replaces.

    Raises:
        Corrupt: the image is damaged.
        OutOfSpace, Failed: it could not be written.
    """
    fresh = f"{layer}.new"
    driver = DRIVERS[form]
    with files.translated(f"write {layer}"):
        if image is None:
            run.check(["qemu-img", "create", "-q", "-f", driver, fresh, str(size)])
        else:
            source = f"json:{json.dumps(_node(image))}"
            _convert(image.path, source, fresh, form, options=[])
            run.check(["qemu-img", "resize", "-q", "-f", driver, fresh, str(size)])
        os.chmod(fresh, 0o600)
        os.rename(fresh, layer)


def copy_part(image: DiskImage, target: str, start: int, length: int | None) -> None:
    """Write a part of the disk that an image is of, which has been looked at, to a raw file.

    Args:
        image: the image.
        target: the file; what is there is replaced.
        start: where the part begins, bytes.
        length: bytes of it; None: to the end.

    Raises:
        Corrupt: the image is damaged, or ends before that.
        OutOfSpace, Failed: it could not be written.
    """
    node = _node(image)
    if start or length is not None:
        bounds = {"offset": start} | ({} if length is None else {"size": length})
        node = {"driver": "raw", "file": node, **bounds}
    _convert(image.path, f"json:{json.dumps(node)}", target, RAW, options=[])


def write_out(disk: BlockImage | str, target: str, form: str, *, as_stream: bool = False) -> None:
    """Write what a guest's disk, or a raw image, holds to a file that is not there, or not needed.

    Args:
        disk: the guest's, or the image's path.
        target: the file.
        form: what it is to be in.
        as_stream: True for the kind of VMDK that an OVA has: compressed, to be read from its beginning.

    Raises:
        OutOfSpace, Failed: it could not be; what there is of the file is left.
    """
    options = ["-o", "subformat=streamOptimized"] if as_stream else _OPTIONS.get(form, [])
    if isinstance(disk, str):
        name = disk
        node: dict[str, object] = {"driver": "raw", "file": _file(disk)}
    else:
        # What is below is open in other guests' engines, which never write to it.
        below: dict[str, object] | None = None
        if disk.backing is not None:
            below = {"driver": "raw", "file": _file(disk.backing, shared=True)}
        name, node = disk.path, {"driver": disk.format, "file": _file(disk.path), "backing": below}
    _convert(name, f"json:{json.dumps(node)}", target, form, options=options)


def _convert(name: str, source: str, target: str, form: str, *, options: list[str]) -> None:
    try:
        run.check(["qemu-img", "convert", "-q", "-O", DRIVERS[form], *options, source, target])
    except Failed as error:
        if files.is_full(error):
            raise
        said = (error.detail or error.message).strip().splitlines()[-1]
        raise Failed(f"qemu-img could not convert {name}: {said}", detail=error.detail) from error


def _node(image: DiskImage) -> dict[str, object]:
    """Return how ``qemu-img`` reads an image: as what is said, and resting on nothing, whatever it claims."""
    file = _file(image.path)
    if image.length is not None:
        file = {"driver": "raw", "offset": image.offset, "size": image.length, "file": file}
    below = {"backing": None} if image.form in (QCOW2, "vmdk") else {}
    return {"driver": DRIVERS[image.form], "file": file, **below}


def _file(path: str, *, shared: bool = False) -> dict[str, object]:
    is_device = stat.S_ISBLK(os.stat(path).st_mode)
    unlocked = {"locking": "off"} if shared and not is_device else {}
    return {"driver": "host_device" if is_device else "file", "filename": path, **unlocked}


def _check_vmdk(image: DiskImage) -> None:
    """Check that a VMDK is one file: a description of extents may name any file of the node.

    Source: block/vmdk.c of QEMU, and VMware's Virtual Disk Format 5.0.

    Raises:
        Corrupt: it is no VMDK.
        InvalidInput: it is more than one file.
    """
    with open(image.path, "rb") as file:
        file.seek(image.offset)
        head = file.read(_VMDK.size)
        if head.startswith(b"# Disk DescriptorFile"):
            raise _several_files(image)
        if len(head) < _VMDK.size or head[:4] != b"KDMV":
            raise Corrupt(f"{image.path} is no vmdk image", hint="say with --format what it is")
        *_, sectors, _, place, length = _VMDK.unpack(head)
        file.seek(image.offset + place * _SECTOR)
        description = file.read(min(length, _LONGEST_DESCRIPTION) * _SECTOR).decode(
            errors="replace"
        )
    if sectors == 0 or not any(kind in description for kind in _ONE_FILE):
        raise _several_files(image)
    if "parentFileNameHint" in description:
        raise InvalidInput(
            f"{image.path} rests on another file, which is not followed",
            hint="put both into one where it comes from",
        )


def _several_files(image: DiskImage) -> InvalidInput:
    return InvalidInput(
        f"{image.path} names other files, which are not followed",
        hint="put them into one where it comes from: monolithicSparse or streamOptimized",
    )


def _check_size(path: str, size: int) -> int:
    if not 0 < size <= LARGEST_DISK:
        raise InvalidInput(
            f"{path} is of a disk of {render_bytes(size)}",
            hint=f"at most {render_bytes(LARGEST_DISK)} can be taken in",
        )
    return size
