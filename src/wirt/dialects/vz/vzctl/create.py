"""``vzctl create``: a container from a template and a sample."""

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from wirt import app
from wirt.console import output
from wirt.dialects.vz import conf, ctid, settings
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.configfile import ConfigFile
from wirt.dialects.vz.resolver import node_names
from wirt.dialects.vz.vzctl import cards
from wirt.dialects.vz.vzctl.call import Call
from wirt.dialects.vz.vzctl.cards import CardsAsked
from wirt.dialects.vz.vzctl.holding import WHERE_POSSIBLE, hold_to, hold_where_possible
from wirt.errors import Conflict, InvalidInput, NotFound
from wirt.model.card import VENET
from wirt.model.guest import Guest
from wirt.model.home import Home
from wirt.model.limits import Limits
from wirt.model.names import check_name
from wirt.model.naming import Naming, check_naming
from wirt.ops import inodes, softlimit
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, choose_pool, plan
from wirt.ops.create import create as create_guest
from wirt.ops.observing import probe_disk_bound

_KEPT = ("description", "diskspace", "diskinodes", "hostname")
_LAYOUT = ("layout", "ve_layout", "velayout")
_REFUSED = {
    "local_gid": Code.VALUE,
    "local_uid": Code.VALUE,
    "pkgset": Code.PACKAGES,
    "pkgver": Code.PACKAGES,
    "private": Code.PRIVATE,
    "root": Code.ROOT,
}
_OPTIONS = ("ostemplate", "config", "ipadd", "ip", "name", *_LAYOUT, *_KEPT, *_REFUSED)


def create(call: Call) -> int:
    """Make a container and its configuration; it is not started."""
    number = ctid.check_new(call.ctid)
    options = call.options([], _OPTIONS)
    given = dict(options)
    _check(given)
    with app.open_context() as context:
        config = _configuration(context.home, given, unlimited=call.words.unlimited)
        settings.check_pairs(config)
        asked = cards.read(options)
        config = cards.changed(config, asked)
        address = next((one for one in asked.addresses if ":" not in one), None)
        wanted = settings.limits_of(config, Limits(cpus=context.cpus))
        request = CreateRequest(
            name=given.get("name") or str(number),
            number=number,
            template=conf.template_of(context.home, config.get("OSTEMPLATE") or ""),
            address=address,
            pool=_pool(context),
            # OpenVZ's kind, which the node's neighbours find as they find the node.
            card_name=VENET,
            is_routed=True,
            is_proxied=True,
            limits=_where_sure(wanted),
        )
        with conf.lock(context.home):
            # Its file first: whoever dies in between leaves a file of no container, which the next create writes over.
            _check_free(context, number)
            path = conf.write_config(context.home, number, config)
            try:
                naming = settings.naming_of(config, Naming(), node_names)
                guest = _create(context, request, naming, asked, disk_inodes=wanted.disk_inodes)
            except BaseException:
                conf.remove(context.home, number)
                raise
            cards.warn_of_holders(asked)
            cards.apply(context, guest.name, config, asked)
            hold_to(context, guest, config, ["HOSTNAME"])
            _warn_of_disk(call, context, guest, config)
            if softlimit.probe(context, guest).available:
                hold_to(context, guest, config, ["DISKSPACE"])
            if inodes.probe(context, guest).available:
                hold_to(context, guest, config, ["DISKINODES"])
            for key in ("SWAPPAGES", *sorted(WHERE_POSSIBLE)):
                hold_where_possible(context, guest, config, key, call.words)
        call.tell(call.words.creating(guest.template, context.home.guest(guest.id)))
    call.tell("Performing postcreate actions")
    call.tell(call.words.saved(number, path))
    call.tell(f"{call.words.capital} private area was created")
    return Code.OK


def _pool(context: Context) -> str | None:
    """Return the pool that vz.conf names for containers, None if it leaves that to Wirt.

    Raises:
        Refused: there is none of that name, or it has no trees here.
    """
    name = conf.read_global(context.home).get("POOL")
    if not name:
        return None
    with ends_with(Code.PRIVATE):
        return choose_pool(context, "tree", name)


