"""What several tests of commands begin with."""

from collections.abc import Iterator

import pytest
from tests import netns
from tests.netns import Outside


@pytest.fixture(scope="module")
def outside(root_user: None) -> Iterator[Outside]:
    """Give a node with a network of the test's own, and somebody at its other end."""
    with netns.own_network(), netns.outside() as other:
        yield other
