"""What a QEMU must be like to go on with the machine of another one: its version, and under KVM the processor."""

from functools import cache

import msgspec

from wirt.approaches.qemu import build
from wirt.approaches.qemu.control import ask_machine
from wirt.approaches.qemu.machine import Machine
from wirt.approaches.qemu.monitor import Monitor
from wirt.errors import Unsupported
from wirt.host import facts, run


class Kin(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that runs, and who runs it."""

    machine: Machine
    version: str
    """QEMU's: "7.2.22"."""
    processor: str | None = None
    """The node's, which the guest sees under KVM: model and flags. None: the guest sees one that QEMU makes up."""


def ask(monitor: Monitor, accelerator: str) -> Kin:
    """Ask a QEMU that runs.

    Raises:
        Failed: it does not say.
    """
    found = monitor.execute("query-version")["qemu"]
    return Kin(
        machine=ask_machine(monitor),
        version=f"{found['major']}.{found['minor']}.{found['micro']}",
        processor=_processor() if accelerator == "kvm" else None,
    )


def check(other: Kin, accelerator: str) -> None:
    """Check that this node's QEMU can go on with what another one has run.

    The same version is wanted, though QEMU itself promises more: what an emulated processor can do differs between versions.

    Raises:
        Unsupported: it cannot; says why.
    """
    version = _version()
    if version != other.version:
        raise Unsupported(
            f"its QEMU is version {version}, and the other {other.version}",
            hint="install the same version on both",
        )
    if accelerator == "kvm" and (own := _processor()) != other.processor:
        theirs = (other.processor or "unknown").partition(":")[0]
        raise Unsupported(
            f"its processor is another, {own.partition(':')[0]}, than {theirs}",
            hint="stop the guest, and have it go then",
        )


@cache
def _version() -> str:
    """Return the version that QEMU says it is: "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)"."""
    said = run.check([build.PROGRAM, "--version"])
    return said.partition(" version ")[2].split()[0]


def _processor() -> str:
    fields = facts.read_first_cpu()
    return f"{fields.get('model name', 'unknown')}: {fields.get('flags', '')}"
