"""What a new guest's CPUs and disk can be: told before anything is made, and never ignored."""

from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest
from tests import fakes

from wirt.approaches.fake import FakeApproach
from wirt.approaches.hypervisor import MachineSize
from wirt.errors import InvalidInput, Unsupported
from wirt.model.limits import Limits
from wirt.model.template import SMALLEST_IMAGE
from wirt.ops.checks.sizes import fit_disk
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, OwnDisk, create
from wirt.ops.set import SetRequest, set_limits
from wirt.state.memory import MemoryStore
from wirt.storage.fake import FakePool
from wirt.storage.image import ImagePool
from wirt.units import GIB

WEB = CreateRequest(name="web", approach="fake", template="tiny")
TEMPLATE = fakes.OneTemplate("/nowhere").get("tiny")
LARGE = msgspec.structs.replace(TEMPLATE, unpacked_bytes=3 * GIB)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return fakes.open_context(tmp_path, MemoryStore())


def refused(context: Context, request: CreateRequest) -> str:
    """Return what is said of a guest that cannot be; nothing is left of it."""
    with pytest.raises(Unsupported) as caught:
        create(context, request)
    assert context.store.guests() == []
    assert context.store.intents() == []
    return str(caught.value)


def test_more_cpus_than_the_guests_kernel_knows_are_refused_by_create_and_set(
    context: Context,
) -> None:
    approach = context.approach("fake")
    approach.needs = msgspec.structs.replace(approach.needs, most_cpus=1)
    message = (
        "guest web cannot have 2 CPUs: the kernel of approach fake knows 1; "
        "leave --cpus out, or use the approach qemu or kvm"
    )

    assert refused(context, msgspec.structs.replace(WEB, limits=Limits(cpus=2))) == message
    create(context, WEB)
    with pytest.raises(Unsupported) as caught:
        set_limits(context, "web", SetRequest(cpus=2))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (
            "fake",
            "pool fake cannot be used: it takes no images of disks; pools of kind image do",
        ),
        (None, "no pool of this node takes images of disks; see wirt doctor"),
    ],
)
def test_disk_of_its_own_on_a_pool_that_takes_none_is_refused_before_anything_is_written_down(
    context: Context, pool: str | None, message: str
) -> None:
    approach = context.approach("fake")
    approach.needs = msgspec.structs.replace(approach.needs, firmware=True)

    assert refused(context, msgspec.structs.replace(WEB, disk=OwnDisk(), pool=pool)) == message


def test_usual_disk_is_as_large_as_the_image_below_it() -> None:
    pool = ImagePool("/nowhere")

    assert fit_disk("web", Limits(), TEMPLATE, pool, "qcow2").disk == SMALLEST_IMAGE
    assert fit_disk("web", Limits(), LARGE, pool, "qcow2").disk == 6 * GIB
    assert fit_disk("web", Limits(), LARGE, pool, "ubd").disk == 6 * GIB
    assert fit_disk("web", Limits(disk=8 * GIB), LARGE, pool, "qcow2").disk == 8 * GIB


@pytest.mark.parametrize(
    ("root", "disk", "message"),
    [
        (
            "qcow2",
            GIB,
            "guest web cannot have a disk of 1 GiB: on pool image it is at least as large as its "
            "template's image, which has 4 GiB; leave --disk out, or ask for more",
        ),
        (
            "ubd",
            GIB,
            "guest web cannot have a disk of 1 GiB: on pool image it is as large as its "
            "template's image, which has 4 GiB; leave --disk out",
        ),
        (
            "ubd",
            8 * GIB,
            "guest web cannot have a disk of 8 GiB: on pool image it is as large as its "
            "template's image, which has 4 GiB; leave --disk out",
        ),
    ],
)
def test_disk_of_another_size_than_its_image_can_have_is_refused(
    root: str, disk: int, message: str
) -> None:
    with pytest.raises(Unsupported) as caught:
        fit_disk("web", Limits(disk=disk), TEMPLATE, ImagePool("/nowhere"), root)

    assert str(caught.value) == message


def test_create_looks_at_the_disk_of_an_image_before_anything_is_written_down(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    approach = context.approach("fake")
    approach.needs = msgspec.structs.replace(approach.needs, root="qcow2")
    monkeypatch.setattr(FakePool, "forms", MappingProxyType({"qcow2": "image"}))

    assert refused(context, msgspec.structs.replace(WEB, limits=Limits(disk=GIB))).startswith(
        "guest web cannot have a disk of 1 GiB: on pool fake it is at least as large as"
    )


def test_guests_of_a_hypervisor_share_what_that_has(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = MachineSize(processors=(0, 1, 2, 3), memory=2 * context.memory)
    monkeypatch.setattr(FakeApproach, "ask_machine", lambda self: machine, raising=False)
    # The node's own system has two processors.
    create(context, msgspec.structs.replace(WEB, limits=Limits(cpus=3)))
    set_limits(context, "web", SetRequest(cpus=4, cpu_pin=(2, 3)))
    with pytest.raises(InvalidInput) as too_many:
        set_limits(context, "web", SetRequest(cpus=5))
    with pytest.raises(InvalidInput) as missing:
        set_limits(context, "web", SetRequest(cpu_pin=(4,)))
    limits = context.store.find("web").limits

    assert str(too_many.value) == "5 CPUs cannot be given; this node has 4; ask for 1 to 4"
    assert str(missing.value) == "this node has no CPU 4; it has 0-3"
    assert (limits.cpus, limits.cpu_pin) == (4, (2, 3))
