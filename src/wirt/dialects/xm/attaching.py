"""``xm block-*`` and ``network-*``: the disks and cards of a running domain."""

from collections.abc import Sequence

import msgspec

from wirt import app
from wirt.console import output
from wirt.dialects.xm import sxp
from wirt.dialects.xm.call import ANY, Call
from wirt.dialects.xm.devices import Disk, device_number, parse_disk
from wirt.dialects.xm.domains import Domain, find, is_privileged, keep_definition
from wirt.dialects.xm.realize import disk_request
from wirt.errors import NotFound, Unsupported
from wirt.model.disk import Disk as GuestDisk
from wirt.model.disk import letter_of
from wirt.ops.context import Context
from wirt.ops.disk import add_disk, remove_disk
from wirt.ops.steps.drives import drive_of

_CONNECTED = 4
"""XenbusStateConnected."""
_UNKNOWN = -1
"""What xm says of a channel that there is none of."""
_CARD_HEAD = "Idx BE     MAC Addr.     handle state evt-ch tx-/rx-ring-ref BE-path"
_DISK_HEAD = "Vdev  BE handle state evt-ch ring-ref BE-path"


def list_disks(call: Call) -> int:
    """List the disks of a domain. That of its template is not one that could be attached or detached."""
    given, names = call.read({"long": "l"}, least=1)
    with app.open_context() as context:
        guest = find(context, names[0]).guest
        drives = [(_number(disk), drive_of(context, guest, disk)) for disk in guest.disks]
    if "long" not in given:
        output.say(_DISK_HEAD)
    for number, drive in drives:
        if "long" in given:
            mode = "r" if drive.read_only else "w"
            said: list[sxp.Written] = [["backend-id", 0], ["virtual-device", number]]
            rest: list[sxp.Written] = [["state", _CONNECTED], ["mode", mode]]
            output.say(sxp.render([number, ["vbd", *said, *rest, ["backend", drive.path]]]))
        else:
            head = f"{number:<3d}    {0:<3d}  {0:<3d}   {_CONNECTED:<3d}    {_UNKNOWN:<3d}    "
            output.say(f"{head}{_UNKNOWN:<5d} {drive.path:<30}  ")
    return 0


def list_cards(call: Call) -> int:
    """List the network cards of a domain."""
    given, names = call.read({"long": "l"}, least=1)
    with app.open_context() as context:
        domain = find(context, names[0])
        kind = context.approach(domain.guest.approach).needs.nic
        guest = domain.guest
        nic = context.network.nic(guest.id, guest.card, kind)
    path = f"/sys/class/net/{nic.interface}"
    if "long" in given:
        said: list[sxp.Written] = [
            ["backend-id", 0],
            ["mac", guest.mac],
            ["handle", 0],
            ["state", _CONNECTED],
        ]
        output.say(sxp.render([0, ["vif", *said, ["backend", path]]]))
        return 0
    output.say(_CARD_HEAD)
    ring = f"{_UNKNOWN:<5d}/{_UNKNOWN:<5d}"
    head = f"{0:<3d} {0:<3d}{guest.mac:<17}    {0:<3d}   {_CONNECTED:<3d}    {_UNKNOWN:<3d}   "
    output.say(f"{head}{ring}   {path:<30}  ")
    return 0


def attach_disk(call: Call) -> int:
    """Give a running domain a disk."""
    _, (name, back, front, mode, *rest) = call.read(least=4, most=5)
    disk = parse_disk(",".join([back, front, mode, *rest]))
    _check_backend(disk.backend)
    with app.open_context() as context:
        domain = find(context, name)
        add_disk(context, domain.guest.name, disk_request(disk))
        _keep(context, domain, [*_kept(domain), disk])
    return 0


def configure_disk(call: Call) -> int:
    """Say why a disk is not changed."""
    _, words = call.read(least=4, most=5)
    return _refuse(words[0], "keeps its disks as they are", "xm block-detach, then block-attach")


def detach_disk(call: Call) -> int:
    """Take a disk from a running domain: the number that ``block-list`` shows, or its name."""
    _, (name, device) = call.read({"force": "f"}, least=2)
    with app.open_context() as context:
        domain = find(context, name)
        for disk in domain.guest.disks:
            if device in (str(_number(disk)), disk.name):
                remove_disk(context, domain.guest.name, disk.name)
                _keep(context, domain, [one for one in _kept(domain) if one.name != disk.name])
                return 0
    raise NotFound(f"Device {device} (vbd) could not be found.")


def attach_card(call: Call) -> int:
    """Say why a running domain gets no further card."""
    _, words = call.read(least=1, most=ANY)
    return _refuse(words[0], "gets no further network card")


def detach_card(call: Call) -> int:
    """Say why a running domain keeps its card."""
    _, words = call.read({"force": "f"}, least=2)
    return _refuse(words[0], "keeps its network card")


def _number(disk: GuestDisk) -> int:
    """Return a disk's number; one that no domain would call so has that of its place among Xen's."""
    return device_number(disk.name) or device_number(f"xvd{letter_of(disk.unit)}")


def _check_backend(backend: str | None) -> None:
    if backend is not None and not is_privileged(backend):
        raise Unsupported("a disk's backend is the node itself", hint="leave it out")


def _kept(domain: Domain) -> tuple[Disk, ...]:
    return () if domain.definition is None else domain.definition.disks


def _keep(context: Context, domain: Domain, disks: Sequence[Disk]) -> None:
    """Keep the disks that a domain has now in its definition, if it has one."""
    definition = domain.definition
    if definition is not None:
        values = {**definition.values, "disk": [disk.written() for disk in disks]}
        kept = msgspec.structs.replace(definition, disks=tuple(disks), values=values)
        keep_definition(context.home, domain.guest, kept)


def _refuse(name: str, why: str, hint: str | None = None) -> int:
    with app.open_context() as context:
        domain = find(context, name)
    raise Unsupported(f"Domain {domain.name} {why} while it runs", hint=hint)