def _warn_of_disk(call: Call, context: Context, guest: Guest, config: ConfigFile) -> None:
    """Say of what its file, a sample's part included, says of the disk that nothing holds the container to it."""
    for option, bound in (
        ("diskspace", probe_disk_bound(context, guest)),
        ("diskinodes", inodes.probe(context, guest)),
    ):
        if config.get(option.upper()) is not None and not bound.available:
            output.note(
                f"Warning: nothing holds {call.words.container} to its {option}: {bound.reason}"
            )


def _check(given: Mapping[str, str]) -> None:
    for option in _REFUSED:
        if option in given:
            raise Refused(
                _REFUSED[option],
                f"--{option} cannot be done: nothing here does it",
                hint="leave it out",
            )
    for option in _LAYOUT:
        layout = given.get(option, "simfs")
        if layout.partition(":")[0] == "ploop":
            raise Refused(Code.PLOOP, "ploop is not supported", hint="leave the layout out")
        if layout != "simfs":
            raise settings.Bad(option, layout)


def _configuration(home: Home, given: Mapping[str, str], *, unlimited: int) -> ConfigFile:
    """Return what the container's file is going to be: the sample, and what the command line says."""
    ours = conf.read_global(home)
    template = given.get("ostemplate") or ours.get("DEF_OSTEMPLATE")
    if not template:
        raise Refused(Code.NO_TEMPLATE_GIVEN, "No OS template is given", hint="pass --ostemplate")
    sample = given.get("config") or ours.get("CONFIGFILE")
    config = conf.read_sample(home, sample) if sample else ConfigFile()
    keys = {"OSTEMPLATE": template}
    if sample:
        keys["ORIGIN_SAMPLE"] = sample
    if given.get("name"):
        keys["NAME"] = given["name"]
    for option in _KEPT:
        if option in given:
            keys |= settings.values_of(option, given[option], unlimited=unlimited)
    for key, value in keys.items():
        config = config.replace(key, value)
    return config


def _where_sure(limits: Limits) -> Limits:
    """Return the limits without those that not every node can hold a container to; it is held to them afterwards."""
    usual = Limits()
    unsure = (
        "swap",
        "disk_soft",
        "disk_inodes",
        "disk_inodes_soft",
        *(field for field, keys in settings.LIMITING.items() if WHERE_POSSIBLE & {*keys}),
    )
    return msgspec.structs.replace(limits, **{field: getattr(usual, field) for field in unsure})


def _check_free(context: Context, number: int) -> None:
    with suppress(NotFound):
        guest = context.store.find(str(number))
        raise Refused(
            Code.PRIVATE_EXISTS,
            f"Private area already exists in {context.home.guest(guest.id)}",
            hint=f"choose another CT ID or destroy it first: vzctl destroy {number}",
        )


def _create(
    context: Context,
    request: CreateRequest,
    naming: Naming,
    asked: CardsAsked,
    *,
    disk_inodes: int,
) -> Guest:
    """Make the guest, or end with the status that belongs to what stands in the way."""
    with ends_with(Code.NAME, InvalidInput):
        check_name(request.name)
    with ends_with(Code.HOSTNAME):
        check_naming(naming)
    with ends_with(Code.NO_TEMPLATE, NotFound):
        context.templates.get(request.template)
    with ends_with(Code.ADD_ADDRESS, InvalidInput):
        for one in asked.addresses:
            context.routed().check_further(one)
    taken = context.store.addresses()
    for one in asked.addresses:
        if one in taken:
            raise Refused(
                Code.ADDRESS_IN_USE,
                f"address {one} is in use by another guest",
                hint="choose another or leave it out",
            )
    try:
        if inodes.probe(context, plan(context, request)).available:
            # Its file system is made with them.
            limits = msgspec.structs.replace(request.limits, disk_inodes=disk_inodes)
            request = msgspec.structs.replace(request, limits=limits)
        return create_guest(context, request)
    except Conflict as error:
        is_taken = request.address in context.store.addresses()
        code = Code.ADDRESS_IN_USE if is_taken else Code.NAME
        raise Refused(code, error.message, hint=error.hint) from error
