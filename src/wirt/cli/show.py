"""``wirt show``."""

import time

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.model.card import Card
from wirt.model.disk import Disk
from wirt.model.guest import Guest
from wirt.model.kernelboot import KernelBoot
from wirt.model.limits import Limits
from wirt.model.privileges import Privileges
from wirt.model.rates import render_rates
from wirt.model.resources import DiskUsage
from wirt.ops import inodes
from wirt.ops.cards import describe_cards
from wirt.ops.guests import observed
from wirt.ops.observing import disk_usage, memory_kills, probe_disk_bound, screen_socket
from wirt.ops.softlimit import grace_left
from wirt.units import UNBOUNDED, render_bytes, render_cpus, render_rate, render_seconds


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, as_json: bool) -> None:
    """Show everything about the guest NAME."""
    with app.open_context() as context:
        guest = observed(context, context.store.find(name))
        place = context.home.place(guest.id)
        usage = disk_usage(context, guest)
        kills = memory_kills(context, guest)
        screen = screen_socket(context, guest)
        cards = describe_cards(context, guest)
        is_bounded = probe_disk_bound(context, guest).available
    if as_json:
        everything = {**msgspec.to_builtins(guest), "disk_usage": usage, "memory_kills": kills}
        everything["all_addresses"] = cards[0][1]
        output.say(msgspec.json.encode(everything).decode())
        return
    rows = [
        ("name", guest.name),
        ("id", guest.id),
        ("state", guest.state.value),
        *([("ended", guest.ended)] if guest.ended and not guest.state.is_up else []),
        *([("suspended", f"in checkpoint {guest.suspended}")] if guest.suspended else []),
        ("approach", guest.approach),
        ("template", _template(guest)),
        ("pool", guest.pool),
        ("cpus", _cpus(guest.limits)),
        *([("cpu limit", f"{guest.limits.cpu_limit:g}")] if guest.limits.cpu_limit else []),
        ("cpu weight", str(guest.limits.cpu_weight)),
        ("cpu pin", render_cpus(guest.limits.cpu_pin) or "all"),
        ("memory", _memory(guest.limits, kills)),
        ("processes", str(guest.limits.processes)),
        *([] if guest.limits.files == UNBOUNDED else [("open files", str(guest.limits.files))]),
        *(
            []
            if guest.limits.terminals == Limits().terminals
            else [("terminals", str(guest.limits.terminals))]
        ),
        ("disk", _disk(guest.limits, usage, is_bounded=is_bounded)),
        *(("further disk", _further(disk)) for disk in guest.disks),
        *_soft(guest),
        *([("disk io", _io(guest.limits))] if guest.limits.bounds_io else []),
        *_io_weight(guest.limits),
        *_kernel(guest.kernel_boot),
        *([("screen", f"VNC at {screen}")] if screen else []),
        *(("address", one.partition("/")[0]) for one in cards[0][1]),
        *([("network", _routed(guest))] if guest.is_routed else []),
        ("mac", guest.mac),
        *([("mtu", str(guest.mtu))] if guest.mtu else []),
        *(("route", f"{route} dev {card.name}") for card, _ in cards for route in card.routes),
        *(("card", _card(card, has)) for card, has in cards[1:]),
        *((way, render_rate(rate)) for way, rate in _rates(guest) if rate is not None),
        *([("hostname", guest.naming.hostname)] if guest.naming.hostname else []),
        *(("dns", server) for server in guest.naming.dns),
        *(("search", domain) for domain in guest.naming.search),
        *_privileges(guest.privileges),
        *(("forward", str(one)) for one in guest.forwards),
        ("autostart", "no" if guest.boot_order is None else f"at {guest.boot_order}"),
        ("created", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(guest.created))),
        ("kernel name", place.name),
        ("log", place.log),
    ]
    output.say("\n".join(f"{key:<12} {value}" for key, value in rows))


