"""``xm create``, ``new`` and ``start``: a domain of a configuration file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from wirt import app
from wirt.console import output
from wirt.dialects.xm import console, sxp
from wirt.dialects.xm.call import ANY, Call
from wirt.dialects.xm.definition import Definition, define, from_sxp, to_sxp
from wirt.dialects.xm.domains import (
    Domain,
    find_any,
    guest_name,
    keep_definition,
    list_domains,
)
from wirt.dialects.xm.program import WrongUse
from wirt.dialects.xm.pyfile import MOST_BYTES, Value, read_values
from wirt.dialects.xm.realize import choose_approach, disk_request, further_cards, request_of
from wirt.dialects.xm.variables import VARIABLES, read_assignments
from wirt.errors import Conflict, InvalidInput, NotFound
from wirt.host import files
from wirt.model.card import Card
from wirt.model.disk import Disk
from wirt.model.guest import Guest
from wirt.model.home import Home
from wirt.model.macs import read_mac
from wirt.ops.cards import NewCard, add_card, remove_card
from wirt.ops.console import check_console, log_size
from wirt.ops.context import Context
from wirt.ops.create import create as create_guest
from wirt.ops.destroy import destroy
from wirt.ops.disk import DiskRequest, add_disk, remove_disk
from wirt.ops.freeze import freeze
from wirt.ops.redefine import redefine
from wirt.ops.start import start as start_guest

_START_OPTIONS = {"paused": "p", "console_autoconnect": "c"}
_OPTIONS = {
    "help_config": "",
    "quiet": "q",
    "path=": "",
    "defconfig=": "f",
    "config=": "F",
    "dryrun": "n",
    **_START_OPTIONS,
}
_DEFAULT_FILE = "xmdefconfig"


def create(call: Call) -> int:
    """Make a domain of its file, or define it anew if it has ended, and start it."""
    given, definition = _read(call)
    if definition is None:
        return 0
    if "console_autoconnect" in given:
        console.check_terminal()
    with app.open_context() as context:
        domain = _define(context, definition)
        _start(context, domain, given)
    return 0


def new(call: Call) -> int:
    """Make a domain of its file, or define it anew; it is not started."""
    given, definition = _read(call)
    if definition is not None:
        if {"paused", "console_autoconnect"} & given.keys():
            raise WrongUse("a domain that is not started is neither paused nor seen", call.command)
        with app.open_context() as context:
            _define(context, definition)
    return 0


def start(call: Call) -> int:
    """Start a domain that has ended, or was never started."""
    given, names = call.read(_START_OPTIONS, least=1)
    with app.open_context() as context:
        domain = find_any(context, names[0])
        _check_ended(domain)
        _start(context, domain, given)
    return 0


def _read(call: Call) -> tuple[dict[str, str], Definition | None]:
    """Return the options and the definition; None if it was only to be shown, or help was."""
    given, words = call.read(_OPTIONS, most=ANY)
    if "help_config" in given:
        output.say(_render_variables())
        return given, None
    files_given = [word for word in words if "=" not in word]
    if len(files_given) > 1 or (files_given and "config" in given):
        raise WrongUse(f"there are several files: {' '.join(files_given)}", call.command)
    variables = read_assignments([word for word in words if "=" in word])
    home = app.find_home()
    if "config" in given:
        values, path = _read_sxp(given["config"])
    else:
        values, path = _read_file(
            home,
            files_given[0] if files_given else given.get("defconfig", _DEFAULT_FILE),
            given.get("path"),
            variables,
        )
    if "quiet" not in given:
        output.say(f'Using config file "{path}".')
    definition = define({**values, **variables}, name=path)
    if "dryrun" in given:
        output.say(sxp.render(to_sxp(definition)))
        return given, None
    return given, definition


def _read_file(
    home: Home, name: str, path: str | None, variables: Mapping[str, Value]
) -> tuple[dict[str, Value], str]:
    """Return what a file in Python's syntax sets, and where it was found.

    Raises:
        InvalidInput, NotFound: it is not there, or cannot be read.
    """
    directories = (path or f".:{home.etc}/xm:/etc/xen").split(":")
    places = [name] if os.path.isabs(name) else [os.path.join(d, name) for d in directories]
    found = next((place for place in places if os.path.isfile(place)), None)
    if found is None:
        raise NotFound(f"Unable to open config file: {name}")
    return read_values(_text(found), name=found, given=variables), found


def _read_sxp(path: str) -> tuple[dict[str, Value], str]:
    if not os.path.isfile(path):
        raise NotFound(f"Unable to open config file: {path}")
    expressions = sxp.parse(_text(path), name=path)
    if len(expressions) != 1:
        raise InvalidInput(f"{path}: this is no domain", hint="it is one expression: (vm ...)")
    return from_sxp(expressions[0], name=path), path


def _text(path: str) -> str:
    with files.translated(f"read {path}"):
        if os.path.getsize(path) > MOST_BYTES:
            raise InvalidInput(f"{path} is too long for a configuration file")
        try:
            return Path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise InvalidInput(f"{path} is no text") from None


def _define(context: Context, definition: Definition) -> Domain:
    """Make the guest of a definition, or define the one of an ended domain anew."""
    had = _find_had(context, definition)
    if had is not None:
        _check_ended(had)
    approach = choose_approach(context, definition)
    request = request_of(context, definition, approach)
    cards = further_cards(context, definition)
    most = context.approach(approach).needs.most_cards
    if len(cards) > most:
        raise InvalidInput(
            f"domain {definition.name} cannot have {len(cards) + 1} network cards",
            hint=f"give it at most {most + 1}",
        )
    if had is None:
        guest = create_guest(context, request)
        try:
            _give_cards(context, guest, cards)
            _give_disks(context, guest, definition)
        except BaseException:
            destroy(context, guest.name)
            raise
    else:
        guest = redefine(context, had.guest.name, request)
        _give_cards(context, guest, cards)
        _give_disks(context, guest, definition)
    # Last: without it the domain is there, called as its guest is, and to create it once more makes it whole.
    keep_definition(context.home, guest, definition)
    return Domain(guest=guest, number=None, definition=definition)


def _find_had(context: Context, definition: Definition) -> Domain | None:
    """Return the domain of a definition's name; one whose making was broken off has only its guest's yet."""
    domains = list_domains(context)
    for one in domains:
        if one.name == definition.name:
            return one
    name = guest_name(definition.name)
    return next((one for one in domains if (one.name, one.definition) == (name, None)), None)


def _give_cards(context: Context, guest: Guest, wanted: Sequence[NewCard]) -> None:
    """Give a guest these cards beside its first, in the place of those that it has."""
    if len(guest.cards) == len(wanted) and all(map(_is_as, guest.cards, wanted)):
        return
    for card in guest.cards:
        remove_card(context, guest.name, card.name)
    for one in wanted:
        add_card(context, guest.name, one)


def _is_as(card: Card, wanted: NewCard) -> bool:
    """Return whether a card is what is wanted, in so far as something is."""
    mac = None if wanted.mac is None else read_mac(wanted.mac)
    return (
        card.network == wanted.network
        and mac in (None, card.mac)
        and wanted.addresses in ((), card.addresses)
        and wanted.rates.outward == card.rates.outward
    )


def _give_disks(context: Context, guest: Guest, definition: Definition) -> None:
    """Give a guest the disks of a definition, in their order, in the place of those of the node that it has."""
    requests = [disk_request(disk) for disk in definition.disks]
    had = [disk for disk in guest.disks if disk.source is not None]
    if [_told(disk) for disk in had] == [_told(request) for request in requests]:
        return
    for disk in had:
        remove_disk(context, guest.name, disk.name)
    for request in requests:
        add_disk(context, guest.name, request)


def _told(disk: Disk | DiskRequest) -> tuple[str | None, str | None, str | None, bool]:
    return disk.name, disk.source, disk.format, disk.read_only or disk.is_cdrom


def _check_ended(domain: Domain) -> None:
    if domain.number is not None:
        raise Conflict(f"VM name '{domain.name}' already in use by domain {domain.number}")


def _start(context: Context, domain: Domain, given: Mapping[str, str]) -> None:
    """Start a domain and say so, as soon as its kernel runs; with its console on this terminal, if that was asked for."""
    name, is_watched = domain.guest.name, "console_autoconnect" in given
    begin = 0
    if is_watched:
        check_console(context, name, keyboard=0)
        begin = log_size(context, name)
    start_guest(context, name, ready_seconds=None, talks=is_watched, anew=True)
    list_domains(context)  # which numbers it
    if "paused" in given:
        freeze(context, name)
    output.say(f"Started domain {domain.name}")
    if is_watched:
        console.join(context, domain, begin=begin)


def _render_variables() -> str:
    width = max(map(len, VARIABLES)) + 2
    return "\n".join(f"{key:<{width}}{one.about}" for key, one in VARIABLES.items())
