"""``wirt template``."""

import os
import time

import click
import msgspec

from wirt import app
from wirt.console import output
from wirt.errors import NotFound
from wirt.model.disk import IMAGE_FORMATS
from wirt.model.home import Home
from wirt.model.names import check_template_name, name_of_archive
from wirt.model.template import Template, TemplateSpec
from wirt.ops.template import (
    prepare_forms,
    remove_template,
    take_image,
    take_template,
    update_template,
)
from wirt.units import render_bytes, render_seconds


@click.group(short_help="Build, list, show, remove and import templates.")
def template() -> None:
    """Build, list, show, remove and import templates: what guests are made from."""


@template.command()
@click.argument("name")
def build(name: str) -> None:
    """Build the template NAME from its metadata.

    Metadata is shipped (debian-12-web) or a person's own, in templates.d of /etc/wirt.
    """
    home = app.find_home()
    spec = _find_spec(home, name)
    with app.open_context(home) as context:
        built = context.templates.build(spec, progress=output.note)
        prepare_forms(context, name, progress=output.note)
    output.say(
        f"template {name} built in {render_seconds(built.build_seconds)}: "
        f"{render_bytes(built.packed_bytes)} packed, {render_bytes(built.unpacked_bytes)} unpacked"
    )


@template.command()
@click.argument("name")
def update(name: str) -> None:
    """Build the template NAME anew, if its metadata or a package in it has changed.

    Guests go on with the version that they were made from.
    """
    home = app.find_home()
    spec = _find_spec(home, name)
    with app.open_context(home) as context:
        updated = update_template(context, app.open_packages(home), spec, progress=output.note)
    if updated is None:
        output.say(f"template {name} is up to date")
    else:
        output.say(f"template {name} updated in {render_seconds(updated.build_seconds)}")


@template.command("from-image", short_help="Make a template of the root in a disk's image.")
@click.argument("image", type=click.Path())
@click.argument("name")
@click.option(
    "--format", "form", type=click.Choice(IMAGE_FORMATS), required=True, help="What IMAGE is in."
)
@click.option("--partition", type=int, help="Which the root is on, of several.")
def from_image(image: str, name: str, form: str, partition: int | None) -> None:
    """Make the template NAME of the root file system in IMAGE, the disk of another machine.

    What names that machine's disks and cards is put right, and what is its own: fstab, network settings, machine id, SSH host keys,
    logs. The image stays as it is.
    """
    # Loaded here: to read an appliance is little of what this command is for.
    from wirt.ops.imports import find_image

    with app.open_context() as context:
        found = find_image(os.path.abspath(image), form)
        made = take_image(context, found, name, partition=partition, progress=output.note)
    output.say(
        f"template {name} made of {image} in {render_seconds(made.build_seconds)}: "
        f"{render_bytes(made.packed_bytes)} packed, {render_bytes(made.unpacked_bytes)} unpacked"
    )


