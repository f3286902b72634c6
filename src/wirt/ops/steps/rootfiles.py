"""Files that Wirt itself writes in a guest's root."""

from wirt.host import files
from wirt.model.guest import Guest
from wirt.model.naming import Naming, with_own_line
from wirt.model.resources import Root, RootTree

_HOSTS = "/etc/hosts"
_LONGEST = 1 << 20
"""Bytes of an /etc/hosts that Wirt writes anew: a guest could keep the node busy with a larger one."""


def write(guest: Guest, root: Root, naming: Naming) -> None:
    """Write the names into the guest's root, owned by its root user; those that are not set stay as they are there."""
    named = naming.files()
    if not named:
        return
    # Loaded here: most guests have none.
    from wirt.host import inside

    assert isinstance(root, RootTree)
    owner = root.idmap.first if root.idmap else 0
    for path, content in named.items():
        with files.translated(f"write {path} of guest {guest.name}"):
            inside.replace(root.path, path, content, owner=owner)
    if naming.hostname is not None:
        with files.translated(f"write {_HOSTS} of guest {guest.name}"):
            had = inside.read(root.path, _HOSTS, most=_LONGEST + 1)
            fresh = with_own_line(had, naming.hostname)
            if fresh != had and len(had or "") <= _LONGEST:
                inside.replace(root.path, _HOSTS, fresh, owner=owner)
