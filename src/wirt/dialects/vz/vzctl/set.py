"""``vzctl set``: other parameters for a container, at once if it runs, and kept with ``--save``."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from wirt import app
from wirt.console import output
from wirt.dialects.vz import conf, ctid, privileges, settings, standing
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.configfile import ConfigFile
from wirt.dialects.vz.vzctl import cards
from wirt.dialects.vz.vzctl.call import Call
from wirt.dialects.vz.vzctl.cards import CardsAsked
from wirt.dialects.vz.vzctl.holding import hold_to, hold_where_possible
from wirt.dialects.vz.vzctl.lifecycle import restart_in
from wirt.dialects.vz.vzctl.ownshare import set_node
from wirt.dialects.vz.vzctl.telling import (
    tell_addresses,
    tell_beancounters,
    tell_cpu,
)
from wirt.dialects.vz.words import NOW, in_words
from wirt.model.guest import Guest
from wirt.model.home import Home
from wirt.ops import softlimit
from wirt.ops.autostart import LAST_ORDER, set_autostart
from wirt.ops.context import Context
from wirt.ops.guests import observed
from wirt.ops.password import set_password
from wirt.ops.rename import rename

_FLAGS = ("save", "force", "reset_ub", "skip_arpdetect", "offline-resize", "offline")
_QUOTAS = "QUOTAUGIDLIMIT"
_OF_START = {
    "CAPABILITY": "capability",
    "DEVICES": "devices",
    "DEVNODES": "devices",
    "FEATURES": "features",
}
"""Lists, and what a container has of them from its start on."""
_LISTS = tuple(key.lower() for key in privileges.CODES)
"""Options whose values are merged into what the file has."""
_OTHERS = ("applyconfig", "config", "setmode", "userpasswd", *cards.OPTIONS, *_LISTS)
_NOT_FROM_SAMPLE = frozenset(
    {"DESCRIPTION", "HOSTNAME", "IP_ADDRESS", "NAME", "OSTEMPLATE", "VE_PRIVATE", "VE_ROOT"}
)
"""What is one container's own, so that ``--applyconfig`` takes it from no sample."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    keys: Mapping[str, str]
    """The keys of the file that it sets."""
    lists: Mapping[str, str]
    """Keys whose value is merged into what the file has."""
    passwords: Sequence[tuple[str, str]]
    """Users and their passwords, which no file is told."""
    cards: CardsAsked
    looks_for_holders: bool
    """Of the addresses that come: whether somebody on the node's networks has them is asked first."""
    has_sampled_disk: bool
    """What it says of the disk is a sample's, and nobody's who asks for it."""
    saves: bool
    resets: bool
    mode: str | None
    """What is to be done about what a running container gets at its next start: restart, ignore; None: it is said."""


def set_parameters(call: Call) -> int:
    """Set parameters of a container."""
    options = call.options(_FLAGS, (*settings.VALUED, *_OTHERS), short=settings.SHORT)
    with app.open_context() as context:
        if call.ctid == "0":
            return set_node(call, context, options)
        asked = _read(context.home, options, unlimited=call.words.unlimited)
        guest = observed(context, ctid.find(context, call.ctid))
        number = ctid.ctid_of(guest)
        config = said = conf.read_config(context.home, number)
        for user, password in asked.passwords:
            with ends_with(Code.PASSWORD):
                set_password(context, guest.name, user, password, creates=True)
        if asked.resets:
            hold_to(context, guest, config, [])
            call.tell(call.words.limits_set)
            return Code.OK
        if asked.keys or asked.lists or asked.cards != CardsAsked():
            with _not_saving(call, asked):
                _check_can_be_applied(call, context, guest, asked)
                if asked.looks_for_holders:
                    cards.warn_of_holders(asked.cards)
                config = cards.begun(context, guest.name, config, asked.cards)
                config = standing.begun(guest, config, asked.keys)
                changed = _changed(config, asked)
                name = _apply(call, context, guest, changed, asked)
            if guest.state.is_up:
                _tell(call, said, changed, asked)
            if asked.cards.changes_interfaces:
                changed = cards.told(context, name, changed)
            if guest.state.is_up and asked.mode is None:
                _warn_of_next_start(call, asked)
            if asked.saves:
                path = conf.write_config(context.home, number, changed)
                call.tell(call.words.saved(number, path))
                if asked.mode == "restart" and guest.state.is_up and _wants_restart(asked):
                    # By its number, for its name may just have been changed.
                    restart_in(msgspec.structs.replace(call, ctid=str(number)), context)
                return Code.OK
            if config != said:
                # What there was before, from which the next start begins.
                conf.write_config(context.home, number, config)
    if (asked.keys or asked.cards != CardsAsked()) and not asked.saves:
        output.note(call.words.not_saved(is_up=guest.state.is_up))
    return Code.OK


