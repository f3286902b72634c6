"""Subvolumes of btrfs file systems, by its own program."""

import os

from wirt.host import files, run


def snapshot(source: str, target: str, *, read_only: bool = False) -> None:
    """Make ``target`` a subvolume with what ``source`` holds at this instant; subvolumes inside it are left out.

    Raises:
        Failed: the program could not.
    """
    kind = ["-r"] if read_only else []
    run.check(["btrfs", "subvolume", "snapshot", *kind, source, target])


def delete(volume: str) -> None:
    """Delete a subvolume with those inside it; no error if it is gone."""
    # A subvolume is deleted as a directory too (since Linux 4.18), inner ones with it; btrfs only does it faster, and it
    # alone can delete one that is read only.
    if os.path.isdir(volume):
        run.run(["btrfs", "subvolume", "delete", volume])
    files.remove_tree(volume)


def exclusive_bytes(volume: str) -> int:
    """Return the bytes of a subvolume that it shares with no other.

    Raises:
        Failed: the program could not.
    """
    said = run.check(["btrfs", "filesystem", "du", "--summarize", "--raw", volume])
    return int(said.splitlines()[-1].split()[1])
