"""``create``: a guest from its definition, stopped."""

import os
import time

import msgspec

from wirt.approaches.base import HasScreen, Needs
from wirt.errors import Conflict, InvalidInput, NotPermitted, Unsupported
from wirt.model.capability import no
from wirt.model.card import FIRST
from wirt.model.disk import RAW, DiskImage
from wirt.model.guest import Guest
from wirt.model.ids import free_range
from wirt.model.kernelboot import KernelBoot
from wirt.model.limits import HELD_BY_THE_NODE, Limits, check_limits
from wirt.model.macs import check_mac
from wirt.model.names import check_name, new_guest_id
from wirt.model.naming import Naming, check_naming
from wirt.model.rates import Rates
from wirt.network.base import Network
from wirt.ops import journal
from wirt.ops.checks.fitness import judge_template
from wirt.ops.checks.routable import check_routable
from wirt.ops.checks.sizes import check_cpus, check_holds_template, fit_disk, machine_of
from wirt.ops.checks.way import check_way
from wirt.ops.context import Context
from wirt.ops.steps.bootfiles import check_boot
from wirt.ops.steps.ladder import Ladder
from wirt.storage.base import TakesImages
from wirt.units import UNBOUNDED

DEFAULT_APPROACH = "lxc"
DEFAULT_TEMPLATE = "debian-12-web"


class OwnDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A disk that rests on no template; its machine boots by itself what is on it, or on a CD."""

    image: DiskImage | None = None
    """What it holds at first; None: nothing."""


class CreateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The definition of a guest; what is None is chosen."""

    name: str
    approach: str = DEFAULT_APPROACH
    template: str = DEFAULT_TEMPLATE
    limits: Limits = Limits()
    address: str | None = None
    mac: str | None = None
    pool: str | None = None
    kernel_boot: KernelBoot | None = None
    """A kernel of the node's in the place of the template's."""
    has_screen: bool = False
    """With a graphics card, whose picture is served by VNC."""
    hostname: str | None = None
    """What it is called inside; None: as it is called outside."""
    disk: OwnDisk | None = None
    """A disk of its own in the place of a template's root."""
    cdroms: tuple[str, ...] = ()
    """Files and devices of the node that are CDs, in drives of its machine from the start."""
    card_name: str = FIRST
    is_routed: bool = False
    """Its card meets the node alone."""
    is_proxied: bool = False
    """Of a routed card: the node answers for its addresses on its other networks."""
    rates: Rates = Rates()
    """Of its card."""
    force: bool = False
    """Guarantee more than the node has."""
    number: int | None = None
    """A number that it is found by besides its name."""
    lives_with: str | None = None
    """Name of a lock that the caller holds: when it is killed, the next command destroys the guest."""


def create(context: Context, request: CreateRequest) -> Guest:
    """Make a guest and return it, stopped.

    Raises:
        InvalidInput, NotFound, Conflict, Unsupported: the definition cannot be; nothing was changed.
        Failed: making it failed; nothing of it is left.
    """
    guest = plan(context, request)
    with context.guest_lock(guest):
        guest = claim(context, request, guest, "create")
        ladder = Ladder(context, guest)
        own = request.disk
        steps = ladder.to_exist() if own is None else ladder.to_take(own.image)
        journal.build(context, "create", guest, steps, otherwise=None)
        journal.settle(context, "create", guest, guest)
    return guest


