"""``kill -9`` of whoever makes, starts, ends or destroys a domain, at every trace point: run in the lab host, on Xen itself.

The next command leaves the node as it was before, or as it was to be, Xen's own list of domains and its store included.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.crash.nodes import alike, run_forked
from tests.crash.test_kill_at_trace_points import Case, Scene
from tests.homes import HomeUnderTest, open_home
from tests.lab.ramdisk import KERNEL, build_ramdisk, output
from tests.leaks import World

from wirt import app
from wirt.errors import Error
from wirt.model.kernelboot import KernelBoot
from wirt.model.limits import Limits
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.start import start
from wirt.ops.stop import stop
from wirt.units import MIB

pytestmark = pytest.mark.timeout(3600)

_STOP_SECONDS = 2.0
"""Nothing in the domain hears that it is to shut down: so it is ended then."""
_NUMBER = re.compile(r"(?<=-xen-domid )\d+|(?<=libxl-)\d+|(?<=libxenstat-)\d+|(?<=libxl-cmd-)\d+")
"""A domain's, which is another one each time, where QEMU is told of it."""

_LINE = re.compile(r"/backend/console/\d+/1 ")
"""The line to a domain's agent, in Xen's store."""

CREATE, START, STOP, DESTROY = ([verb, "web"] for verb in ("create", "start", "stop", "destroy"))
END = ["stop", "--force", "web"]
CASES = {
    "create": Case([], CREATE, [DESTROY]),
    "start": Case([CREATE, START, END], START, [END]),
    "stop": Case([CREATE, START], STOP, [START]),
    "destroy": Case([CREATE], DESTROY, [CREATE]),
}


class XenNode:
    """This node, with domains of Debian's kernel and a busybox; a command is a forked child of the test's."""

    def __init__(self, home: HomeUnderTest, ramdisk: str) -> None:
        self.home = home
        self._request = CreateRequest(
            name="web",
            template=TINY,
            approach="xen",
            limits=Limits(memory=128 * MIB),
            kernel_boot=KernelBoot(kernel=KERNEL, ramdisk=ramdisk),
        )

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> int:
        told = {**self.home.environment, **(environment or {})}
        return run_forked(lambda: self._do(*arguments), told)

    def world(self) -> World:
        """Return what there is of the home, domains and Xen's store included."""
        seen = alike(self.home.world(), self.home.home.tag)
        processes = frozenset(_NUMBER.sub("N", one) for one in seen.processes)
        own = f"w{self.home.home.tag}"
        states = [line.split() for line in output("xl", "list").splitlines()[2:]]
        # Whether it stands still is all that lasts of its state.
        domains = {f"domain {'p' in words[4]}" for words in states if words[0].startswith(own)}
        lines = {
            "line to an agent"
            for line in output("xenstore-ls", "-f").splitlines()
            if _LINE.search(line)
        }
        return dataclasses.replace(seen, processes=processes | domains | lines)

    def _do(self, verb: str, *arguments: str) -> int:
        force = "--force" in arguments
        with app.open_context() as context:
            try:
                match verb:
                    case "create":
                        create(context, self._request)
                    case "start":
                        # There is no agent that could say that it is up.
                        start(context, "web", ready_seconds=None)
                    case "stop":
                        stop(context, "web", timeout=_STOP_SECONDS, force=force)
                    case "destroy":
                        destroy(context, arguments[-1], force=force)
            except Error as error:
                return error.exit_code
        return 0


@pytest.fixture(scope="module")
def node(tiny_templates: Path) -> Iterator[XenNode]:
    """Give this node with what outlasts a guest made: its log, and whatever a first one makes for all."""
    with open_home(tiny_templates) as home:
        made = XenNode(home, build_ramdisk(home.base))
        for command in (CREATE, START, END, DESTROY):
            assert made.run(*command) == 0, command
        yield made


@pytest.mark.parametrize("verb", CASES)
def test_command_killed_at_every_point_leaves_before_or_after(
    node: XenNode, verb: str, tmp_path: Path
) -> None:
    scene = Scene(node, CASES[verb], tmp_path / "points")

    assert scene.problems_if_killed_anywhere() == []
    assert len(scene.points) >= 6
