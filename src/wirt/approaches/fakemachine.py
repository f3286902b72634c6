"""Guests whose engine sends them to another: beside what the fake is, files that arrive and files that wait."""

import os
import shutil
import time
from collections.abc import Callable, Mapping

from wirt.approaches.base import Sent
from wirt.approaches.fake import FakeApproach
from wirt.errors import Failed, Unsupported
from wirt.host import files
from wirt.model.guest import Handle
from wirt.model.launch import Launch, Place
from wirt.model.resources import RootTree


class FakeMachines(FakeApproach):
    """Guests that are directories, with machines that have a kind.

    Args:
        directory: what plays the kernel.
        fail_at: as of ``FakeApproach``; ``await_machine``, ``send_machine`` and ``take_machine`` count as well.
    """

    name = "fakemachine"

    def __init__(self, directory: str, *, fail_at: int | None = None) -> None:
        super().__init__(directory, fail_at=fail_at)
        self.kind = "one"
        """What both nodes' engines must have."""

    def start(self, launch: Launch) -> Handle:
        """Start it, and remember where its root is."""
        handle = super().start(launch)
        self._remember_root(launch)
        return handle

    def describe_machine(self, place: Place) -> str:
        """Return its kind."""
        self._check_running(place)
        return self.kind

    def check_machine(self, machine: str) -> None:
        """Compare the kinds."""
        if machine != self.kind:
            raise Unsupported(f"its machines are of kind {self.kind}, and not {machine}")

    def await_machine(self, launch: Launch, machine: str) -> Handle:
        """Make the guest's directory, without an init."""
        os.makedirs(self._path(launch.place))
        self._count("await_machine")
        self._remember_root(launch)
        return Handle()

    def gates(self, place: Place) -> dict[str, str]:
        """Return where its memory and its root are to be."""
        with open(self._root(place)) as file:
            return {"memory": self._arriving(place), "disk": file.read()}

    def send_machine(
        self,
        place: Place,
        gates: Mapping[str, str],
        *,
        downtime: float,
        standing_still: Callable[[], None],
    ) -> Sent:
        """Copy the root, stand still, and copy what the init holds."""
        self._check_running(place)
        files.write(self._still(place), "")
        try:
            self._count("send_machine")
            with open(self._root(place)) as file:
                shutil.copytree(file.read(), gates["disk"], dirs_exist_ok=True)
            standing_still()
            shutil.copyfile(self._init(place), gates["memory"])
        except BaseException:
            self.cancel_checkpoint(place)
            raise
        return Sent(bytes=1, stood_still=0.0, engine_seconds=0.0)

    def take_machine(self, place: Place) -> float:
        """Let the init be what has arrived."""
        self._count("take_machine")
        if not os.path.exists(self._arriving(place)):
            raise Failed(f"the memory of {place.name} has not arrived")
        os.rename(self._arriving(place), self._init(place))
        return time.monotonic()

    def _remember_root(self, launch: Launch) -> None:
        assert isinstance(launch.root, RootTree)
        files.write(self._root(launch.place), launch.root.path)

    def _root(self, place: Place) -> str:
        return os.path.join(self._path(place), "root")

    def _arriving(self, place: Place) -> str:
        return os.path.join(self._path(place), "arriving")
