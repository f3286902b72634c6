"""Whether KVM really runs an unmodified guest here: it is made to.

That /dev/kvm is there, opens, and makes a machine and a processor proves nothing; a KVM without VT-x or SVM below it does
all that and then runs only guests adapted to it. So a small program (``probe.S``) does what a stock kernel does first,
and if it gets through, the stock kernel of the node is started too, where there is one to be read.
"""

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec

from wirt.approaches.qemu import build
from wirt.errors import TimedOut
from wirt.host import files, run
from wirt.model.capability import Capability, no, yes

PROGRAM = bytes.fromhex(
    "02b0ad1b00000100fe4f51e40000100000001000000000000000000020001000fab050e6e9c7050000010003100100c7"
    "050010010003200100c7050020010083000000b8000001000f22d80f20e083c8200f22e0b9800000c00f320d00010000"
    "0f300f20c00d010000800f22c00f0115a3001000ea7b0010000800b04ce6e9b900000004ffc975fcb045e6e9b010e6f4"
    "f4ebfd0000000000000000ffff0000009aaf000f0093001000"
)
"""``probe.S``, assembled."""

_PROGRAM_SECONDS = 4.0
_KERNEL_SECONDS = 15.0
_EXIT_STATUS = 0x21
_ANSWER = "kvm-probe.json"


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, and for which boot of the node and which QEMU."""

    key: str
    available: bool
    reason: str


def probe_kvm(directory: str | None = None) -> Capability:
    """Return whether KVM runs stock kernels on this node.

    Args:
        directory: where the answer is kept until the next boot of the node; None: asked every time.
    """
    if not os.path.exists("/dev/kvm"):
        return no("kvm", f"there is no /dev/kvm; {describe_flags(_cpu_flags())}", _HINT)
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return no("kvm", "opening /dev/kvm needs root or the group kvm", "run it as root")
    key = f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {_qemu_version()}"
    answer = _recall(directory, key)
    if answer is None:
        available, reason = try_accelerator("kvm", kernel=_node_kernel())
        answer = _Answer(key=key, available=available, reason=reason)
        if directory is not None and os.access(directory, os.W_OK):
            files.write_atomically(os.path.join(directory, _ANSWER), msgspec.json.encode(answer))
    if answer.available:
        return yes("kvm", answer.reason)
    return no("kvm", f"{answer.reason}; {describe_flags(_cpu_flags())}", _HINT)


_HINT = "use a machine with VT-x or SVM, switched on in its firmware or given to it by the hypervisor below"


def try_accelerator(
    accelerator: str, *, kernel: str | None, seconds: float = _PROGRAM_SECONDS
) -> tuple[bool, str]:
    """Run the test program, then a stock kernel, and return whether both got through, and the reason in words.

    Args:
        accelerator: QEMU's name of it.
        kernel: a stock kernel; None if none is at hand.
        seconds: how long the program may take; virtualization needs a fiftieth of it.
    """
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "program")
        Path(program).write_bytes(PROGRAM)
        said = os.path.join(directory, "said")
        try:
            done = run.run(
                _program_argv(accelerator, program, said), timeout=seconds, directory=directory
            )
        except TimedOut:
            reached = Path(said).read_text() if os.path.exists(said) else ""
            # On a busy machine QEMU itself may take its time to end.
            if reached != _THROUGH:
                return False, f"{_NO}: {_STAGES[reached]}"
            done = None
        if done is not None and done.status != _EXIT_STATUS:
            words = (done.stderr.strip().splitlines() or ["it did not say why"])[0]
            reason = words.removeprefix(f"{build.PROGRAM}: ").removeprefix("error: ")
            return False, f"{_NO}: QEMU says {reason}"
        if kernel is None:
            return True, "a 64-bit test program ran; no stock kernel was at hand to be started"
        console = os.path.join(directory, "console")
        with suppress(TimedOut):  # what it has said by then decides
            run.run(_kernel_argv(accelerator, kernel, console), timeout=_KERNEL_SECONDS)
        if "Linux version" in Path(console).read_text(errors="replace"):
            return True, "a stock kernel was started"
        return False, f"{_NO}: it runs a test program, but the node's own kernel says nothing"


_NO = "/dev/kvm opens, but a stock kernel does not start under it"

_THROUGH = "PLE"
"""What the test program has said at its end."""
_STAGES = {
    "": "not even 32-bit code runs",
    "P": "it stops where 64-bit mode begins",
    "PL": "64-bit code is emulated, instruction by instruction, and never ends",
}


def describe_flags(flags: frozenset[str]) -> str:
    """Return what the processor says of virtualization."""
    kinds = {"vmx": "VT-x (vmx)", "svm": "SVM (svm)"}
    for flag, words in kinds.items():
        if flag in flags:
            return f"the processor has {words}"
    below = ", being a guest's itself" if "hypervisor" in flags else ""
    return f"the processor shows neither vmx nor svm{below}"


def _machine(accelerator: str) -> list[str]:
    cpu = "max" if accelerator == "tcg" else "host"
    return [
        build.PROGRAM,
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35", "-accel", accelerator, "-cpu", cpu, "-m", "256M"),
    ]


def _program_argv(accelerator: str, program: str, said: str) -> list[str]:
    return [
        *_machine(accelerator),
        *("-kernel", program, "-debugcon", f"file:{said}"),
        *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
    ]


def _kernel_argv(accelerator: str, kernel: str, console: str) -> list[str]:
    """Return a command that starts a kernel without a root: it says its name, then gives up, and QEMU ends."""
    arguments = "console=ttyS0 earlyprintk=ttyS0 panic=-1"
    return [
        *_machine(accelerator),
        *("-kernel", kernel, "-append", arguments, "-serial", f"file:{console}"),
    ]


def _node_kernel() -> str | None:
    """Return the node's own kernel if it may be read."""
    path = f"/boot/vmlinuz-{os.uname().release}"
    return path if os.access(path, os.R_OK) else None


def _qemu_version() -> str:
    return run.run([build.PROGRAM, "--version"]).stdout.partition("\n")[0]


def _cpu_flags() -> frozenset[str]:
    found = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()


def _recall(directory: str | None, key: str) -> _Answer | None:
    if directory is None:
        return None
    try:
        content = Path(directory, _ANSWER).read_bytes()
        answer = msgspec.json.decode(content, type=_Answer)
    except (OSError, msgspec.DecodeError):
        return None
    return answer if answer.key == key else None
