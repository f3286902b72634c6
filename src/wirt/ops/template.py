"""The verbs on templates that need to know of guests, or of more than one form."""

from collections.abc import Callable

from wirt.errors import Unsupported
from wirt.ops.context import Context


def remove_template(context: Context, name: str) -> None:
    """Delete a template that no guest is made from.

    Raises:
        NotFound, WrongState, Busy: nothing was changed.
    """
    with context.templates_lock():
        context.templates.remove(name, used_by=context.store.made_from(name))


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