@contextmanager
def _not_saving(call: Call, asked: Asked) -> Iterator[None]:
    """Say that nothing is saved, behind why, if what was to be saved cannot be given. Of a name or a bad value vzctl says only why."""
    try:
        yield
    except Refused as error:
        is_told = asked.saves and call.words is NOW
        if not is_told or error.exit_code in (Code.NAME, Code.VALUE):
            raise
        output.note(in_words(str(error)))
        said = "Error: failed to apply some parameters, not saving configuration file!"
        raise Refused(Code(error.exit_code), said) from error


def _read(home: Home, options: Sequence[tuple[str, str]], *, unlimited: int) -> Asked:
    # What 2006 called otherwise.
    options = [("applyconfig" if name == "config" else name, value) for name, value in options]
    given = dict(options)
    saves = "save" in given
    mode = given.get("setmode")
    if mode not in (None, "restart", "ignore"):
        raise settings.Bad("setmode", mode, hint="give restart or ignore")
    if mode == "restart" and not saves:
        raise Refused(
            Code.SYNTAX, "Error: --setmode restart doesn't make sense without --save flag"
        )
    if "name" in given and not saves:
        raise Refused(Code.NAME, "Error: unable to use --name option without --save")
    keys: dict[str, str] = {}
    if "applyconfig" in given:
        sample = conf.read_sample(home, given["applyconfig"], code=Code.APPLY_SAMPLE)
        settings.check_pairs(sample)
        keys = {key: sample.get(key) or "" for key in sample.names() if key not in _NOT_FROM_SAMPLE}
        keys["ORIGIN_SAMPLE"] = given["applyconfig"]
    for option, value in options:
        if option not in _FLAGS and option not in _OTHERS:
            keys |= settings.values_of(option, value, unlimited=unlimited)
    lists = {
        name.upper(): ",".join(value for option, value in options if option == name)
        for name in _LISTS
        if name in given
    }
    for repeated in settings.REPEATED:
        if repeated in given:
            keys[repeated.upper()] = " ".join(value for name, value in options if name == repeated)
    return Asked(
        keys=keys,
        lists=lists,
        passwords=[_password(value) for option, value in options if option == "userpasswd"],
        cards=cards.read(options),
        looks_for_holders="skip_arpdetect" not in given,
        has_sampled_disk="applyconfig" in given and "diskspace" not in given,
        saves=saves,
        resets="reset_ub" in given,
        mode=mode,
    )


def _password(value: str) -> tuple[str, str]:
    user, colon, password = value.partition(":")
    if not (user and colon and password):
        # What was typed may be a password: it is not said again.
        raise Refused(Code.VALUE, "Bad parameter for --userpasswd", hint="give user:password")
    return user, password


