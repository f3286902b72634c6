"""Another node, as data: where a second home is, and how it is reached."""

import os

import msgspec

from wirt.errors import InvalidInput


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A home beside this one: on this machine, in a network of its own, or on another that ssh reaches."""

    name: str
    home: str | None = None
    """Its WIRT_HOME; None: the default over there."""
    run: str | None = None
    """Its WIRT_RUN; None: the default over there."""
    netns: str | None = None
    """Path of the network namespace that it is in; None: in ours, or on another machine."""
    ssh: str | None = None
    """USER@HOST; None: it is on this machine."""
    ssh_options: tuple[str, ...] = ()
    """Given to ssh as they are."""
    program: str = "wirt"
    """What Wirt is called over there."""

    @property
    def place(self) -> str:
        """Return where it is, for a list."""
        if self.ssh is not None:
            return f"ssh {self.ssh}"
        return f"{self.home}" + (f" in {self.netns}" if self.netns else "")


def check_node(node: Node, *, own_home: str) -> Node:
    """Return the node if it makes sense.

    Args:
        node: as a person described it.
        own_home: the home that it is added to.

    Raises:
        InvalidInput: it does not; says why.
    """
    for path in (node.home, node.run):
        if path is not None and not path.startswith("/"):
            # It is kept, and would be another place for who comes from another directory.
            raise InvalidInput(
                f"{path!r} does not say where node {node.name} is",
                hint="give the whole path, from / on",
            )
    if node.ssh is None:
        if node.home is None:
            raise InvalidInput(
                f"where node {node.name} is has not been said",
                hint="give --home DIR for a home on this machine, or --ssh USER@HOST",
            )
        if os.path.realpath(node.home) == own_home:
            raise InvalidInput(
                f"node {node.name} cannot be this home itself", hint="give another --home"
            )
        if node.ssh_options:
            raise InvalidInput(
                f"node {node.name} is on this machine and not reached by ssh",
                hint="leave --ssh-option out",
            )
    elif node.netns is not None:
        raise InvalidInput(
            f"the network of node {node.name} is another machine's", hint="leave --netns out"
        )
    elif node.ssh.startswith("-"):
        # ssh would take it for an option.
        raise InvalidInput(f"{node.ssh!r} is no host", hint="write USER@HOST")
    return node
