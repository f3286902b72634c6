"""What a guest with an unmodified kernel boots from: the template's own kernel and a ramdisk made for it.

The ramdisk holds a static busybox and the few modules that reach the disk, in the order the kernel's own table names,
and hands over to the system on the disk. A distribution's stock ramdisk does the same forty times slower under emulation,
because it holds what any machine might need; ours knows the machine. It is not compressed, since unpacking costs an
emulated processor more than reading does.

A template's root may be a stranger's: where a file ought to be there may be a link to one of the node's, a device or a
pipe that nobody writes to, and its own list of modules may name any path. So everything is opened by ``_open_inside``.
"""

import gzip
import lzma
import os
import re
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from wirt.errors import Unsupported
from wirt.host import files, run

_BUSYBOX = "/bin/busybox"

_MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "virtio_net", "virtio_console")
"""What the system on the disk finds loaded; the network card and the agent's port must not wait for udev."""

_XEN_MODULES = ("xen_blkfront", "crc32c_generic", "ext4", "xen_netfront")
"""The same for a domain of Xen's; a kernel without them cannot be one."""

_NEEDED = frozenset({"virtio_pci", "virtio_blk", "ext4"})

ON_XEN = "wirt_xen"
"""Kernel argument (with any value) that tells the ramdisk that its machine is a domain of Xen's."""

GROW = "wirt_grow"
"""Kernel argument (with any value) that makes the ramdisk grow the file system to the size of its disk."""

_INIT = """\
#!/bin/busybox sh
# Made by Wirt: load what reaches the disk, then hand over to the system on it.
/bin/busybox mount -t devtmpfs dev /dev
disk=/dev/vda modules="{modules}"
if [ -n "${{{xen}:-}}" ]; then
    disk=/dev/xvda modules="{xen_modules}"
fi
for module in $modules; do
    /bin/busybox insmod "/modules/$module.ko"
done
# A disk is announced a moment after its driver is loaded. Without one this ends, and the kernel says so and stops.
tries=0
while [ ! -b "$disk" ] && [ "$tries" -lt 1000 ]; do
    /bin/busybox usleep 10000
    tries=$((tries + 1))
done
/bin/busybox mount -t ext4 -o rw "$disk" /root || exit 1
/bin/busybox mount -o move /dev /root/dev
# The kernel gives what it does not know itself to its first program, as variables.
if [ -n "${{{grow}:-}}" ]; then
    unset {grow}
    # The system's own program; it looks into proc to see that the file system is mounted, and grows it as it is.
    /bin/busybox mount -t proc proc /root/proc
    /bin/busybox chroot /root /sbin/resize2fs "$disk"
    /bin/busybox umount /root/proc
fi
if [ -n "${{{xen}:-}}" ]; then
    unset {xen}
    # Debian starts the agent for a port of virtio's; here it listens on the domain's second console. systemd keeps a /run that it finds.
    /bin/busybox mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /root/run
    /bin/busybox mkdir -p /root/run/systemd/system/multi-user.target.wants
    /bin/busybox cp /{unit} /root/run/systemd/system/{unit}
    /bin/busybox ln -s ../{unit} /root/run/systemd/system/multi-user.target.wants/{unit}
fi
exec /bin/busybox switch_root /root /sbin/init
"""

_UNIT = "wirt-xen-agent.service"
_UNIT_TEXT = """\
[Unit]
Description=QEMU guest agent on the second console of a Xen domain
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/sbin/qemu-ga --method=isa-serial --path=/dev/hvc1
# The kernel hangs the line up when the domain goes on from a checkpoint. The agent would sit before it for ever; as the one whose
# terminal it is, it is ended by that, and started anew.
StandardInput=tty
TTYPath=/dev/hvc1
StandardOutput=journal
StandardError=journal
Restart=always
RestartSec=1
"""


