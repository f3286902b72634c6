"""Guests that go to a node that runs another kernel, over two nodes of fakes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import pair
from tests.pair import Nodes

from wirt.errors import Unsupported
from wirt.model.migration import Mode
from wirt.ops.start import start


@pytest.fixture
def nodes(tmp_path: Path, root_user: None) -> Iterator[Nodes]:
    with pair.open_nodes(tmp_path) as made:
        yield made


class OtherKernel:
    """The module ``os`` of a node that runs another kernel."""

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def uname(self) -> os.uname_result:
        return os.uname_result(("Linux", "b", "6.1.0-b", "#1", os.uname().machine))


def test_node_with_another_kernel_takes_a_guest_without_its_memory(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(nodes.context(), "web")
    monkeypatch.setattr("wirt.ops.receive.os", OtherKernel())
    why = f"node b runs another kernel, 6.1.0-b, than {os.uname().release}"
    with pytest.raises(Unsupported) as caught:
        nodes.go(mode=Mode.LIVE)
    before = nodes.holders()
    done = nodes.go()

    assert str(caught.value) == f"{why}; leave --mode out, or refresh"
    assert before == [("a", "running")]
    assert (done.mode, done.why) == (Mode.REFRESH, f"not live: {why}")
