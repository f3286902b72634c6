"""The question whether KVM runs a stock kernel, asked of QEMU itself."""

import subprocess
from pathlib import Path

import msgspec
import pytest

from wirt.approaches.qemu import probe

SOURCE = Path(probe.__file__).parent / "probe.S"


def test_program_is_what_its_source_says(tmp_path: Path) -> None:
    subprocess.run(["as", "--32", SOURCE, "-o", tmp_path / "probe.o"], check=True)
    flat = ["-m", "elf_i386", "-Ttext", "0", "--oformat", "binary", "-e", "start"]
    subprocess.run(["ld", *flat, tmp_path / "probe.o", "-o", tmp_path / "probe.bin"], check=True)

    assert (tmp_path / "probe.bin").read_bytes() == probe.PROGRAM


def test_accelerator_that_works_gets_through() -> None:
    answer = probe.try_accelerator("tcg", kernel=None, seconds=60)

    assert answer == (
        True,
        "a 64-bit test program ran; no stock kernel was at hand to be started",
    )


def test_accelerator_that_is_too_slow_is_a_no() -> None:
    available, reason = probe.try_accelerator("tcg", kernel=None, seconds=0.02)

    assert not available
    assert reason.startswith("/dev/kvm opens, but a stock kernel does not start under it: ")


def test_program_that_is_through_counts_though_qemu_has_not_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def argv(accelerator: str, program: str, said: str) -> list[str]:
        return ["sh", "-c", f"printf PLE >{said}; exec sleep 60"]

    monkeypatch.setattr(probe, "_program_argv", argv)
    available, _ = probe.try_accelerator("tcg", kernel=None, seconds=1)

    assert available


def test_accelerator_that_qemu_lacks_is_a_no_in_qemus_words() -> None:
    assert probe.try_accelerator("warp", kernel=None) == (
        False,
        "/dev/kvm opens, but a stock kernel does not start under it: "
        "QEMU says -accel warp: invalid accelerator warp",
    )


def test_kernel_that_says_nothing_is_a_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = tmp_path / "kernel"
    silent.write_bytes(probe.PROGRAM)
    monkeypatch.setattr(probe, "_KERNEL_SECONDS", 0.5)

    assert probe.try_accelerator("tcg", kernel=str(silent), seconds=60) == (
        False,
        "/dev/kvm opens, but a stock kernel does not start under it: "
        "it runs a test program, but the node's own kernel says nothing",
    )


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"vmx"}, "the processor has VT-x (vmx)"),
        ({"svm", "hypervisor"}, "the processor has SVM (svm)"),
        ({"hypervisor"}, "the processor shows neither vmx nor svm, being a guest's itself"),
        (set(), "the processor shows neither vmx nor svm"),
    ],
)
def test_flags_are_told_in_words(flags: set[str], words: str) -> None:
    assert probe.describe_flags(frozenset(flags)) == words


def test_answer_is_kept_for_this_boot_and_this_qemu(tmp_path: Path) -> None:
    kept = tmp_path / "kvm-probe.json"
    answers = [probe.probe_kvm(str(tmp_path)) for _ in range(2)]
    written = msgspec.json.decode(kept.read_bytes())
    kept.write_bytes(msgspec.json.encode({**written, "available": True, "reason": "was kept"}))
    changed = probe.probe_kvm(str(tmp_path))
    kept.write_bytes(b'{"key": "cut sho')
    asked_again = probe.probe_kvm(str(tmp_path))

    assert answers[0] == answers[1] == asked_again
    assert (changed.available, changed.reason) == (True, "was kept")
    assert "QEMU" in written["key"]