def find_kernel(tree: str) -> str:
    """Return the path of a tree's newest kernel that has its modules with it.

    Only regular files in ``boot`` count: in an imported tree links may point anywhere on the node.

    Raises:
        Unsupported: the tree holds no kernel, or its ``boot`` is a link.
    """
    boot = os.path.join(tree, "boot")
    if os.path.islink(boot):
        raise _refusal(boot, "is a symbolic link")
    found = [
        name
        for name in (os.listdir(boot) if os.path.isdir(boot) else [])
        if name.startswith("vmlinuz-")
        and _is_regular(os.path.join(boot, name))
        and _modules_directory(tree, name.removeprefix("vmlinuz-")) is not None
    ]
    if not found:
        raise Unsupported(
            "the template has no kernel to boot",
            hint="add linux-image-cloud-amd64 to its packages, or use the approach chroot or lxc",
        )
    return os.path.join(boot, max(found, key=_version_key))


def has_kernel(tree: str) -> bool:
    """Say whether a tree has a kernel that can be booted."""
    try:
        find_kernel(tree)
    except Unsupported:
        return False
    return True


def copy_kernel(tree: str, out: str) -> None:
    """Write a tree's newest kernel to ``out``, whole or not at all.

    Raises:
        Unsupported: the tree has no kernel.
        OutOfSpace: it could not be written.
    """
    with _open_inside(tree, find_kernel(tree)) as file:
        content = file.read()
    with files.translated(f"write the kernel {out}"):
        files.write_atomically(os.path.abspath(out), content)


def build_ramdisk(tree: str, out: str) -> None:
    """Write the initial ramdisk for a tree's newest kernel to ``out``, whole or not at all.

    Raises:
        Unsupported: the tree has no kernel, its kernel lacks a driver, one of its files is not a regular file inside of
            the tree, or the node has no static busybox.
        OutOfSpace: it could not be written.
    """
    version = os.path.basename(find_kernel(tree)).removeprefix("vmlinuz-")
    directory = _modules_directory(tree, version)
    assert directory is not None
    modules = list(_in_order(tree, directory, _MODULES, needed=_NEEDED))
    for_xen = list(_in_order(tree, directory, _XEN_MODULES, needed=frozenset()))
    entries = [(name, 0o040755, b"") for name in ("bin", "dev", "modules", "root")]
    entries += [
        ("init", 0o100755, _build_init(modules, for_xen).encode()),
        (_UNIT, 0o100644, _UNIT_TEXT.encode()),
        ("bin/busybox", 0o100755, _read_busybox()),
    ]
    for path in dict.fromkeys([*modules, *for_xen]):
        content = _read_module(tree, os.path.join(directory, path))
        entries.append((f"modules/{_module_name(path)}.ko", 0o100644, content))
    with files.translated(f"write the ramdisk {out}"):
        files.write_atomically(os.path.abspath(out), build_archive(entries), mode=0o600)


def build_archive(entries: list[tuple[str, int, bytes]]) -> bytes:
    """Return a cpio archive as the kernel unpacks it, of (name, mode, content), directories first.

    Format: "newc", Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
    """
    archive = bytearray()
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        path = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(path), 0)
        archive += b"070701" + b"".join(b"%08x" % field for field in fields)
        archive += path
        archive += b"\0" * (-len(archive) % 4)
        archive += content
        archive += b"\0" * (-len(archive) % 4)
    return bytes(archive)


def _build_init(modules: list[str], for_xen: list[str]) -> str:
    return _INIT.format(
        modules=" ".join(map(_module_name, modules)),
        xen_modules=" ".join(map(_module_name, for_xen)),
        xen=ON_XEN,
        grow=GROW,
        unit=_UNIT,
    )


def _in_order(
    tree: str, directory: str, wanted: tuple[str, ...], *, needed: frozenset[str]
) -> Iterator[str]:
    """Yield the modules to load, each after what it rests on; what is built into the kernel is left out."""
    needs = _read_dependencies(tree, directory)
    built_in = {_module_name(path) for path in _lines(tree, f"{directory}/modules.builtin")}
    by_name = {_module_name(path): path for path in needs}
    seen = set()
    for name in wanted:
        if name not in by_name:
            if name in needed and name not in built_in:
                raise Unsupported(
                    f"the template's kernel has no driver {name}",
                    hint="add linux-image-cloud-amd64 to its packages",
                )
            continue
        # modules.dep names what a module rests on the other way round: the last must be loaded first.
        for path in [*reversed(needs[by_name[name]]), by_name[name]]:
            if path not in seen:
                seen.add(path)
                yield path