def _soft(guest: Guest) -> list[tuple[str, str]]:
    limits, found = guest.limits, []
    grace = f"grace {render_seconds(limits.disk_grace)}" if limits.disk_grace else "no grace"
    if limits.disk_soft != UNBOUNDED:
        exceeded = _exceeded(grace_left(guest))
        found.append(("disk soft", f"{render_bytes(limits.disk_soft)}, {grace}{exceeded}"))
    if limits.user_quotas:
        found.append(("user quotas", f"on; see wirt quota list {guest.name}"))
    if limits.disk_inodes_soft != UNBOUNDED:
        exceeded = _exceeded(inodes.grace_left(guest))
        found.append(("inodes soft", f"{limits.disk_inodes_soft}, {grace}{exceeded}"))
    return found


def _exceeded(left: float | None) -> str:
    if left is None:
        return ""
    return f"; exceeded, {render_seconds(left)} left" if left > 0 else "; exceeded: no growth"


def _kernel(boot: KernelBoot | None) -> list[tuple[str, str]]:
    """Return what a guest is booted with, if that was given."""
    if boot is None:
        return []
    given = {
        "kernel": boot.kernel,
        "ramdisk": boot.ramdisk,
        "append": boot.arguments,
        "root": boot.root,
    }
    return [(what, value) for what, value in given.items() if value]


def _privileges(has: Privileges) -> list[tuple[str, str]]:
    rights = [f"{name} on" for name in has.kept] + [f"{name} off" for name in has.dropped]
    devices = [("device", str(device)) for device in has.devices]
    return [*([("rights", ", ".join(rights))] if rights else []), *devices]


def _cpus(limits: Limits) -> str:
    guaranteed = f", {limits.cpu_guarantee:g} guaranteed" if limits.cpu_guarantee else ""
    return f"{limits.cpus}{guaranteed}"


def _memory(limits: Limits, kills: int | None) -> str:
    text = render_bytes(limits.memory)
    if limits.memory_max:
        text += f", at most {render_bytes(limits.memory_max)}"
    if limits.memory_guarantee:
        text += f", {render_bytes(limits.memory_guarantee)} guaranteed"
    if limits.swap != UNBOUNDED:
        text += f", {render_bytes(limits.swap)} of swap"
    if kills:
        ended = "a process was ended" if kills == 1 else f"{kills} processes were ended"
        text += f"; ran out of it since its start: {ended}"
    return text


def _card(card: Card, addresses: tuple[str, ...]) -> str:
    rates = render_rates(card.rates)
    return " ".join([card.name, *addresses]) + (f"; {rates}" if rates else "")


def _rates(guest: Guest) -> list[tuple[str, int | None]]:
    return [("rate in", guest.rates.inward), ("rate out", guest.rates.outward)]


def _io(limits: Limits) -> str:
    bounds = [
        (f"{render_bytes(limits.io_read)} a second read", limits.io_read),
        (f"{render_bytes(limits.io_write)} a second written", limits.io_write),
        (f"{limits.iops_read} reads a second", limits.iops_read),
        (f"{limits.iops_write} writes a second", limits.iops_write),
    ]
    return ", ".join(text for text, bound in bounds if bound != UNBOUNDED)


def _io_weight(limits: Limits) -> list[tuple[str, str]]:
    weight = limits.io_weight
    return [] if weight == Limits().io_weight else [("disk weight", str(weight))]


def _template(guest: Guest) -> str:
    return f"{guest.template} ({guest.template_sha256[:12]})" if guest.has_template else "none"


def _routed(guest: Guest) -> str:
    return "routed, found by the node's neighbours" if guest.is_proxied else "routed"


def _further(disk: Disk) -> str:
    what = disk.source or (render_bytes(disk.size) if disk.size else "-")
    return f"{disk.name}: {what}{', read-only' if disk.read_only else ''}"


def _disk(limits: Limits, usage: DiskUsage | None, *, is_bounded: bool) -> str:
    size = limits.disk
    if usage is None:
        return render_bytes(size) + ("" if is_bounded else ", not bounded by its pool")
    if usage.bytes_limit is None:
        return f"{render_bytes(size)}, not bounded, {render_bytes(usage.bytes)} used"
    bounds = f"{render_bytes(usage.bytes_limit)}, {render_bytes(usage.bytes)} used"
    if usage.inodes is None or usage.inodes_limit is None:
        return bounds
    most = usage.inodes_limit if limits.disk_inodes == UNBOUNDED else limits.disk_inodes
    return f"{bounds}; {most} inodes, {usage.inodes} used"
