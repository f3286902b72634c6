"""What several tests of commands begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import homes, netns
from tests.homes import HomeUnderTest
from tests.netns import Outside


@pytest.fixture(scope="module")
def outside(root_user: None) -> Iterator[Outside]:
    """Give a node with a network of the test's own, and somebody at its other end."""
    with netns.own_network(), netns.outside() as other:
        yield other


@pytest.fixture(params=["directory", "btrfs", "image"])
def pool(request: pytest.FixtureRequest) -> str:
    """Give the name of each pool that every node has."""
    name: str = request.param
    return name


@pytest.fixture
def home_on(pool: str, tiny_templates: Path, btrfs_templates: Path) -> Iterator[HomeUnderTest]:
    """Give a home that can have its trees on the pool."""
    if pool == "btrfs":
        with homes.open_home(btrfs_templates, where=str(btrfs_templates.parent)) as home:
            yield home
    else:
        with homes.open_home(tiny_templates) as home:
            yield home
