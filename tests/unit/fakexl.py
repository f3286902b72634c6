"""Xen's toolstack with a memory, in the place of ``xl``, and a guest to be made a domain."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from tests.unit.test_vm_builders import LAUNCH, RAW

from wirt.approaches import enginegroup
from wirt.approaches.xen import control
from wirt.host import run
from wirt.host.run import Completed
from wirt.model.launch import Launch, Place
from wirt.model.limits import Limits
from wirt.model.resources import Drive
from wirt.units import GIB, MIB

BOOTED = msgspec.structs.replace(LAUNCH, kernel="/boot/vmlinuz", initrd="/boot/initrd.img")
BOUNDED = Limits(
    cpus=2,
    memory=512 * MIB,
    memory_max=1024 * MIB,
    disk=8 * GIB,
    cpu_pin=(0, 2),
    cpu_weight=300,
    cpu_limit=0.5,
)
DATA = Drive(name="data", unit=2, path="/srv/a,b.qcow2", format="qcow2", read_only=True)


class FakeXl:
    """Xen's toolstack, with a memory: domains are paused, running or gone; takes the place of ``run.run`` and ``run.spawn``."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.domains: dict[str, str] = {}
        """Name -> its state."""
        self.calls: list[list[str]] = []
        self.disks: list[int] = []
        """Numbers of the domain's disks."""
        self.processors = 1
        """That the domain's system uses, whatever it is given."""
        self.stored: list[list[str]] = []
        """Commands about Xen's store."""
        self.failing: str | None = None
        """The subcommand that fails."""
        self.can = "pv"
        patch.setattr(run, "run", self._run)
        patch.setattr(run, "spawn", self._spawn)
        patch.setattr(control, "console_program", lambda: "xenconsole")
        # Its keeper's process: this one, which outlives the test. Nothing else of Xen's outlives its call.
        patch.setattr(
            "wirt.host.process.find_by_argument",
            lambda argument: [os.getpid()] if argument.endswith(".cfg") else [],
        )
        patch.setattr(enginegroup, "make", lambda name, limits: [])
        patch.setattr(enginegroup, "is_there", lambda name: False)
        patch.setattr(enginegroup, "remove", lambda name: None)

    def _run(self, argv: Sequence[str], **options: object) -> Completed:
        if argv[0] != "xl" and "xl" not in argv:
            self.stored.append(list(argv))
            return Completed(status=0, stdout="", stderr="")
        told = list(argv[argv.index("xl") + 1 :])
        self.calls.append(told)
        verb = told[0]
        if verb == "block-list":
            lines = ["Vdev  BE  handle state", *(f"{number}  0  1  4" for number in self.disks)]
            return Completed(status=0, stdout="\n".join(lines) + "\n", stderr="")
        if verb == self.failing:
            return Completed(status=1, stdout="", stderr=f"libxl: {verb} was told to fail\n")
        if verb == "info":
            said = f"nr_cpus : 4\ntotal_memory : 4095\nvirt_caps : {self.can}\n"
            return Completed(status=0, stdout=said, stderr="")
        name = next(Path(word).stem for word in told[1:] if not word.startswith("-"))
        if verb in ("create", "restore"):
            self.domains[name] = "--p---"
        elif name not in self.domains:
            return Completed(status=1, stdout="", stderr=f"{name} is an invalid domain identifier")
        elif verb == "destroy":
            del self.domains[name]
        elif verb in ("pause", "unpause"):
            self.domains[name] = "--p---" if verb == "pause" else "-b----"
        elif verb == "save":
            Path(told[3]).write_text("what it held")
            self.domains[name] = "--p---"
        if verb == "domid":
            return Completed(status=0, stdout="1\n", stderr="")
        state = self.domains.get(name, "")
        said = f"Name ID Mem VCPUs State Time(s)\n{name} 1 512 {self.processors} {state} 0.1\n"
        return Completed(status=0, stdout=said, stderr="")

    def _spawn(self, argv: Sequence[str], **options: object) -> "FakeXl":
        if "xenconsole" in argv:
            self.calls.append(list(argv[argv.index("xenconsole") :]))
        return self

    def wait(self) -> int:
        return 0


def launch_in(directory: Path) -> Launch:
    """Return a guest whose things are in a directory."""
    (directory / "run").mkdir()
    (directory / "root.img").touch()
    root = msgspec.structs.replace(RAW, backing=f"{directory}/root.img")
    place = Place(name="wabcd-1", run_dir=f"{directory}/run", log=f"{directory}/console.log")
    return msgspec.structs.replace(BOOTED, place=place, root=root)
