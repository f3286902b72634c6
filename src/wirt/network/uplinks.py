"""The node's interfaces whose forwarding Wirt has switched on, remembered so that it is switched off again.

A file for each interface and home, below /run: gone with a reboot as the switch is. It is there before the switch is
turned and until it is turned back, so a crash leaves none on that nobody remembers. An interface that another home needs
too stays on. Only interfaces whose forwarding was off are remembered, and others are never touched.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from wirt.host import files, interrupts, links, lock
from wirt.model.names import BRIDGES

_DIRECTORY = "/run"
_MEMORY = "wirt-forwarding."
_LOCK_SECONDS = 10.0


def switch_on(tag: str) -> list[str]:
    """Have the interfaces that the node's routes lead to forward, and return those that had to be switched on.

    Args:
        tag: the home's.
    """
    with _held():
        before = _remembered()
        for name in links.routed():
            if name.startswith(BRIDGES):
                continue
            if not links.is_forwarding(name) or any(kept == name for _, kept in before):
                files.write(_path(tag, name), "")
                links.set_forwarding(name, on=True)
        return switched(tag)


def switch_off(tag: str) -> None:
    """Switch off what was switched on for a home and nobody else needs."""
    with _held():
        kept = _remembered()
        for name in (name for owner, name in kept if owner == tag):
            if all(owner == tag for owner, other in kept if other == name):
                links.set_forwarding(name, on=False)
            os.unlink(_path(tag, name))


def switched(tag: str) -> list[str]:
    """Return the interfaces that were switched on for a home."""
    return sorted(name for owner, name in _remembered() if owner == tag)


def _remembered() -> list[tuple[str, str]]:
    """Return the home and the interface of each that is remembered."""
    found = []
    for entry in os.listdir(_DIRECTORY):
        if entry.startswith(_MEMORY):
            tag, _, name = entry.removeprefix(_MEMORY).partition(".")
            if name:
                found.append((tag, name))
    return found


def _path(tag: str, name: str) -> str:
    return os.path.join(_DIRECTORY, f"{_MEMORY}{tag}.{name}")


@contextmanager
def _held() -> Iterator[None]:
    path = os.path.join(_DIRECTORY, f"{_MEMORY}lock")
    with interrupts.held_back(), lock.hold(path, "the node's forwarding", wait=_LOCK_SECONDS):
        yield
