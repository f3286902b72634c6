"""What a verb is given: the ports, and nothing concrete.

Every command comes through here, and few need every port: so they are named here and loaded by whoever uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from wirt.host import interrupts, lock

if TYPE_CHECKING:
    from wirt.approaches.base import Approach
    from wirt.model.card import PrivateNetwork
    from wirt.model.guest import Guest
    from wirt.model.home import Home
    from wirt.model.node import Node
    from wirt.model.pool import StoragePool
    from wirt.network.base import Gateway, Network, Shaper
    from wirt.state.base import Store
    from wirt.storage.base import Ground, Pool, Templates
    from wirt.transport.base import Link

LOCK_SECONDS = 10.0
"""How long a verb waits for another command on the same guest."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One command's view of its home. Adapters are made by ``app`` when a verb first asks for one."""

    home: Home
    store: Store
    network: Network
    private: Callable[[PrivateNetwork], Network]
    """The bridge of a private network."""
    routed: Callable[[], Network]
    """The network of cards that meet the node alone."""
    gateway: Callable[[], Gateway]
    shaper: Callable[[], Shaper]
    templates: Templates
    approach: Callable[[str], Approach]
    pool: Callable[[str], Pool]
    pools: tuple[str, ...]
    """Names of the pools that every home has, the preferred first."""
    ground: Callable[[StoragePool], Ground]
    """What a pool that a person makes lies on."""
    link: Callable[[Node], Link]
    """The way to another node."""
    recover: Callable[[Context, Guest], Guest | None]
    """Repairs what a dead process left of a guest, whose lock is held. Every verb begins with it, and it knows them all."""
    boot_id: str
    """The kernel's id of this boot: a guest started under another one does not run."""
    cpus: int
    memory: int
    """Bytes that the node has."""

    @contextmanager
    def guest_lock(self, guest: Guest, *, wait: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold a guest's lock for the length of a verb, which is interrupted only where it allows it.

        Raises:
            Busy: another command held it for longer than ``wait`` seconds.
        """
        with (
            interrupts.held_back(),
            lock.hold(self.home.lock(guest.id), f"guest {guest.name}", wait=wait),
        ):
            yield

    @contextmanager
    def templates_lock(self) -> Iterator[None]:
        """Hold the lock between making a guest of a template, on a pool, and removing the one or the other."""
        with (
            interrupts.held_back(),
            lock.hold(self.home.lock("templates"), "the list of templates", wait=LOCK_SECONDS),
        ):
            yield

    @contextmanager
    def pools_lock(self, *, wait: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold the lock of the pools that are made and removed: by one command at a time."""
        with (
            interrupts.held_back(),
            lock.hold(self.home.lock("pools"), "the pools", wait=wait),
        ):
            yield

    @contextmanager
    def ids_lock(self) -> Iterator[None]:
        """Hold the lock between choosing a range of ids for a guest and writing down that it has it."""
        with (
            interrupts.held_back(),
            lock.hold(self.home.lock("ids"), "the ranges of ids", wait=LOCK_SECONDS),
        ):
            yield

    @contextmanager
    def nodes_lock(self) -> Iterator[None]:
        """Hold the lock of the list of other nodes."""
        with (
            interrupts.held_back(),
            lock.hold(self.home.lock("nodes"), "the list of nodes", wait=LOCK_SECONDS),
        ):
            yield

    @contextmanager
    def guarantees_lock(self) -> Iterator[None]:
        """Hold the lock between adding up what guests are guaranteed and guaranteeing more."""
        with (
            interrupts.held_back(),
            lock.hold(self.home.lock("guarantees"), "the guarantees", wait=LOCK_SECONDS),
        ):
            yield

    @contextmanager
    def disks_lock(self) -> Iterator[None]:
        """Hold the lock between finding that no guest has a disk of the node and writing down that one has it."""
        with (
            interrupts.held_back(),
            lock.hold(self.home.lock("disks"), "the disks of the node", wait=LOCK_SECONDS),
        ):
            yield

    @contextmanager
    def network_lock(self) -> Iterator[None]:
        """Hold the lock of the home's bridge: made and taken away by one command at a time."""
        with (
            interrupts.held_back(),
            lock.hold(self.home.lock("network"), "the network", wait=LOCK_SECONDS),
        ):
            yield