def plan(context: Context, request: CreateRequest) -> Guest:
    """Check a definition against the node and return the guest it would make; changes nothing.

    Raises:
        InvalidInput, NotFound, NotPermitted, Unsupported: it cannot be made here; says why and what to do.
    """
    if os.geteuid() != 0:
        raise NotPermitted("making a guest needs root", hint="run it as root")
    check_name(request.name)
    approach = context.approach(request.approach)
    capability = approach.probe_capability()
    if not capability.available:
        raise Unsupported(
            f"approach {request.approach} cannot run here: {capability.reason}",
            hint=capability.hint or "see wirt doctor for those that can",
        )
    # Whoever lacks both hears of the approach first: a template can be built in vain.
    template = None if request.disk is not None else context.templates.get(request.template)
    needs = approach.needs
    if request.kernel_boot is not None:
        check_boot(request.name, request.approach, needs, request.kernel_boot)
        needs = msgspec.structs.replace(needs, kernel_image=False)
    if request.has_screen and not isinstance(approach, HasScreen):
        raise Unsupported(
            f"guest {request.name} cannot have a screen: approach {request.approach} has no machine "
            "with a graphics card",
            hint="use the approach qemu or kvm",
        )
    if request.hostname is not None:
        _check_hostname(request, needs)
    if template is not None:
        fit = judge_template(template, request.approach, needs)
        if not fit.available:
            raise Unsupported(
                f"approach {request.approach} cannot be used: {fit.reason}", hint=fit.hint
            )
    elif not needs.firmware:
        raise Unsupported(
            f"guest {request.name} cannot have a disk of its own: approach {request.approach} has no "
            "machine whose firmware would boot from it",
            hint="use the approach qemu or kvm",
        )
    machine = machine_of(context, approach)
    check_limits(
        request.limits,
        smallest_memory=approach.needs.smallest_memory,
        most_memory=machine.memory if approach.needs.own_kernel else None,
        node_cpus=len(machine.processors),
    )
    check_cpus(request.name, request.approach, needs, request.limits.cpus)
    if needs.shifted:
        check_way(context.home, request.name)
    pool = choose_pool(context, needs.root, request.pool, takes_images=template is None)
    limits = request.limits
    if limits.cpu_pin:
        # Loaded here: few guests are pinned.
        from wirt.ops.checks.pinning import with_chosen

        limits = with_chosen(context, approach, limits)
    if template is not None and needs.root != "tree":
        limits = fit_disk(request.name, limits, template, context.pool(pool), needs.root)
    elif template is not None:
        check_holds_template(request.name, limits, template, context.pool(pool))
    guest_id = new_guest_id()
    guest = Guest(
        id=guest_id,
        name=request.name,
        approach=request.approach,
        template=template.name if template else "",
        template_sha256=template.sha256 if template else "",
        pool=pool,
        limits=limits,
        address=_network_for(context, request, needs).choose_address(
            request.address, context.store.addresses(), guest_id
        ),
        card_name=request.card_name,
        is_routed=request.is_routed,
        is_proxied=request.is_proxied,
        rates=request.rates,
        mac=_mac_for(context, request, guest_id),
        created=time.time(),
        number=request.number,
        lives_with=request.lives_with,
        kernel_boot=request.kernel_boot,
        has_screen=request.has_screen,
        naming=Naming(hostname=request.hostname),
    )
    if request.rates != Rates():
        # Loaded here: few guests have some.
        from wirt.ops.rates import check as check_pace

        check_pace(context, guest, guest.card, request.rates)
    if request.cdroms:
        from wirt.ops.disk import DiskRequest, plan_disk
        from wirt.ops.steps.drives import check_free

        for path in request.cdroms:
            cd = plan_disk(context, guest, DiskRequest(source=path, format=RAW, is_cdrom=True))
            check_free(context, guest, cd)
            guest = msgspec.structs.replace(guest, disks=(*guest.disks, cd))
    usual = Limits()
    wanted = [
        limit for limit in HELD_BY_THE_NODE if getattr(guest.limits, limit) != getattr(usual, limit)
    ]
    if wanted:
        # Loaded here: most guests ask for nothing of the kind, and would wait for it.
        from wirt.ops.checks.holdable import check_holdable

        check_holdable(context, guest, guest.limits, wanted=wanted)
    if guest.limits.disk_inodes != UNBOUNDED:
        from wirt.ops.inodes import check_holdable as check_inodes

        check_inodes(context, guest, guest.limits, is_new=True)
    if guest.limits.user_quotas:
        from wirt.ops.quotas import check_holdable as check_quotas

        check_quotas(context, guest)
    if guest.limits.memory_max:
        from wirt.ops.checks.holdable import check_maximum

        check_maximum(approach, guest, guest.limits)
    return guest


