"""Files in the ext4 file system of a disk image, changed without the node's kernel ever mounting it.

What is on a guest's disk is the guest's, and may be made to break a kernel that reads it. So QEMU's storage daemon shows the
image as a plain file, or a layer of User-Mode Linux is made one, and e2fsprogs work on that. All programs run in namespaces of
their own and end with this process.
"""

import os
import re
from collections.abc import Iterator, Sequence

import msgspec

from wirt.errors import Failed
from wirt.host import files, run
from wirt.model.capability import Capability, no, yes
from wirt.storage import ubdlayer
from wirt.storage.templates.mmdebstrap import PRIVATE
from wirt.storage.templates.ownthings import PLACES, Entry, find_identity, is_machine_id, said_of

_PROGRAMS = {
    "qcow2": {"qemu-storage-daemon": "qemu-system-common", "debugfs": "e2fsprogs"},
    "ubd": {"debugfs": "e2fsprogs"},
}
"""Form of image -> programs -> the packages that they are in."""
_SAFE = re.compile(r"[A-Za-z0-9._@+:~-]+")
"""Names that debugfs takes as they are; programs give such ones to what is looked for here."""
_SCRIPT = """\
set -e
qemu-storage-daemon --daemonize --pidfile "$1/pid" --blockdev "$2" --export "$3"
e2fsck -f -y "$1/raw" >"$1/checked" 2>&1 || [ $? -eq 1 ]
debugfs -w -f "$1/commands" "$1/raw"
pid=$(cat "$1/pid")
kill "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
"""
"""What the daemon has not written down yet it writes at its end."""
_PLAIN_SCRIPT = """\
set -e
e2fsck -f -y "$1/raw" >"$1/checked" 2>&1 || [ $? -eq 1 ]
debugfs -w -f "$1/commands" "$1/raw"
"""


def probe(form: str) -> Capability:
    """Ask for the programs that a form of image needs."""
    for program, package in _PROGRAMS[form].items():
        if run.find_program(program) is None:
            return no(
                "image-files",
                f"the program {program} is not installed",
                f"apt-get install {package}",
            )
    return yes("image-files", "by debugfs, and what shows it the image")


def forget_identity(layer: str, form: str, image: str) -> list[str]:
    """Take out of the root on an image, which nobody uses, what its guest is told from others by; return what.

    A crash leaves files beside the image.

    Args:
        layer: the image.
        form: "qcow2" or "ubd".
        image: what a layer of User-Mode Linux rests on.

    Raises:
        Failed: the image could not be shown, or holds no ext4 file system.
    """
    work = f"{layer}.work"
    files.remove_tree(work)
    os.makedirs(work, mode=0o700)
    try:
        if form == "ubd":
            ubdlayer.unpack(layer, f"{work}/raw", below=image)
        listed = _debug(layer, form, work, [f"ls -p /{place}" for place in PLACES])
        found, commands = [], []
        for path, entry in _entries(listed):
            what = find_identity(path, entry)
            if what is None:
                continue
            commands.append(f"rm /{path}")
            if is_machine_id(path):
                commands.append(f"write {work}/empty /{path}")
            found.append(what)
        if commands:
            files.write(f"{work}/empty", "", mode=0o444)
            _debug(layer, form, work, commands)
            if form == "ubd":
                ubdlayer.pack(f"{work}/raw", layer, below=image)
    finally:
        files.remove_tree(work)
    return said_of(found)


def _debug(layer: str, form: str, work: str, commands: Sequence[str]) -> str:
    """Run commands of debugfs on what an image holds, and return what they say."""
    files.write(f"{work}/commands", "".join(f"{command}\n" for command in commands))
    script = [_PLAIN_SCRIPT, "sh", work] if form == "ubd" else _showing(layer, work)
    done = run.run([*PRIVATE, "sh", "-c", *script])
    if done.status != 0:
        raise Failed(
            f"the file system in {layer} could not be changed",
            detail=done.stderr.strip() or done.stdout.strip(),
            hint="it may be damaged: start its guest, and see whether it mounts its root",
        )
    return done.stdout


def _showing(layer: str, work: str) -> list[str]:
    """Return the script that has QEMU's storage daemon show a qcow2 image, and its arguments."""
    files.write(f"{work}/raw", "")
    image = {"driver": "file", "filename": layer}
    disk = {"driver": "qcow2", "node-name": "disk", "file": image}
    shown = {"type": "fuse", "id": "disk", "node-name": "disk", "writable": True}
    return [_SCRIPT, "sh", work, _json(disk), _json({**shown, "mountpoint": f"{work}/raw"})]


def _entries(said: str) -> Iterator[tuple[str, Entry]]:
    """Yield the paths that debugfs has listed, without a slash before them."""
    place = ""
    for line in said.splitlines():
        if line.startswith("debugfs: ls -p /"):
            place = line.removeprefix("debugfs: ls -p /").strip()
            continue
        # Number, mode, owner, group, name and size between slashes; a directory has no size.
        fields = line.split("/")
        if len(fields) == 8 and fields[2].isdigit() and _SAFE.fullmatch(fields[5]):
            size = int(fields[6]) if fields[6].isdigit() else 0
            yield f"{place}/{fields[5]}", Entry(mode=int(fields[2], 8), size=size)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
