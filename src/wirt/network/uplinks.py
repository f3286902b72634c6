"""What Wirt has switched on of the node's interfaces so that guests get out, remembered so that it is switched off again.

A file for each interface and home, below /run: gone with a reboot as the switches are. It is named after the network namespace
too, for homes in several of them share /run and not the interfaces. It is there before a switch is turned and until it is turned back,
so a crash leaves none on that nobody remembers. It says what was there before. An interface that another home needs too stays as it is.
Only what was off is remembered, and the rest is never touched.

IPv4 is forwarded by single interfaces. IPv6 is too, from Linux 6.17 on. Before, there is one switch for all of them, and with it the node
would listen to routers no more where it does so because it is none: there it is told to do so all the same (``accept_ra``).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from wirt.host import files, interrupts, links, lock
from wirt.model.names import BRIDGES

ALL = "all"
"""In the place of an interface: the node forwards IPv6 that comes in by any."""
_DIRECTORY = "/run"
_MEMORY = "wirt-forwarding."
_SIX = "6:"
"""What the keys of switches of IPv6 begin with."""
_DISCOVERY = "nd:"
"""The same of those that have the node answer neighbour discovery for guests."""
_LOCK_SECONDS = 10.0


class _Switch(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be switched on for one interface."""

    key: str
    """Tells it from others: the interface's name, of IPv6 behind ``_SIX``."""
    settings: tuple[tuple[str, str], ...]
    """Files of the kernel and what is written there, in that order."""

    @property
    def is_on(self) -> bool:
        """Return whether that is so already."""
        return all(links.read_setting(path) in (value, None) for path, value in self.settings)


def find_uplinks(*, ipv6: bool = False) -> list[str]:
    """Return the interfaces that the node's routes lead to, but for those of guests."""
    routed = links.routed_ipv6() if ipv6 else links.routed()
    return [name for name in sorted(routed) if not name.startswith(BRIDGES)]


def switch_on(tag: str, *, answering: bool = False) -> None:
    """Have the interfaces that the node's routes lead to forward.

    Args:
        tag: the home's.
        answering: whether they are to answer neighbour discovery for guests too, as they do ARP when they forward.
    """
    with _held():
        for switch in [*_find_switches(), *(_find_answering() if answering else [])]:
            kept = _remembered()
            others = [owner for owner, key in kept if key == switch.key]
            if switch.is_on and not others:
                continue
            if tag not in others:
                files.write(_path(tag, switch.key), _before(switch, others))
            for path, value in switch.settings:
                links.write_setting(path, value)


def switch_off(tag: str) -> None:
    """Switch off what was switched on for a home and nobody else needs."""
    with _held():
        kept = _remembered()
        for key in (key for owner, key in kept if owner == tag):
            if all(owner == tag for owner, other in kept if other == key):
                with open(_path(tag, key)) as memory:
                    settings = [line.split() for line in memory]
                for path, value in reversed(settings):
                    links.write_setting(path, value)
            os.unlink(_path(tag, key))


def switched(tag: str, *, ipv6: bool = False) -> list[str]:
    """Return the interfaces that were switched on for a home, of one family."""
    keys = sorted(key for owner, key in _remembered() if owner == tag)
    if ipv6:
        return [key.removeprefix(_SIX) for key in keys if key.startswith(_SIX)]
    return [key for key in keys if not key.startswith((_SIX, _DISCOVERY))]


def _find_switches() -> list[_Switch]:
    found = [
        _Switch(key=name, settings=((links.forwarding_of(name), "1"),)) for name in find_uplinks()
    ]
    uplinks = find_uplinks(ipv6=True)
    if links.forwards_ipv6_singly():
        found += [
            _Switch(key=f"{_SIX}{name}", settings=((links.forwarding_of(name, ipv6=True), "1"),))
            for name in uplinks
        ]
    elif uplinks:
        listening = [
            (path, "2")
            for path in links.find_listening_to_routers()
            if links.read_setting(path) == "1"
        ]
        everything = (links.forwarding_of(ALL, ipv6=True), "1")
        found.append(_Switch(key=f"{_SIX}{ALL}", settings=(*listening, everything)))
    return found


def _find_answering() -> list[_Switch]:
    """Return the switches of what a kernel asks before it answers for others: whether it is a router there, and is to."""
    found = []
    for name in find_uplinks(ipv6=True):
        root = f"/proc/sys/net/ipv6/conf/{name}"
        # As a router it would no longer listen to others.
        listens = links.read_setting(f"{root}/accept_ra") == "1"
        settings = [(f"{root}/accept_ra", "2")] if listens else []
        settings += [(f"{root}/forwarding", "1"), (f"{root}/proxy_ndp", "1")]
        found.append(_Switch(key=f"{_DISCOVERY}{name}", settings=tuple(settings)))
    return found


def _before(switch: _Switch, others: list[str]) -> str:
    """Return what is kept of a switch: as it is now, or as another home found it."""
    for owner in others:
        with open(_path(owner, switch.key)) as memory:
            return memory.read()
    return "".join(
        f"{path} {before}\n"
        for path, _ in switch.settings
        if (before := links.read_setting(path)) is not None
    )


def _remembered() -> list[tuple[str, str]]:
    """Return the home and the key of each that is remembered."""
    found = []
    here = _memory()
    for entry in os.listdir(_DIRECTORY):
        if entry.startswith(here):
            tag, _, key = entry.removeprefix(here).partition(".")
            found.append((tag, key))
    return found


def _path(tag: str, key: str) -> str:
    return os.path.join(_DIRECTORY, f"{_memory()}{tag}.{key}")


def _memory() -> str:
    """Return what the names of the files begin with that are about this network's interfaces."""
    return f"{_MEMORY}{os.stat('/proc/thread-self/ns/net').st_ino}."


@contextmanager
def _held() -> Iterator[None]:
    path = os.path.join(_DIRECTORY, f"{_MEMORY}lock")
    with interrupts.held_back(), lock.hold(path, "the node's forwarding", wait=_LOCK_SECONDS):
        yield
