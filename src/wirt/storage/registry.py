"""Where each kind of pool is: a name and a module, loaded when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING

from wirt.errors import InvalidInput
from wirt.model.pool import StoragePool

if TYPE_CHECKING:
    from wirt.storage.base import Pool

POOLS = {
    "btrfs": "wirt.storage.btrfs:BtrfsPool",
    "directory": "wirt.storage.directory:DirectoryPool",
    "image": "wirt.storage.image:ImagePool",
}
"""Of those that every home has; the preferred first, where several can hand over the same form of root."""


def load_pool(name: str, directory: str, *, forms_in: str | None = None) -> "Pool":
    """Return the pool of this kind that lives in ``directory``.

    Args:
        name: the kind, one of those that every home has.
        directory: where its roots are.
        forms_in: where it wants its forms of templates, which only some kinds can be told.

    Raises:
        InvalidInput: there is no pool of this name.
    """
    try:
        module, _, class_name = POOLS[name].partition(":")
    except KeyError:
        raise InvalidInput(
            f"there is no pool {name!r}",
            hint=f"choose one of {', '.join(POOLS)}, or one of your own: see wirt pool list",
        ) from None
    make = getattr(import_module(module), class_name)
    pool: Pool = make(directory) if forms_in is None else make(directory, forms_in=forms_in)
    return pool


def load_made(made: StoragePool) -> "Pool":
    """Return a pool that a person has made."""
    if made.kind == "lvm":
        return load_lvm(made.roots, thin_pool=made.source or "", templates=made.forms)
    # Roots on a file system of the pool's own can be cloned only from what is there too.
    return load_pool(made.kind, made.roots, forms_in=made.forms if made.source else None)


def load_lvm(directory: str, *, thin_pool: str, templates: str) -> "Pool":
    """Return a pool of kind ``lvm``, which a home has only if one was made; see ``LvmPool``."""
    from wirt.storage.lvm import LvmPool

    return LvmPool(directory, thin_pool=thin_pool, templates=templates)