def _read_dependencies(tree: str, directory: str) -> dict[str, list[str]]:
    lines = (line.partition(":") for line in _lines(tree, f"{directory}/modules.dep"))
    return {path: rest.split() for path, _, rest in lines}


def _lines(tree: str, path: str) -> list[str]:
    if not os.path.lexists(path):
        return []
    with _open_inside(tree, path) as file:
        return file.read().decode(errors="replace").splitlines()


def _module_name(path: str) -> str:
    """Return the kernel's name of a module file, which has no hyphens and no suffix."""
    return os.path.basename(path).partition(".")[0].replace("-", "_")


def _modules_directory(tree: str, version: str) -> str | None:
    """Return where a kernel's modules lie in the tree; None if nowhere, or if links lead out of it."""
    real = os.path.realpath(os.path.join(tree, "lib", "modules", version))
    return real if _is_inside(real, tree) and os.path.isdir(real) else None


def _read_module(tree: str, path: str) -> bytes:
    """Return a module's content, unpacked: a kernel need not be able to unpack it itself."""
    with _open_inside(tree, path) as file:
        try:
            if path.endswith(".zst"):
                return _unpack_zstd(file)
            if path.endswith(".xz"):
                return lzma.decompress(file.read())
            return gzip.decompress(file.read()) if path.endswith(".gz") else file.read()
        except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
            raise _refusal(path, f"cannot be unpacked: {error}") from error


def _unpack_zstd(packed: IO[bytes]) -> bytes:
    """Unpack from descriptor to descriptor: zstd, given a name, would write beside it or follow it."""
    with tempfile.TemporaryFile() as plain:
        streams = run.Streams(stdin=packed.fileno(), stdout=plain.fileno())
        status = run.attach(["zstd", "-q", "-d"], streams=streams, environment=run.ENVIRONMENT)
        if status != 0:
            raise ValueError(f"zstd ended with status {status}")
        plain.seek(0)
        return plain.read()


@contextmanager
def _open_inside(tree: str, path: str) -> Iterator[IO[bytes]]:
    """Open a regular file that really lies in the tree.

    Raises:
        Unsupported: it is something else, or lies outside; the message names it.
    """
    try:
        directory, name = os.path.split(path)
        place = os.path.join(os.path.realpath(directory), name)
        if not _is_inside(place, tree):
            raise _refusal(path, "lies outside of the template")
        if not _is_regular(place):
            raise _refusal(path, "is no regular file")
        # Without waiting, for the case that it became a pipe just now.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(place, flags)
    except (OSError, ValueError) as error:
        raise _refusal(path, f"cannot be opened: {error}") from error
    with open(descriptor, "rb") as file:
        yield file


def _is_inside(real: str, tree: str) -> bool:
    return real.startswith(os.path.realpath(tree) + os.sep)


def _is_regular(path: str) -> bool:
    """Return whether this is a file, and neither a link to one nor a device, a pipe or nothing at all."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _refusal(path: str, reason: str) -> Unsupported:
    return Unsupported(
        f"{path!r} {reason}",
        hint="mend the template's root and make it again, or use the approach chroot or lxc",
    )


def _read_busybox() -> bytes:
    try:
        with open(_BUSYBOX, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        content = b""
    # A dynamically linked program names its loader; there is none in the ramdisk.
    if not content or re.search(rb"/lib(64)?/ld-[\w.-]+", content[:4096]):
        raise Unsupported("the node has no static busybox", hint="apt-get install busybox-static")
    return content


def _version_key(name: str) -> list[tuple[int, str]]:
    """Order kernel names as people do: 6.10 after 6.9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
