"""What is known of a guest on its way to another node, and how long each part of it took."""

import os
import time

import msgspec

from wirt.host import files
from wirt.model.card import CardKind
from wirt.model.guest import Guest
from wirt.model.migration import Mode, Stage
from wirt.ops.bridges import networks_of
from wirt.ops.context import Context
from wirt.ops.moving import baggage, engines, images, live
from wirt.ops.moving.protocol import Arrival
from wirt.ops.steps.ladder import Ladder
from wirt.storage.base import Portable


class Journey:
    """What is known of a guest on its way, and when each part of it was done."""

    def __init__(self, guest: Guest, node: str, mode: Mode, why: str) -> None:
        """Start the clock."""
        self.guest = guest
        self.node = node
        self.mode = mode
        self.why = why
        self._arrival: Arrival | None = None
        self.lacking: list[str] = []
        """Parts of its template that are not over there."""
        self.began = time.time()
        self.stages: list[Stage] = []
        self.machine: str | None = None
        """What the engine over there must be like that it is sent to; None: it goes in files."""
        self.goes_ahead = False
        """Its memory is sent by rounds while it runs."""
        self.in_one_piece: str | None = None
        """Why its memory is not."""
        self.rounds: list[int] = []
        """How many bytes of memory were written in each."""
        self.at_last: int | None = None
        """How many were written while it stood still."""
        self.engine_seconds: float | None = None
        """How long it stood still, as its engine says."""
        self.stopping: float | None = None
        """When it was told to stop, by the monotonic clock."""
        self.last_seen: float | None = None
        """When its kernel answered for the last time here, by the monotonic clock."""
        self._since = time.monotonic()

    @property
    def has_memory_in_files(self) -> bool:
        """Return whether its memory goes along, and in files."""
        return self.mode is Mode.LIVE and self.machine is None

    @property
    def arrival(self) -> bytes:
        """Return the question that tells the other node of it, once it has been measured."""
        assert self._arrival is not None
        return msgspec.json.encode(msgspec.structs.replace(self._arrival, is_ahead=self.goes_ahead))

    @property
    def memory(self) -> int:
        """Return about how many bytes its memory takes in files, as it was measured."""
        return 0 if self._arrival is None else self._arrival.memory

    @property
    def can_be_set_up(self) -> bool:
        """Return whether all but its processes may be made there while it may still go on here.

        A routed card may not: its addresses would lead there, and neighbours be told so.
        """
        return all(card.kind is CardKind.BRIDGED for card in self.guest.all_cards)

    def tell_why(self) -> str:
        """Say why it goes in its mode, and how its memory goes."""
        return f"{self.why}; {self.tell_memory()}" if self.has_memory_in_files else self.why

    def tell_memory(self) -> str:
        """Say how its memory goes."""
        if self.in_one_piece is None:
            return "its memory is sent ahead"
        return f"its memory goes in one piece: {self.in_one_piece}"

    def measure(self, context: Context) -> None:
        """Find out what has to be known over there."""
        guest, ladder = self.guest, Ladder(context, self.guest)
        pool = context.pool(guest.pool)
        assert isinstance(pool, Portable)
        place = pool.place(guest.id)
        image = None
        if guest.has_template and context.approach(guest.approach).needs.root != "tree":
            image = images.checksum(context, ladder.root.form())
        self.machine = engines.describe(context, guest) if self.mode is Mode.LIVE else None
        in_files = self.has_memory_in_files
        self._arrival = Arrival(
            guest=guest,
            node=self.node,
            bytes=sum(_disk_usage(f"{place}/{part}") for part in pool.parts(guest.id))
            + baggage.measure(context, guest),
            subnet=context.gateway().look().subnet,
            networks=networks_of(context, guest),
            brings_template=bool(self.lacking),
            kernel=os.uname().release if in_files else None,
            memory=live.count_memory(context, guest) if in_files else 0,
            machine=self.machine,
            image=image,
        )

    def note(self, name: str, sent: int = 0) -> None:
        """Write down that a stage is done."""
        now = time.monotonic()
        self.stages.append(Stage(name=name, seconds=now - self._since, bytes=sent))
        self._since = now


def _disk_usage(path: str) -> int:
    if path.endswith("/"):
        return files.disk_usage(path) if os.path.isdir(path) else 0
    return os.stat(path).st_blocks * 512
