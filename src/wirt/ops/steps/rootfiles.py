"""Files that Wirt itself writes in a guest's root."""

from wirt.host import files
from wirt.model.guest import Guest
from wirt.model.resources import Root, RootTree


def write(guest: Guest, root: Root, named: dict[str, str]) -> None:
    """Write files in the guest's root, by their paths there, owned by its root user."""
    # Loaded here: most guests have none.
    from wirt.host import inside

    assert isinstance(root, RootTree)
    for path, content in named.items():
        with files.translated(f"write {path} of guest {guest.name}"):
            inside.replace(root.path, path, content, owner=root.idmap.first if root.idmap else 0)
