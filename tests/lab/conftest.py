"""One lab host for all tests of a session: it takes half a minute to boot."""

from collections.abc import Iterator

import pytest
from tests.lab.host import LabHost, open_lab


@pytest.fixture(scope="session")
def lab(root_user: None) -> Iterator[LabHost]:
    """Give the running lab host with the project in it."""
    with open_lab() as host:
        yield host
