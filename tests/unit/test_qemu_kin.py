"""Which QEMU can go on with the machine of another one."""

import pytest

from wirt.approaches.qemu import kin
from wirt.approaches.qemu.kin import Kin
from wirt.approaches.qemu.machine import Machine
from wirt.errors import Unsupported
from wirt.units import MIB

MACHINE = Machine(kind="pc-q35-7.2", cpus=1, most_cpus=1, memory=256 * MIB)


@pytest.fixture(autouse=True)
def this_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kin, "_version", lambda: "7.2.22")
    monkeypatch.setattr(kin, "_processor", lambda: "Model 1: fpu sse")


@pytest.mark.parametrize(
    ("accelerator", "version", "processor", "message"),
    [
        (
            "tcg",
            "8.0.0",
            None,
            "its QEMU is version 7.2.22, and the other 8.0.0; install the same version on both",
        ),
        (
            "kvm",
            "7.2.22",
            "Model 2: fpu sse avx",
            "its processor is another, Model 1, than Model 2; stop the guest, and have it go then",
        ),
        ("tcg", "7.2.22", None, None),
        ("kvm", "7.2.22", "Model 1: fpu sse", None),
    ],
)
def test_version_and_under_kvm_the_processor_must_be_the_same(
    accelerator: str, version: str, processor: str | None, message: str | None
) -> None:
    other = Kin(machine=MACHINE, version=version, processor=processor)
    if message is None:
        kin.check(other, accelerator)
        return
    with pytest.raises(Unsupported) as caught:
        kin.check(other, accelerator)

    assert str(caught.value) == message
