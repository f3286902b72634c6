"""A kernel of the node's for a guest: what is refused, and what the engine is told."""

from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.approaches.fake import FakeApproach
from wirt.errors import Error, NotFound
from wirt.model.kernelboot import KernelBoot
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.steps.bootfiles import find_boot
from wirt.state.memory import MemoryStore


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    needs = msgspec.structs.replace(FakeApproach.needs, own_kernel=True, kernel_image=True)
    monkeypatch.setattr(FakeApproach, "needs", needs)
    (tmp_path / "vmlinuz").write_bytes(b"")
    return fakes.open_context(tmp_path, MemoryStore())


def wanted(boot: KernelBoot) -> CreateRequest:
    return CreateRequest(name="web", approach="fake", template="tiny", kernel_boot=boot)


def test_guest_is_booted_with_the_kernel_that_it_was_given(
    context: Context, tmp_path: Path
) -> None:
    boot = KernelBoot(kernel=f"{tmp_path}/vmlinuz", arguments="quiet 3", root="LABEL=root")
    guest = create(context, wanted(boot))

    assert guest.kernel_boot == boot
    assert find_boot(context, guest, context.approach("fake").needs) == boot


def test_kernel_that_is_gone_is_missed_at_the_start(context: Context, tmp_path: Path) -> None:
    guest = create(context, wanted(KernelBoot(kernel=f"{tmp_path}/vmlinuz")))
    (tmp_path / "vmlinuz").unlink()
    with pytest.raises(NotFound) as caught:
        find_boot(context, guest, context.approach("fake").needs)

    assert str(caught.value) == (
        f"the kernel of guest web is not there: {tmp_path}/vmlinuz is no file; put it back, or name another"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": "vmlinuz"}, "vmlinuz is no absolute path; begin it with /"),
        (
            {"ramdisk": "/nowhere/initrd"},
            "the ramdisk of guest web is not there: /nowhere/initrd is no file; put it back, or name another",
        ),
        (
            {"arguments": "a\nb"},
            "a kernel cannot be told 'a\\nb'; give at most 1024 bytes, in one line",
        ),
        (
            {"root": "/dev/vda rw"},
            "'/dev/vda rw' names no root; name a device, such as /dev/vda, or LABEL=NAME",
        ),
    ],
)
def test_what_cannot_boot_a_guest_is_refused_and_nothing_made(
    context: Context, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    boot = KernelBoot(**{"kernel": f"{tmp_path}/vmlinuz", **changes})
    with pytest.raises(Error) as caught:
        create(context, wanted(boot))

    assert str(caught.value) == message
    assert context.store.is_empty()


def test_guest_under_the_nodes_kernel_gets_none_of_its_own(tmp_path: Path) -> None:
    context = fakes.open_context(tmp_path, MemoryStore())
    with pytest.raises(Error) as caught:
        create(context, wanted(KernelBoot(kernel="/etc/hostname")))

    assert str(caught.value) == (
        "guest web cannot have a kernel of its own: approach fake runs it under the node's; use the "
        "approach uml, qemu or kvm"
    )
