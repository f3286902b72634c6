"""What root in a guest may do beside the usual. ``set`` says so; a guest has it from its next start on."""

import os

import msgspec

from wirt.errors import Unsupported
from wirt.host import devices, files
from wirt.model.guest import Guest
from wirt.model.ids import idmap_of
from wirt.model.launch import GivenDevice
from wirt.model.presence import present_if
from wirt.model.privileges import Device, Privileges, check_devices, with_rights
from wirt.ops.context import Context
from wirt.ops.steps.step import Step


class PrivilegesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change; what is None stays."""

    rights: dict[str, bool] | None = None
    """Name -> whether it is to be there."""
    devices: tuple[Device, ...] | None = None
    """All that there are to be."""


def changed(context: Context, guest: Guest, request: PrivilegesRequest) -> Privileges:
    """Return the privileges that a guest is to have, once they have been found to be possible.

    Raises:
        InvalidInput, NotFound, Unsupported: they cannot be.
    """
    if not context.approach(guest.approach).needs.takes_privileges:
        raise Unsupported(
            f"guest {guest.name} cannot be given rights or devices: approach {guest.approach} has none to "
            "give",
            hint="containers (approach lxc) can",
        )
    privileges = guest.privileges
    if request.rights is not None:
        privileges = with_rights(privileges, request.rights)
    if request.devices is not None:
        check_devices(request.devices)
        for device in request.devices:
            devices.find_number(device.path)
        privileges = msgspec.structs.replace(privileges, devices=request.devices)
    return privileges


def give(context: Context, guest: Guest, privileges: Privileges) -> Guest:
    """Give a guest whose lock is held other privileges, from its next start on, and return it.

    It is one row change, and needs no journal.
    """
    after = msgspec.structs.replace(guest, privileges=privileges)
    context.store.settle(guest.id, after)
    return after


def to_make(context: Context, guest: Guest) -> Step:
    """Return the step that makes files for a guest's devices, which belong to its root."""
    directory = context.home.devices(guest.id)

    def make() -> None:
        with files.translated(f"make device files of guest {guest.name}"):
            os.makedirs(directory, mode=0o711, exist_ok=True)
        for given in find_given(context, guest):
            owner = idmap_of(guest.ids).first
            number = devices.find_number(given.device.path)
            devices.make(given.node, number, owner=owner, mode=0o600)

    return Step(
        name="devices",
        do=make,
        undo=lambda: files.remove_tree(directory),
        probe=lambda: present_if(os.path.isdir(directory)),
    )


def find_given(context: Context, guest: Guest) -> tuple[GivenDevice, ...]:
    """Return a guest's devices as its approach is given them.

    Raises:
        NotFound: the node has one not any more.
    """
    directory = context.home.devices(guest.id)
    return tuple(
        GivenDevice(
            device=device,
            number=str(devices.find_number(device.path)),
            node=os.path.join(directory, str(place)),
        )
        for place, device in enumerate(guest.privileges.devices)
    )
