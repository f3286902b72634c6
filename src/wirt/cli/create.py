"""``wirt create``."""

import os
from typing import Any

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.errors import InvalidInput
from wirt.model.kernelboot import KernelBoot
from wirt.model.rates import Rates
from wirt.ops.create import CreateRequest, OwnDisk
from wirt.ops.create import create as create_guest


@click.command()
@click.argument("name")
@options.definition
@options.held
@click.option("--address", help="IPv4 address of the home's subnet; chosen if left out.")
@click.option("--routed", is_flag=True, help="A card that meets the node alone; any address.")
@click.option("--proxy-arp", is_flag=True, help="The node's neighbours find a routed card by it.")
@click.option("--rate-in", type=options.RATE, help="What its card is sent, per second.")
@click.option("--rate-out", type=options.RATE, help="What its card sends, per second.")
@click.option("--kernel", help="Kernel of the node to boot in the place of the template's.")
@click.option("--ramdisk", help="Initial ramdisk for it.")
@click.option("--append", help="What else that kernel is told.")
@click.option("--root", help="Its root, such as /dev/vda; the first disk if left out.")
@click.option("--blank", is_flag=True, help="An empty disk in the place of a template.")
@click.option("--cdrom", multiple=True, help="A CD of the node's, in a drive of its machine.")
@click.option("--screen", is_flag=True, help="A graphics card, seen by VNC; see wirt show.")
@click.option("--force", is_flag=True, help="Guarantee more than the node has.")
def create(
    name: str,
    template: str,
    approach: str,
    cpus: int,
    memory: int,
    disk: int,
    pool: str | None,
    address: str | None,
    routed: bool,
    proxy_arp: bool,
    rate_in: int | None,
    rate_out: int | None,
    kernel: str | None,
    ramdisk: str | None,
    append: str | None,
    root: str | None,
    blank: bool,
    cdrom: tuple[str, ...],
    screen: bool,
    force: bool,
    **held: Any,
) -> None:
    """Make a guest called NAME from a template, or with an empty disk; it is not started."""
    request = CreateRequest(
        name=name,
        template=template,
        approach=approach,
        limits=options.limits_of(cpus, memory, disk, held),
        pool=pool,
        address=address,
        is_routed=routed,
        is_proxied=proxy_arp,
        rates=Rates().changed(inward=rate_in, outward=rate_out),
        kernel_boot=_kernel_boot(kernel, ramdisk, append, root),
        has_screen=screen,
        disk=OwnDisk() if blank else None,
        cdroms=tuple(os.path.abspath(path) for path in cdrom),
        force=force,
    )
    with app.open_context() as context:
        guest = create_guest(context, request)
        options.note_unbounded(context, guest)
    output.say(f"guest {guest.name} created: {guest.approach}, {guest.address}")


def _kernel_boot(
    kernel: str | None, ramdisk: str | None, append: str | None, root: str | None
) -> KernelBoot | None:
    """Return the kernel that was given, with what belongs to it."""
    if kernel is None:
        for option, value in (("--ramdisk", ramdisk), ("--append", append), ("--root", root)):
            if value is not None:
                raise InvalidInput(f"{option} goes with --kernel", hint="name the kernel too")
        return None
    paths = (kernel, ramdisk)
    kernel, ramdisk = (path and os.path.abspath(path) for path in paths)
    assert kernel is not None
    return KernelBoot(kernel=kernel, ramdisk=ramdisk, arguments=append or "", root=root)