def _check_can_be_applied(call: Call, context: Context, guest: Guest, asked: Asked) -> None:
    kept = sorted(settings.NOT_ENFORCED.intersection(asked.keys))
    if asked.keys.get("QUOTATIME", "0") != "0" and not softlimit.probe(context, guest).available:
        kept.append("QUOTATIME")
    if not guest.state.is_up and not asked.saves:
        raise Refused(
            Code.NOT_RUNNING,
            f"Unable to apply parameters: {call.words.container} is not running",
            hint="pass --save, and they are kept",
        )
    if asked.lists and not asked.saves:
        key = next(iter(asked.lists))
        raise Refused(
            privileges.CODES[key],
            f"--{key.lower()} is of the next start, and would be over then",
            hint="pass --save",
        )
    if kept and not asked.saves:
        raise Refused(
            Code.QUOTA_LIMIT if kept[0] == "QUOTATIME" else Code.BEANCOUNTERS,
            f"--{kept[0].lower()} cannot be done: nothing here holds a container to it",
            hint="with --save it is kept in the configuration",
        )
    if kept:
        output.note(
            f"Warning: kept, but nothing here holds a {call.words.container} to it: "
            f"{', '.join(key.lower() for key in kept)}"
        )


def _tell(call: Call, before: ConfigFile, after: ConfigFile, asked: Asked) -> None:
    """Say in vzctl's words what a running container has been given."""
    had, has = ((config.get("IP_ADDRESS") or "").split() for config in (before, after))
    tell_beancounters(call, asked.keys)
    if asked.cards.changes_addresses:
        tell_addresses(
            call, [one for one in had if one not in has], [one for one in has if one not in had]
        )
    tell_cpu(call, after, asked.keys)


def _wants_restart(asked: Asked) -> bool:
    """Return whether a running container gets some of it at its next start only."""
    return bool(asked.lists) or _QUOTAS in asked.keys


def _warn_of_next_start(call: Call, asked: Asked) -> None:
    """Say in vzctl's words what a running container does not get now."""
    cannot = [f"set {what}" for what in dict.fromkeys(_OF_START[key] for key in asked.lists)]
    if _QUOTAS in asked.keys:
        way = "off" if asked.keys[_QUOTAS] == "0" else "on"
        cannot.append(f"turn {way} second-level disk quota")
    running = f"running {call.words.container}"
    for what in cannot:
        output.note(f"Unable to {what} on a {running}")
    if cannot:
        output.note(
            f"WARNING: Some of the parameters could not be applied to a {running}.\n"
            "\tPlease consider using --setmode option"
        )


def _changed(config: ConfigFile, asked: Asked) -> ConfigFile:
    """Return the container's file as it is going to be."""
    for key, value in asked.keys.items():
        config = config.replace(key, value)
    for key, value in asked.lists.items():
        config = config.replace(key, privileges.merged(key, config.get(key) or "", value))
    return cards.changed(config, asked.cards)


def _apply(call: Call, context: Context, guest: Guest, config: ConfigFile, asked: Asked) -> str:
    """Give a container what was asked for and return the name that it has then."""
    name = guest.name
    if "NAME" in asked.keys:
        with ends_with(Code.NAME):
            name = rename(context, name, asked.keys["NAME"] or str(ctid.ctid_of(guest))).name
    guest = msgspec.structs.replace(guest, name=name)
    keys = set(asked.keys)
    if asked.has_sampled_disk:
        keys -= {"DISKSPACE"}
        # As when it is made: what a sample says of a disk is kept, be there a pool that bounds it or not.
        hold_where_possible(context, guest, config, "DISKSPACE", call.words)
    if "DISKINODES" in keys and asked.saves:
        # It is kept in any case.
        keys -= {"DISKINODES"}
        hold_where_possible(context, guest, config, "DISKINODES", call.words)
    hold_to(context, guest, config, keys | set(asked.lists))
    if {"ONBOOT", "BOOTORDER"} & set(asked.keys):
        _start_with_node(context, name, config)
    cards.apply(context, name, config, asked.cards)
    return name


def _start_with_node(context: Context, name: str, config: ConfigFile) -> None:
    """Have a guest started with the node, or not: vzctl starts the greatest number first, and those without one last."""
    order = int(config.get("BOOTORDER") or "0")
    if order > LAST_ORDER:
        raise settings.Bad("bootorder", str(order), hint=f"give 0 to {LAST_ORDER}")
    set_autostart(context, name, LAST_ORDER - order if config.get("ONBOOT") == "yes" else None)
