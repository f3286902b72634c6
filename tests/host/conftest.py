"""What several tests on the node's kernel begin with."""

from collections.abc import Iterator

import pytest
from tests import homes

from wirt import app
from wirt.ops.context import Context


@pytest.fixture
def context(root_user: None) -> Iterator[Context]:
    """Give a home with templates of its own, of which there are none yet."""
    with homes.open_home() as home, app.open_context(home.home) as opened:
        yield opened