def claim(context: Context, request: CreateRequest, guest: Guest, verb: str) -> Guest:
    """Write down that the guest is going to be made, which takes its name and address, and return it.

    Raises:
        Conflict: its name, or the address that was asked for, is taken; or the node cannot guarantee it so much.
    """
    with context.templates_lock():
        # They may have been removed since the plan; once the guest is written down they cannot be any more.
        if guest.has_template:
            current = context.templates.get(guest.template)
            guest = msgspec.structs.replace(guest, template_sha256=current.sha256)
        if guest.pool not in context.pools:
            from wirt.ops.pool import find_pool

            find_pool(context, guest.pool)
        is_asked_for = request.address is not None
        if not (guest.limits.cpu_guarantee or guest.limits.memory_guarantee):
            return take_place(context, guest, verb, is_asked_for=is_asked_for)
        # Loaded here, as above.
        from wirt.ops.checks.admission import admitted

        # A guest that is going to be made has been guaranteed nothing yet.
        bare = msgspec.structs.replace(guest, limits=Limits())
        with admitted(context, bare, guest.limits, force=request.force):
            return take_place(context, guest, verb, is_asked_for=is_asked_for)


def take_place(context: Context, guest: Guest, verb: str, *, is_asked_for: bool) -> Guest:
    """Write down that a guest is going to be made of something that cannot vanish meanwhile, and return it.

    An address that was chosen for it may have been taken since by a command beside this one; then another is chosen.

    Args:
        context: the home.
        guest: as it was planned.
        verb: what makes it.
        is_asked_for: True if it must have this address.

    Raises:
        Conflict: its name, or the address that was asked for, is taken.
    """
    while True:
        try:
            with context.ids_lock():
                ids = free_range(guest.id, context.store.ids())
                guest = msgspec.structs.replace(guest, ids=ids)
                journal.begin(context, guest, verb)
        except Conflict:
            taken = context.store.addresses()
            if is_asked_for or guest.address not in taken:
                raise
            address = context.network.choose_address(None, taken, guest.id)
            guest = msgspec.structs.replace(guest, address=address)
        else:
            return guest


def _network_for(context: Context, request: CreateRequest, needs: Needs) -> Network:
    """Return the network that the first card is to be on."""
    if request.is_proxied and not request.is_routed:
        raise InvalidInput(
            f"the node cannot answer for guest {request.name}, whose card is on the bridge",
            hint="pass --routed too",
        )
    if not request.is_routed:
        return context.network
    check_routable(request.name, request.approach, needs)
    return context.routed()


def _check_hostname(request: CreateRequest, needs: Needs) -> None:
    check_naming(Naming(hostname=request.hostname))
    if not needs.own_hostname:
        raise Unsupported(
            f"guest {request.name} cannot be given a host name: approach {request.approach} has the "
            "node's",
            hint="leave it out",
        )


def _mac_for(context: Context, request: CreateRequest, guest_id: str) -> str:
    """Return the MAC that is asked for, or the one that the guest's id stands for."""
    if request.mac is None:
        return context.network.mac(guest_id)
    mac = check_mac(request.mac)
    # Loaded here: few guests are given one.
    from wirt.ops.cards import find_mac

    found = find_mac(context, mac, but=request.name)
    if found is not None:
        raise Conflict(
            f"MAC {mac} is that of guest {found[0].name}", hint="choose another or leave it out"
        )
    return mac


def choose_pool(
    context: Context, root: str, wanted: str | None, *, takes_images: bool = False
) -> str:
    """Return the pool that is asked for, or the first that works here and hands over this form of root.

    Args:
        context: the home.
        root: the form of root.
        wanted: the pool's name; None: any will do.
        takes_images: True if the root is to be a disk that rests on no template.

    Raises:
        InvalidInput, NotFound, Unsupported: there is no such pool here.
    """
    for name in [wanted] if wanted else context.pools:
        pool = context.pool(name)
        capability = pool.probe_capability()
        if takes_images and capability.available and not isinstance(pool, TakesImages):
            capability = no(name, "it takes no images of disks", "pools of kind image do")
        if root in pool.forms and capability.available:
            return name
        if wanted:
            if root not in pool.forms:
                raise Unsupported(
                    f"pool {wanted} cannot be used: it has no {root} roots",
                    hint="leave --pool out, and one that has is chosen",
                )
            raise Unsupported(
                f"pool {wanted} cannot be used: {capability.reason}", hint=capability.hint
            )
    what = "takes images of disks" if takes_images else f"has {root} roots"
    raise Unsupported(f"no pool of this node {what}", hint="see wirt doctor")
