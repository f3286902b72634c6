"""``xm block-*`` and ``network-*``: the disks and cards of a running domain."""

from collections.abc import Sequence

import msgspec

from wirt import app
from wirt.console import output
from wirt.dialects.xm import sxp
from wirt.dialects.xm.call import ANY, Call
from wirt.dialects.xm.devices import Card, Disk, device_number, parse_card, parse_disk
from wirt.dialects.xm.domains import Domain, find, is_privileged, keep_definition
from wirt.dialects.xm.realize import disk_request, new_card
from wirt.errors import InvalidInput, NotFound, Unsupported
from wirt.model.disk import Disk as GuestDisk
from wirt.model.disk import letter_of
from wirt.ops.cards import add_card, remove_card
from wirt.ops.context import Context
from wirt.ops.disk import add_disk, remove_disk
from wirt.ops.steps.cards import CardSteps
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
        guest = find(context, names[0]).guest
        steps = CardSteps(context, guest)
        cards = [(card, steps.nic_of(card).interface) for card in guest.all_cards]
    if "long" not in given:
        output.say(_CARD_HEAD)
    for card, interface in cards:
        path = f"/sys/class/net/{interface}"
        if "long" in given:
            said: list[sxp.Written] = [["backend-id", 0], ["mac", card.mac]]
            rest: list[sxp.Written] = [["handle", card.number], ["state", _CONNECTED]]
            output.say(sxp.render([card.number, ["vif", *said, *rest, ["backend", path]]]))
        else:
            head = f"{card.number:<3d} {0:<3d}{card.mac:<17}    {card.number:<3d}   "
            ring = f"{_UNKNOWN:<5d}/{_UNKNOWN:<5d}"
            output.say(f"{head}{_CONNECTED:<3d}    {_UNKNOWN:<3d}   {ring}   {path:<30}  ")
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
    """Give a running domain a network card."""
    _, (name, *words) = call.read(least=1, most=ANY)
    for word in words:
        if not word.partition("=")[2] or "," in word:
            raise InvalidInput(f"Invalid argument: {word}", hint="such as bridge=xenbr0")
    card = parse_card(",".join(words))
    with app.open_context() as context:
        domain = find(context, name)
        add_card(context, domain.guest.name, new_card(context, card))
        _keep_cards(context, domain, [*_kept_cards(domain), card])
    return 0


def detach_card(call: Call) -> int:
    """Take a network card from a running domain: the number that ``network-list`` shows."""
    _, (name, device) = call.read({"force": "f"}, least=2)
    with app.open_context() as context:
        domain = find(context, name)
        if device == "0":
            raise Unsupported(
                f"Domain {domain.name} keeps its first network card while it runs",
                hint="see xm network-list for the others",
            )
        for place, card in enumerate(domain.guest.all_cards):
            if device == str(card.number):
                remove_card(context, domain.guest.name, card.name)
                kept = _kept_cards(domain)
                _keep_cards(context, domain, [*kept[:place], *kept[place + 1 :]])
                return 0
    raise NotFound(f"Device {device} (vif) could not be found.")


def _number(disk: GuestDisk) -> int:
    """Return a disk's number; one that no domain would call so has that of its place among Xen's."""
    return device_number(disk.name) or device_number(f"xvd{letter_of(disk.unit)}")


def _check_backend(backend: str | None) -> None:
    if backend is not None and not is_privileged(backend):
        raise Unsupported("a disk's backend is the node itself", hint="leave it out")


def _kept(domain: Domain) -> tuple[Disk, ...]:
    return () if domain.definition is None else domain.definition.disks


def _kept_cards(domain: Domain) -> list[Card]:
    """Return what a domain's definition says of each card that its guest has."""
    said = () if domain.definition is None else domain.definition.cards
    cards = domain.guest.all_cards
    return [*said, *[Card(options={})] * len(cards)][: len(cards)]


def _keep_cards(context: Context, domain: Domain, cards: Sequence[Card]) -> None:
    """Keep the cards that a domain has now in its definition, if it has one."""
    definition = domain.definition
    if definition is not None:
        values = {**definition.values, "vif": [card.written() for card in cards], "nics": -1}
        kept = msgspec.structs.replace(definition, cards=tuple(cards), values=values)
        keep_definition(context.home, domain.guest, kept)


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
