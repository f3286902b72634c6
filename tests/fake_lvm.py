"""LVM as far as Wirt uses it, for nodes without device-mapper: volumes are sparse files, and a snapshot is a copy.

It takes the place of ``wirt.host.run.run`` and answers what LVM's programs would; whatever else is run is run. It has a memory,
refuses what LVM refuses, and can be told to fail.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from wirt.host import lvm, run
from wirt.host.run import Completed

EXTENT = 4 << 20
GONE = "Failed to find logical volume"


class FakeLvm:
    """A node's volume groups.

    Args:
        directory: stands for ``/dev``.
        patch: puts it in the place of the real one.
    """

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self.groups: dict[str, tuple[str, str, int]] = {}
        """Group -> its disk, its tag, its bytes."""
        self.pools: dict[str, tuple[int, str]] = {}
        """Thin pool -> its bytes and its tag."""
        self.calls: list[list[str]] = []
        self.failing: str | None = None
        """The program that fails."""
        self._directory = directory
        self._really = run.run
        directory.mkdir(exist_ok=True)
        patch.setattr(lvm, "DEVICES", str(directory))
        patch.setattr(run, "run", self._run)

    @property
    def volumes(self) -> list[str]:
        """Return the thin volumes that there are, without what a name has at random."""
        found = self._directory.glob("*/*")
        return sorted(f"{path.parent.name}/{path.name.rpartition('.')[0]}" for path in found)

    def _run(self, argv: Sequence[str], **options: object) -> Completed:
        name = os.path.basename(argv[0])
        answer: Callable[[list[str]], Completed] | None = getattr(self, f"_{name}", None)
        if answer is None:
            return self._really(argv, **options)  # type: ignore[arg-type]
        self.calls.append(list(argv))
        if self.failing == name:
            return _failed(f"{name} was told to fail")
        return answer(list(argv))

    def _wipefs(self, argv: list[str]) -> Completed:
        return _said("")

    def _pvremove(self, argv: list[str]) -> Completed:
        return _said("")

    def _vgcreate(self, argv: list[str]) -> Completed:
        group, disk = argv[-2:]
        self.groups[group] = (disk, _option(argv, "--addtag"), 1 << 30)
        return _said("")

    def _vgremove(self, argv: list[str]) -> Completed:
        del self.groups[argv[-1]]
        shutil.rmtree(self._directory / argv[-1], ignore_errors=True)
        return _said("")

    def _vgs(self, argv: list[str]) -> Completed:
        if argv[-1] not in self.groups:
            return _failed(f'  Volume group "{argv[-1]}" not found')
        disk, _, size = self.groups[argv[-1]]
        taken = sum(n for pool, (n, _) in self.pools.items() if pool.startswith(f"{argv[-1]}/"))
        wanted = {"vg_name": argv[-1], "pv_name": disk, "vg_free": str(size - taken)}
        return _said(f"  {wanted[_option(argv, '--options')]}\n")

    def _lvcreate(self, argv: list[str]) -> Completed:
        name = _option(argv, "--name")
        if "thin-pool" in argv:
            size = int(_option(argv, "--size")[:-1]) if "--size" in argv else 1 << 30
            self.pools[f"{argv[-1]}/{name}"] = (size, _option(argv, "--addtag"))
        elif "--snapshot" in argv:
            source = self._directory / argv[-1]
            if not source.exists():
                return _failed(f"  {GONE} {argv[-1]}")
            self._really(["cp", "--sparse=always", str(source), str(source.with_name(name))])
        else:
            path = self._directory / argv[-1] / name
            path.parent.mkdir(exist_ok=True)
            path.touch()
            os.truncate(path, _rounded(int(_option(argv, "--virtualsize")[:-1])))
        return _said("")

    def _lvresize(self, argv: list[str]) -> Completed:
        path, wanted = self._directory / argv[-1], _rounded(int(_option(argv, "--size")[:-1]))
        if path.stat().st_size == wanted:
            return _failed("  New size (16 extents) matches existing size (16 extents).")
        os.truncate(path, wanted)
        return _said("")

    def _lvremove(self, argv: list[str]) -> Completed:
        if argv[-1] in self.pools:
            del self.pools[argv[-1]]
            shutil.rmtree(self._directory / argv[-1].partition("/")[0], ignore_errors=True)
            return _said("")
        if not (path := self._directory / argv[-1]).exists():
            return _failed(f"  {GONE} {argv[-1]}")
        path.unlink()
        return _said("")

    def _lvchange(self, argv: list[str]) -> Completed:
        if "--errorwhenfull" in argv:
            return _said("") if argv[-1] in self.pools else _failed(f"  {GONE} {argv[-1]}")
        for volume in argv[argv.index("--ignoreactivationskip") + 1 :]:
            (self._directory / volume.partition("/")[0]).mkdir(exist_ok=True)
        return _said("")

    def _lvs(self, argv: list[str]) -> Completed:
        wanted = _option(argv, "--options")
        if "--select" in argv:
            return _said("")
        if argv[-1] in self.pools:
            size, tag = self.pools[argv[-1]]
            known = {"lv_tags": tag, "lv_size": str(size)}
            return _said(f"  {known.get(wanted, f'{size} 25.00')}\n")
        if not (path := self._directory / argv[-1]).exists():
            return _failed(f"  {GONE} {argv[-1]}")
        return _said(f"  {path.stat().st_size}\n" if wanted == "lv_size" else "  7 thin-a vg-b\n")

    def _dmsetup(self, argv: list[str]) -> Completed:
        return _said("thin-pool v1.22.0\nlinear v1.4.0\n" if argv[1] == "targets" else "")

    def _thin_ls(self, argv: list[str]) -> Completed:
        return _said("  3  65536\n  7  1048576\n")


def _option(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1]


def _rounded(size: int) -> int:
    return -(-size // EXTENT) * EXTENT


def _said(text: str) -> Completed:
    return Completed(status=0, stdout=text, stderr="")


def _failed(text: str) -> Completed:
    return Completed(status=5, stdout="", stderr=f"{text}\n")
