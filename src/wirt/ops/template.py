"""The verbs on templates that need to know of guests, or of more than one form."""

import os
from collections.abc import Callable
from pathlib import Path

from wirt.approaches.base import Freezable
from wirt.errors import Conflict, Unsupported, WrongState
from wirt.host import interrupts
from wirt.model.disk import DiskImage
from wirt.model.lifecycle import State, next_state
from wirt.model.names import check_template_name
from wirt.model.template import Template, TemplateSpec
from wirt.ops import guests, journal, pool
from wirt.ops.context import Context
from wirt.ops.steps.ladder import Ladder
from wirt.storage.base import Packages, Showing
from wirt.storage.templates.specs import sha256_of_spec


def remove_template(context: Context, name: str) -> None:
    """Delete a template that no guest is made from.

    Raises:
        NotFound, WrongState, Busy: nothing was changed.
    """
    with context.templates_lock():
        context.templates.remove(name, used_by=context.store.made_from(name))
    pool.remove_unknown_forms(context)


def update_template(
    context: Context, packages: Packages, spec: TemplateSpec, *, progress: Callable[[str], None]
) -> Template | None:
    """Build a template anew if its metadata or a package of it has changed, and return it; None if neither has.

    Guests go on with the version that they were made from; new ones get the new one. A crash leaves one or the other as
    the current version, and what is not used to the next update.

    Raises:
        NotFound, WrongState, Unsupported, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be built; the version before is still the current one.
    """
    template = context.templates.get(spec.name)
    if template.imported:
        raise WrongState(
            f"template {spec.name} was not built from its metadata, so it cannot be updated from it",
            hint=f"remove it with wirt template remove {spec.name}, or give the metadata another name",
        )
    reason = _reason_to_update(context, packages, template, spec)
    if reason is not None:
        progress(reason)
        template = context.templates.update(spec, progress=progress)
        prepare_forms(context, spec.name, progress=progress)
    with context.templates_lock():
        known = [*context.store.guests(), *(intent.guest for intent in context.store.intents())]
        used = {guest.template_sha256 for guest in known if guest.template == spec.name}
        context.templates.remove_unused(spec.name, used=used)
    pool.remove_unknown_forms(context)
    return template if reason is not None else None


def _reason_to_update(
    context: Context, packages: Packages, template: Template, spec: TemplateSpec
) -> str | None:
    if template.spec_sha256 is None:
        return "it is not known which metadata it was built from"
    if template.spec_sha256 != sha256_of_spec(spec):
        return "its metadata has changed"
    tree = context.templates.path_of_form(template.name, "tree")
    status = Path(tree, "var/lib/dpkg/status").read_bytes()
    release = Path(tree, "usr/lib/os-release").read_bytes()
    files = packages.outdated(status, release)
    return f"packages that have changed: {len(files)}" if files else None


def take_template(
    context: Context, guest_name: str, name: str, *, progress: Callable[[str], None]
) -> Template:
    """Make a template of a guest's root and return it; a running guest stands still meanwhile and goes on then.

    Args:
        context: the home.
        guest_name: the guest's.
        name: what the template is called.
        progress: is told what of the guest's own was put right.

    Raises:
        NotFound, Conflict, WrongState, Unsupported, Busy: nothing was changed.
        InvalidInput, OutOfSpace, Failed: it could not be made; nothing of it is left, and the guest is as before.
    """
    check_template_name(name)
    with guests.held(context, guest_name) as guest:
        approach = context.approach(guest.approach)
        is_tree = approach.needs.root == "tree"
        if not (is_tree and isinstance(context.pool(guest.pool), Showing)):
            raise Unsupported(
                f"guest {guest.name} cannot become a template: under {guest.approach} its root is an "
                "image, of which the node sees no files",
                hint="set the system up in an lxc guest and make the template of that",
            )
        next_state(guest.state, "template", guest.name)
        if guest.state is State.RUNNING and not isinstance(approach, Freezable):
            raise WrongState(
                f"guest {guest.name} runs, and under {guest.approach} it cannot be frozen",
                hint="stop it first",
            )
        journal.begin(context, guest, "template")
        ladder = Ladder(context, guest)
        steps = ladder.to_look()
        journal.build(context, "template", guest, steps, otherwise=guest)
        try:
            journal.reached("template:looking")
            with interrupts.allowed():
                made = context.templates.take_tree(
                    ladder.root.view, name, origin=f"guest {guest.name}", progress=progress
                )
        finally:
            journal.dismantle("template", steps)
            journal.settle(context, "template", guest, guest)
    return made


def check_new(context: Context, name: str) -> None:
    """Check the name of a template that is to be made, before what it is made of is read.

    Raises:
        InvalidInput: it is no name for one.
        Conflict: there is one of that name.
    """
    check_template_name(name)
    if any(template.name == name for template in context.templates.list()):
        raise Conflict(
            f"there is a template called {name}",
            hint=f"remove it first: wirt template remove {name}",
        )


def take_image(
    context: Context,
    image: DiskImage,
    name: str,
    *,
    partition: int | None,
    progress: Callable[[str], None],
) -> Template:
    """Make a template of the root file system in an image of another machine's disk and return it.

    Args:
        context: the home.
        image: the image; it stays as it is.
        name: what the template is called.
        partition: where the root is; None: on the only one, or there is no table.
        progress: is told what was put right.

    Raises:
        NotFound, Conflict, Corrupt, InvalidInput, Busy: nothing was changed.
        OutOfSpace, Failed: it could not be made; nothing of it is left.
    """
    # Loaded here: few templates come so.
    from wirt.storage.imageroots import opened_root

    check_new(context, name)
    os.makedirs(context.home.templates, exist_ok=True)
    with (
        interrupts.allowed(),
        opened_root(context.home.templates, name, image, partition) as tree,
    ):
        origin = f"image {os.path.basename(image.path)}"
        return context.templates.take_tree(
            tree, name, origin=origin, of_machine=True, progress=progress
        )


def prepare_forms(context: Context, name: str, *, progress: Callable[[str], None]) -> None:
    """Make the forms that guests will want, so that the first one does not wait for them.

    One that this template cannot have (no kernel in it, say) is left out: who needs it is told then.
    """
    for form in ("tree", "image", "boot"):
        progress(f"making the {form}")
        try:
            context.templates.path_of_form(name, form)
        except Unsupported as error:
            progress(str(error))
