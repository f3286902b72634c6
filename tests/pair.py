"""Two nodes of fakes, of which one knows the other, for tests of guests that go from one to the other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import fakes
from wirt.model.migration import Migration
from wirt.model.node import Node
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.migrate import MigrateRequest, migrate
from wirt.ops.nodes import add_node
from wirt.state.sqlite import SqliteStore
from wirt.transport.base import Link

B = Node(name="b", home="/b")


class Nodes:
    """Node "a", where guests are, and node "b", each with its state on disk."""

    def __init__(self, base: Path) -> None:
        self.bases = {name: base / name for name in ("a", "b")}
        self.stores = {}
        for name, where in self.bases.items():
            os.makedirs(fakes.home_in(where).data)
            self.stores[name] = SqliteStore(fakes.home_in(where).database)

    def context(
        self, *, cut_at: int | None = None, fail: str = "", at: int | None = None
    ) -> Context:
        """Return node a's context, with a way that is cut, or a node b of which something fails."""

        def link(node: Node) -> Link:
            return fakes.link_to(self.bases["b"], node, fail_at=cut_at, fail=fail, fail_at_there=at)

        return fakes.open_context(self.bases["a"], self.stores["a"], link=link)

    def other(self) -> Context:
        return fakes.open_context(self.bases["b"], self.stores["b"])

    def go(self, context: Context | None = None, **asked: object) -> Migration:
        request = MigrateRequest(guest="web", node="b", **asked)  # type: ignore[arg-type]
        return migrate(context or self.context(), request, progress=lambda line: None)

    def holders(self) -> list[tuple[str, str]]:
        """Return where the guest is, and its state there."""
        return [
            (name, guest.state.value)
            for name, store in self.stores.items()
            for guest in store.guests()
        ]

    def engines(self) -> list[str]:
        """Return the nodes on which something runs."""
        return [
            name
            for name, where in self.bases.items()
            if os.path.isdir(where / "kernel/guests") and os.listdir(where / "kernel/guests")
        ]

    def roots(self) -> list[str]:
        return [
            name
            for name, where in self.bases.items()
            if os.listdir(fakes.home_in(where).pool("fake"))
        ]


@contextmanager
def open_nodes(base: Path) -> Iterator[Nodes]:
    """Give two nodes, and a stopped guest on the first."""
    made = Nodes(base)
    context = made.context()
    add_node(context, B)
    create(context, CreateRequest(name="web", approach="fake", template="tiny"))
    web = context.store.find("web")
    Path(context.home.pool("fake"), web.id, "root/data").write_text("data")
    os.makedirs(made.other().home.pool("fake"), exist_ok=True)
    yield made
    for store in made.stores.values():
        store.close()
