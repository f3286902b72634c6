"""A whole node of fakes, for tests of the verbs."""

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, closing
from ipaddress import IPv4Network
from pathlib import Path
from typing import IO, cast

from wirt.approaches.base import Approach
from wirt.approaches.fake import FakeApproach
from wirt.approaches.fakemachine import FakeMachines
from wirt.errors import Conflict, WrongState
from wirt.model.home import Home
from wirt.model.node import Node
from wirt.model.template import Template, TemplateSpec
from wirt.network.fake import FakeGateway, FakeNetwork, FakeShaper
from wirt.ops.cleanup import clean_up
from wirt.ops.context import Context
from wirt.ops.receive import Receiver
from wirt.ops.recovery import recover
from wirt.state.base import Store
from wirt.state.sqlite import SqliteStore
from wirt.storage.fake import FakePool
from wirt.storage.ground import ground_of
from wirt.transport import wire
from wirt.transport.base import Link
from wirt.transport.fake import FakeLink
from wirt.units import GIB

SUBNET = IPv4Network("10.64.0.0/20")
TAKEN_PORT = 22
"""What a program of the node listens on."""


class OneTemplate:
    """The templates of a home that has every template asked for, all of them one tree."""

    def __init__(self, tree: str) -> None:
        self._tree = tree

    def get(self, name: str) -> Template:
        return Template(
            name=name,
            description="",
            distribution="",
            suite="",
            packages=[],
            sha256="0" * 64,
            packed_bytes=0,
            unpacked_bytes=0,
            built=0.0,
            build_seconds=0.0,
        )

    def list(self) -> list[Template]:
        return [self.get("tiny")]

    def build(self, spec: TemplateSpec, *, progress: Callable[[str], None]) -> Template:
        raise Conflict(f"there is a template called {spec.name}")

    def import_root(
        self,
        path: str,
        name: str,
        *,
        image: str | None = None,
        skip_devices: bool = False,
        progress: Callable[[str], None] = print,
    ) -> Template:
        raise Conflict(f"there is a template called {name}")

    def take_tree(
        self,
        root: str | IO[bytes],
        name: str,
        *,
        origin: str,
        of_machine: bool = False,
        progress: Callable[[str], None],
    ) -> Template:
        assert isinstance(root, str)
        assert os.path.isdir(root)
        return self.get(name)

    def clean_up(self) -> None:
        pass

    def find(self, name: str, sha256: str) -> str | None:
        return os.path.dirname(self._tree) if sha256 == self.get(name).sha256 else None

    def arriving(self, name: str) -> AbstractContextManager[str]:
        raise Conflict(f"there is a template called {name}")

    def adopt(self, work: str, name: str, sha256: str) -> None:
        raise Conflict(f"there is a template called {name}")

    def export(self, name: str, path: str) -> Template:
        raise Conflict(f"there is a file {path}")

    def remove(self, name: str, *, used_by: Sequence[str] = ()) -> None:
        raise WrongState(f"template {name} is part of the test")

    def update(self, spec: TemplateSpec, *, progress: Callable[[str], None]) -> Template:
        return self.get(spec.name)

    def remove_unused(self, name: str, *, used: Collection[str]) -> None:
        assert used

    def path_of_form(
        self, name: str, form: str, *, sha256: str | None = None, within: str | None = None
    ) -> str:
        return self._tree

    def remove_unknown_forms(self, within: str) -> None:
        raise AssertionError("no fake has forms of its own")


def _nobody(node: Node) -> Link:
    raise AssertionError(f"there is no way to {node.name}")


def link_to(
    base: Path,
    node: Node,
    *,
    fail_at: int | None = None,
    fail: str = "",
    fail_at_there: int | None = None,
) -> FakeLink:
    """Return the way to the node of fakes below ``base``.

    Args:
        base: directory that plays it.
        node: what it is called here.
        fail_at: number of the link's call that fails.
        fail: which of the other node's fakes fails.
        fail_at_there: number of its call that does.
    """

    def serve(reader: IO[bytes], writer: IO[bytes]) -> None:
        os.makedirs(home_in(base).data, exist_ok=True)
        with closing(SqliteStore(home_in(base).database)) as store:
            context = open_context(base, store, fail=fail, fail_at=fail_at_there)
            clean_up(context)
            with closing(Receiver(context)) as receiver:
                wire.serve(reader, writer, receiver.answer)

    return FakeLink(node.name, serve, fail_at=fail_at)


def home_in(base: Path) -> Home:
    """Return the home of the node whose everything is below ``base``."""
    return Home(data=f"{base}/home", run=f"{base}/run")


def open_context(
    base: Path,
    store: Store,
    *,
    fail: str = "",
    fail_at: int | None = None,
    boot_id: str = "one",
    link: Callable[[Node], Link] | None = None,
) -> Context:
    """Return a context of fakes; what they made for an earlier one is still there.

    Args:
        base: directory that plays the node.
        store: the state.
        fail: "approach", "pool", "network", "gateway" or "shaper": the one that is told to fail.
        fail_at: number of its call that fails.
        boot_id: another one after the node was started anew.
        link: the way to another node; None: there is none.
    """
    home = home_in(base)
    for directory in (home.data, os.path.dirname(home.lock("any")), f"{base}/template"):
        os.makedirs(directory, exist_ok=True)
    Path(base, "template", "init").touch()

    def at(port: str) -> int | None:
        return fail_at if fail == port else None

    network = FakeNetwork(f"{base}/kernel/net", home.tag, SUBNET, fail_at=at("network"))
    gateway = FakeGateway(
        f"{base}/kernel/net", home.tag, SUBNET, fail_at=at("gateway"), taken=[TAKEN_PORT]
    )
    shaper = FakeShaper(f"{base}/kernel/net", fail_at=at("shaper"))
    kernel, fails = f"{base}/kernel/guests", at("approach")
    approach = FakeApproach(kernel, fail_at=fails)
    machines = FakeMachines(kernel, fail_at=fails)
    pool = FakePool(home.pool("fake"), fail_at=at("pool"))
    return Context(
        home=home,
        store=store,
        network=network,
        private=lambda one: FakeNetwork(
            f"{base}/kernel/net", home.tag, IPv4Network(one.subnet), private=one.number
        ),
        routed=lambda: FakeNetwork(f"{base}/kernel/net", home.tag, SUBNET, is_routed=True),
        gateway=lambda: gateway,
        shaper=lambda: shaper,
        templates=OneTemplate(f"{base}/template"),
        approach=lambda name: machines if name == machines.name else approach,
        pool=lambda name: pool,
        pools=("fake",),
        ground=ground_of,
        link=link or _nobody,
        recover=recover,
        boot_id=boot_id,
        cpus=2,
        memory=64 * GIB,
    )


class _Lacking:
    def __init__(self, other: Approach, power: type) -> None:
        self._other = other
        self._power = power

    def __getattr__(self, name: str) -> object:
        if hasattr(self._power, name):
            raise AttributeError(name)
        return getattr(self._other, name)


def without(power: type, approach: Approach) -> Approach:
    """Return an approach as another one, but for one power, such as ``Freezable``."""
    return cast(Approach, _Lacking(approach, power))
