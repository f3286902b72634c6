"""A second home on this node, in a network of its own, for guests of a command to go to: it lasts no longer than the command.

Guests in it live with the command, as those in the first that were made for it do. So it empties itself: asked anything when the
lock is free that they live with, it destroys them, as every home does with guests of commands that were killed. If the command
itself was killed, the next one in the first home asks.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wirt.errors import Error, Failed
from wirt.host import files, interrupts, lock, mount, run
from wirt.model.home import Home
from wirt.model.node import Node
from wirt.ops.context import Context
from wirt.ops.nodes import add_node, ask_facts, known_nodes, remove_node

LOCK = "compare"
"""The lock that a comparison holds, in both homes; its guests are gone with it."""
_SECONDS = 30.0
"""How long what was under way there when its maker died may take to be taken back."""
_LOOK_SECONDS = 0.1


@contextmanager
def second_home(context: Context, node: str) -> Iterator[None]:
    """Have a second home for as long as the block runs, which is known as a node; whoever asks for it holds ``LOCK``.

    It has this home's templates, and no guests. What is in it at the end of the block is destroyed.

    Args:
        context: the first home.
        node: what it is called there.

    Raises:
        Failed, LinkLost: it could not be made, or something of it is left, which the next command takes away.
    """
    home = context.home.second
    try:
        with files.translated("make a second home"):
            os.makedirs(home.data, mode=0o711)
            os.symlink(context.home.templates, home.templates)
        _make_network(home)
        add_node(context, Node(name=node, home=home.data, run=home.run, netns=_network(home)))
        with lock.hold(home.lock(LOCK), f"node {node}", wait=0):
            yield
    finally:
        with interrupts.held_back():
            take_away(context)


def sweep(context: Context) -> None:
    """Take away what a command that was killed has left; a living one's stays."""
    with suppress(Error), lock.hold(context.home.lock(LOCK), "the second home", wait=0):
        take_away(context)


def take_away(context: Context) -> None:
    """Destroy every guest of the second home, and leave nothing of it; no error if there is none.

    Raises:
        Failed: something of it is left.
    """
    home = context.home.second
    for node in known_nodes(context):
        if node.home == home.data:
            # After a reboot it is there without a network.
            _make_network(home)
            _empty(context, node)
            _settle(context, node)
            remove_node(context, node.name)
    with files.translated("take the second home away"):
        mount.unmount(_network(home))
        files.remove_tree(home.run)
        files.remove_tree(home.data)


def _empty(context: Context, node: Node) -> None:
    deadline = time.monotonic() + _SECONDS
    # Each time that it is opened to answer, it has looked for guests whose command is gone.
    while left := ask_facts(context, node).guests:
        if time.monotonic() > deadline:
            raise Failed(f"node {node.name} does not let go of its guests: {left}")
        time.sleep(_LOOK_SECONDS)


def _settle(context: Context, node: Node) -> None:
    """Have it settled whose the guests are that were being handed over to a node, before nobody can be asked any more."""
    for intent in context.store.intents():
        if intent.node == node.name:
            with context.guest_lock(intent.guest):
                context.recover(context, intent.guest)


def _network(home: Home) -> str:
    """Return the path of a home's network namespace: it outlasts who made it, so that the home can still be asked then."""
    return f"{home.run}/network"


def _make_network(home: Home) -> None:
    path = _network(home)
    if not mount.is_mounted(path):
        with files.translated("make a network"):
            os.makedirs(home.run, mode=0o711, exist_ok=True)
            files.write(path, "")
        run.check(["unshare", f"--net={path}", "true"])
