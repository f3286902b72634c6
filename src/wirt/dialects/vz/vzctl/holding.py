"""A guest brought to what its file says: ``set`` for the keys that it changes, ``start`` for all."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from wirt.console import output
from wirt.dialects.vz import conf, privileges, settings
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.configfile import ConfigFile
from wirt.dialects.vz.ctid import ctid_of
from wirt.dialects.vz.resolver import node_names
from wirt.dialects.vz.vzctl import cards
from wirt.dialects.vz.words import NOW, Words, in_words
from wirt.errors import NotFound
from wirt.model.guest import Guest
from wirt.model.limits import Limits
from wirt.model.naming import Naming, check_naming
from wirt.ops.context import Context
from wirt.ops.naming import NamesRequest
from wirt.ops.set import SetRequest, set_limits

_LIMITS: Sequence[tuple[Code, Sequence[str]]] = (
    (Code.BEANCOUNTERS, ("memory", "processes")),
    (Code.BEANCOUNTERS, ("terminals",)),
    (Code.BEANCOUNTERS, ("swap",)),
    (Code.CPU, ("cpus", "cpu_limit", "cpu_weight", "cpu_pin")),
    (Code.QUOTA_LIMIT, ("disk",)),
    (Code.QUOTA_LIMIT, ("disk_soft", "disk_grace")),
    (Code.QUOTA_LIMIT, ("disk_inodes", "disk_inodes_soft")),
    (Code.USER_QUOTA, ("user_quotas",)),
    (Code.IO, ("io_weight", "io_read", "io_write", "iops_read", "iops_write")),
)
"""What is held to at once, in this order, and what vzctl ends with when that fails."""
WHERE_POSSIBLE = frozenset({"IOPRIO", "IOLIMIT", "IOPSLIMIT", "QUOTAUGIDLIMIT"})
"""Keys that a container starts without where the node or its disk knows nothing of the kind."""
_BY_SET_ALONE = frozenset({"DISKSPACE", "DISKINODES", "SWAPPAGES"})
"""Keys that no start holds a container to: a pool or a node may not be able to, and it is to start all the same."""
_SAID_ALONE = _BY_SET_ALONE | {"QUOTAUGIDLIMIT"}
"""Keys whose limits stay as they are where a file does not say them; user quotas, because a disk is copied for them."""
_NAMES = dict(zip(settings.NAMING, ("hostname", "dns", "search"), strict=True))


def hold_to(
    context: Context,
    guest: Guest,
    config: ConfigFile,
    keys: Collection[str],
    *,
    base: Guest | None = None,
) -> None:
    """Give a guest the names and limits that follow from keys of its file, where it has others.

    Args:
        context: the home.
        guest: the guest.
        config: its file.
        keys: those that are looked at.
        base: what the file does not say is as this guest has it; None: as it has it itself.

    Raises:
        Refused: one cannot be, with the status for it; what came before it is changed.
    """
    base = base or guest
    wanted, had = settings.naming_of(config, base.naming, node_names), guest.naming
    for key, field in _NAMES.items():
        value = getattr(wanted, field)
        if key in keys and value != getattr(had, field):
            # What is None would stay as it is.
            change: dict[str, Any] = {field: "" if value is None else value}
            with ends_with(settings.NAMING[key]):
                request = SetRequest(names=NamesRequest(**change))
                set_limits(context, guest.name, request)
    for key, code in privileges.CODES.items():
        if key in keys:
            with ends_with(code), ends_with(Code.DEVICES, NotFound):
                request = SetRequest(privileges=privileges.privileges_of(config))
                set_limits(context, guest.name, request)
            break
    limits = settings.limits_of(config, base.limits)
    for code, fields in _LIMITS:
        changes: dict[str, Any] = {
            field: getattr(limits, field)
            for field in fields
            if set(settings.LIMITING[field]) & set(keys)
            and getattr(limits, field) != getattr(guest.limits, field)
        }
        if changes:
            with ends_with(code):
                set_limits(context, guest.name, SetRequest(**changes))


def check_file(context: Context, guest: Guest, config: ConfigFile) -> None:
    """Check that a guest can be brought to its file, as far as the file itself can tell; changes nothing.

    Raises:
        Refused: a value cannot be, with the status for it.
    """
    cards.check_addresses(guest, config)
    privileges.privileges_of(config)
    base = _unsaid(context, guest, config)
    try:
        settings.check_pairs(config)
        settings.limits_of(config, base.limits)
    except settings.Bad as bad:
        place = f"{conf.path_of(context.home, ctid_of(guest))}:{config.line_of(bad.key)}"
        raise Refused(Code.VALUE, f"{place}: {bad.message}", hint=bad.hint) from None
    naming = settings.naming_of(config, base.naming, node_names)
    for key, field in _NAMES.items():
        with ends_with(settings.NAMING[key]):
            check_naming(Naming(**{field: getattr(naming, field)}))


def bring_to_file(context: Context, guest: Guest, config: ConfigFile, words: Words = NOW) -> None:
    """Give a guest that is going to be started all that its file says.

    What was set without --save is over; what was written into the file by hand begins, and what was taken out of it ends.

    Raises:
        Refused: one cannot be, with the status for it; what came before it is changed.
    """
    cards.bring_addresses(context, guest, config)
    cards.bring_cards(context, guest, config)
    base = _unsaid(context, guest, config)
    keys = set(config.names())
    if base is not guest:
        keys |= {*settings.ENFORCED, *settings.NAMING}
    keys -= _BY_SET_ALONE
    hold_to(context, guest, config, keys - WHERE_POSSIBLE, base=base)
    for key in sorted(keys & WHERE_POSSIBLE):
        hold_where_possible(context, guest, config, key, words, base=base)


def _unsaid(context: Context, guest: Guest, config: ConfigFile) -> Guest:
    """Return a guest with the names and limits that it is going to have where its file does not say any.

    One that ``vzctl create`` made was made by its file, and has those that creation gives; another has its own, and so has one
    without a file.
    """
    if guest.number is None or config == ConfigFile():
        return guest
    made = Limits(cpus=context.cpus)
    limits = {
        field: getattr(made, field)
        for field, keys in settings.LIMITING.items()
        if not _SAID_ALONE & {*keys}
    }
    return msgspec.structs.replace(
        guest, naming=Naming(), limits=msgspec.structs.replace(guest.limits, **limits)
    )


def hold_where_possible(
    context: Context,
    guest: Guest,
    config: ConfigFile,
    key: str,
    words: Words = NOW,
    *,
    base: Guest | None = None,
) -> None:
    """Hold a guest to what a sample says of its disk or swap, or say why that cannot be: not every node and pool can."""
    try:
        hold_to(context, guest, config, [key], base=base)
    except Refused as error:
        output.note(f"Warning: {in_words(error.message, words)}")