@template.command("from-machine", short_help="Make a template of a machine that runs.")
@click.argument("machine")
@click.argument("name")
@click.option("--ssh-option", "ssh_options", multiple=True, help="An option for ssh, as -p2222.")
@click.option("--include", multiple=True, help="A directory on a further file system.")
@click.option("--exclude", multiple=True, help="A path that is left out.")
def from_machine(
    machine: str,
    name: str,
    ssh_options: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> None:
    """Make the template NAME of the root of MACHINE, which goes on as it is: / for this one, USER@HOST for another.

    What names its disks and cards is put right, and what is its own, as from-image does; what guests with a kernel of their own need
    besides is put in. Stop what writes to large files, such as a database, before.
    """
    # Loaded here: to reach a machine is little of what this command is for.
    from wirt.model.machine import parse_machine
    from wirt.ops.machines import take_machine

    found = parse_machine(machine, ssh_options)
    with app.open_context() as context:
        made = take_machine(
            context, found, name, include=include, exclude=exclude, progress=output.note
        )
    output.say(
        f"template {name} made of {found.place} in {render_seconds(made.build_seconds)}: "
        f"{render_bytes(made.packed_bytes)} packed, {render_bytes(made.unpacked_bytes)} unpacked"
    )


@template.command("from-guest", short_help="Make a template of a guest.")
@click.argument("guest")
@click.argument("name")
def from_guest(guest: str, name: str) -> None:
    """Make the template NAME of what the guest GUEST holds.

    What is that guest's own is put right: its machine id, SSH host keys, logs, leases and temporary files. A running
    guest stands still until its root is packed.
    """
    with app.open_context() as context:
        made = take_template(context, guest, name, progress=output.note)
    output.say(
        f"template {name} made of guest {guest} in {render_seconds(made.build_seconds)}: "
        f"{render_bytes(made.packed_bytes)} packed, {render_bytes(made.unpacked_bytes)} unpacked"
    )


@template.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_templates(as_json: bool) -> None:
    """List the templates of this home, and those that can be built."""
    home = app.find_home()
    with app.open_context(home) as context:
        built = context.templates.list()
    if as_json:
        output.say(msgspec.json.encode(built).decode())
        return
    specs = app.find_specs(home)
    rows = [
        (
            one.name,
            _state(one, specs.get(one.name)),
            _system(one.distribution, one.suite),
            render_bytes(one.packed_bytes),
            one.description,
        )
        for one in built
    ]
    known = {one.name for one in built}
    rows += [
        (spec.name, "to build", _system(spec.distribution, spec.suite), "-", spec.description)
        for name, spec in sorted(specs.items())
        if name not in known
    ]
    output.say(output.columns(("NAME", "STATE", "SYSTEM", "SIZE", "DESCRIPTION"), rows))


@template.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, as_json: bool) -> None:
    """Show everything about the template NAME."""
    with app.open_context() as context:
        found = context.templates.get(name)
    if as_json:
        output.say(msgspec.json.encode(found).decode())
        return
    rows = [
        ("name", found.name),
        ("description", found.description),
        ("system", _system(found.distribution, found.suite)),
        ("packages", " ".join(found.packages) or "-"),
        ("sha256", found.sha256),
        ("packed", render_bytes(found.packed_bytes)),
        ("unpacked", render_bytes(found.unpacked_bytes)),
        ("built", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.built))),
        ("took", render_seconds(found.build_seconds)),
        ("origin", "imported" if found.imported else "built from packages"),
    ]
    output.say("\n".join(f"{key:<12} {value}" for key, value in rows))


@template.command()
@click.argument("name")
def remove(name: str) -> None:
    """Delete the template NAME, if no guest is made from it."""
    with app.open_context() as context:
        remove_template(context, name)
    output.say(f"template {name} removed")


@template.command("import", short_help="Make a template of a tar or an OCI image.")
@click.argument("path", type=click.Path())
@click.argument("name", required=False)
@click.option("--image", metavar="NAME", help="Which image, of a layout that holds several.")
@click.option("--skip-devices", is_flag=True, help="Leave device nodes out, which are refused.")
def import_template(path: str, name: str | None, image: str | None, skip_devices: bool) -> None:
    """Make the template NAME of the root file system at PATH.

    PATH is a tar (plain, gz, xz or zst), such as an OpenVZ template cache, or an OCI image layout, a directory or a
    tar. Without NAME the template is called as the file is, without its endings.
    """
    called = name_of_archive(path) if name is None else name
    with app.open_context() as context:
        made = context.templates.import_root(
            path, called, image=image, skip_devices=skip_devices, progress=output.note
        )
    output.say(f"template {called} imported: {render_bytes(made.unpacked_bytes)} unpacked")


@template.command()
@click.argument("name")
@click.argument("file", type=click.Path())
def export(name: str, file: str) -> None:
    """Write the packed root of the template NAME to FILE, and its checksum to FILE.sha256."""
    with app.open_context() as context:
        exported = context.templates.export(name, file)
    output.say(f"template {name} exported: {file}, {render_bytes(exported.packed_bytes)}")


def _find_spec(home: Home, name: str) -> TemplateSpec:
    check_template_name(name)
    specs = app.find_specs(home)
    if name not in specs:
        raise NotFound(
            f"there is no metadata for a template {name}",
            hint=f"known are {', '.join(specs)}; write {home.etc}/templates.d/{name}.toml",
        )
    return specs[name]


def _state(built: Template, spec: TemplateSpec | None) -> str:
    """Return "changed" if the metadata is no longer what the template was built from."""
    from wirt.storage.templates.specs import sha256_of_spec

    if spec is None or built.spec_sha256 in (None, sha256_of_spec(spec)):
        return "built"
    return "changed"


def _system(distribution: str, suite: str) -> str:
    """Return "debian bookworm", or "unknown" once if neither is known."""
    return " ".join(dict.fromkeys((distribution, suite))).strip()
