"""LVM: volume groups, thin pools and thin volumes, by its own programs.

A volume is named ``GROUP/NAME``, as LVM's programs take it. A thin volume holds only what was written to it, and a snapshot of one
shares with it whatever neither has changed since; each of the two goes on without the other.
"""

import os
from pathlib import Path

from wirt.errors import Failed
from wirt.host import run

DEVICES = "/dev"
_DEVICE_MAPPER = "/sys/class/misc/device-mapper"
_MODULES = "kernel/drivers/md"


def has_programs() -> bool:
    """Return whether LVM, and what it checks thin pools with, is installed."""
    return all(run.find_program(name) for name in ("lvcreate", "thin_check"))


def has_thin_volumes() -> bool:
    """Return whether this kernel has device-mapper with thin volumes, or a module of it that has."""
    modules = Path("/lib/modules", os.uname().release)
    if any((modules / _MODULES).glob("dm-thin-pool.ko*")):
        return True
    try:
        if "dm-thin-pool.ko" in (modules / "modules.builtin").read_text():
            return True
    except OSError:
        pass  # a kernel without modules says what it has when it is asked
    if not os.path.exists(_DEVICE_MAPPER) or run.find_program("dmsetup") is None:
        return False
    return "thin-pool" in run.run(["dmsetup", "targets"]).stdout


def device(volume: str) -> str:
    """Return the path of an active volume's device."""
    return f"{DEVICES}/{volume}"


def volume_of(path: str) -> str:
    """Return the volume of a device."""
    return path.removeprefix(f"{DEVICES}/")


def has_group(group: str) -> bool:
    """Return whether there is a volume group of this name, its disks all there."""
    return run.run(["vgs", "--noheadings", "--options", "vg_name", group]).status == 0


def free_in_group(group: str) -> int:
    """Return the bytes of a group that are in no volume.

    Raises:
        Failed: there is no such group.
    """
    return int(run.check(["vgs", *_PLAIN, "--options", "vg_free", group]))


def make_group(group: str, disk: str, *, tag: str) -> None:
    """Make a volume group of one disk, which loses what it holds."""
    run.check(["wipefs", "--quiet", "--all", disk])
    _change("vgcreate", "--addtag", tag, group, disk)


def remove_group(group: str) -> None:
    """Remove a volume group with all that is in it; its disks hold nothing then."""
    disks = run.check(["vgs", "--noheadings", "--options", "pv_name", group]).split()
    _change("vgremove", "--force", group)
    _change("pvremove", *disks)


def activate(volume: str) -> None:
    """Let a volume, and with a thin pool all volumes in it, be devices of the node.

    Raises:
        Failed: a disk is missing.
    """
    group, _, pool = volume.partition("/")
    names = run.check(
        ["lvs", "--noheadings", "--options", "lv_name", "--select", f"pool_lv={pool}", group]
    )
    volumes = [f"{group}/{name}" for name in names.split()]
    run.check(
        ["lvchange", "--quiet", "--activate", "y", "--ignoreactivationskip", volume, *volumes]
    )


def make_thin_pool(volume: str, *, size: int | None, tag: str) -> None:
    """Make a thin pool of ``size`` bytes; None: of all that its group has.

    When it is full, writing fails instead of waiting for somebody to give it more.
    """
    group, _, name = volume.partition("/")
    wanted = ["--size", f"{size}b"] if size is not None else ["--extents", "100%FREE"]
    kind = ["--type", "thin-pool", "--addtag", tag]
    _change("lvcreate", *kind, *wanted, "--name", name, group)
    run.check(["lvchange", "--quiet", "--errorwhenfull", "y", volume])


def make_thin(pool: str, name: str, size: int) -> None:
    """Make an empty thin volume in a pool."""
    group, _, within = pool.partition("/")
    kind = ["--type", "thin", "--thinpool", within, "--virtualsize", f"{size}b"]
    _change("lvcreate", *kind, "--name", name, group)


def snapshot(source: str, name: str) -> None:
    """Make a thin volume with what another of the same group holds at this instant; a file system on it is whole."""
    # A snapshot is left asleep otherwise, at boot too.
    kind = ["--snapshot", "--setactivationskip", "n"]
    _change("lvcreate", *kind, "--name", name, source)


def resize(volume: str, size: int) -> None:
    """Give a volume another size, rounded up to what its group is divided into; no error if it has it."""
    _change("lvresize", "--force", "--size", f"{size}b", volume, unless="matches existing size")


def remove(volume: str) -> None:
    """Remove a volume; no error if there is none."""
    _change("lvremove", "--force", volume, unless="Failed to find logical volume")


def is_there(volume: str, *, tag: str | None = None) -> bool:
    """Return whether there is such a volume, with that tag if one is given."""
    done = run.run(["lvs", "--noheadings", "--options", "lv_tags", volume])
    return done.status == 0 and (tag is None or tag in done.stdout.strip().split(","))


def size_of(volume: str) -> int:
    """Return the bytes of a volume."""
    return int(run.check(["lvs", *_PLAIN, "--options", "lv_size", volume]))


def free_in_pool(pool: str) -> int:
    """Return the bytes that may still be written to the volumes of a thin pool."""
    size, percent = run.check(["lvs", *_PLAIN, "--options", "lv_size,data_percent", pool]).split()
    return int(int(size) * (100 - float(percent)) / 100)


def exclusive_bytes(volume: str) -> int:
    """Return the bytes of a thin volume that no other in its pool shares."""
    told = run.check(["lvs", "--noheadings", "--options", "thin_id,pool_lv,vg_name", volume])
    number, pool, group = told.split()
    mapped = f"{group.replace('-', '--')}-{pool.replace('-', '--')}"
    # The pool's own records change under who reads them: a copy is set aside for it.
    run.check(["dmsetup", "message", f"{mapped}-tpool", "0", "reserve_metadata_snap"])
    try:
        said = run.check(
            [
                *("thin_ls", "--metadata-snap", "--no-headers", "--format", "DEV,EXCLUSIVE_BYTES"),
                f"/dev/mapper/{mapped}_tmeta",
            ]
        )
    finally:
        run.check(["dmsetup", "message", f"{mapped}-tpool", "0", "release_metadata_snap"])
    found = dict(line.split() for line in said.splitlines() if line.strip())
    return int(found.get(number, "0"))


_PLAIN = ("--noheadings", "--nosuffix", "--units", "b")


def _change(program: str, *arguments: str, unless: str | None = None) -> None:
    """Run a program that asks nothing.

    Args:
        program: its name.
        arguments: what it is to do.
        unless: what it says when that is done already, which is no error.

    Raises:
        Failed: it could not; the message ends with its reason, which stands among warnings and the like.
    """
    done = run.run([program, "--quiet", "--yes", *arguments])
    if done.status == 0 or (unless is not None and unless in done.stderr):
        return
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    reasons = [line for line in said if not line.startswith(("WARNING", "Run `"))]
    raise Failed(
        f"{program} failed: {(reasons or said or ['it did not say why'])[-1]}",
        detail="\n".join(said),
    )
