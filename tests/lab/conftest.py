"""One lab host for all tests of a session: it takes half a minute to boot. That with Xen is made for its tests alone."""

from collections.abc import Iterator

import pytest
from tests.lab.host import LabHost, open_lab
from tests.lab.xenhost import XenHost, open_xen_lab


@pytest.fixture(scope="session")
def lab(root_user: None) -> Iterator[LabHost]:
    """Give the running lab host with the project in it."""
    with open_lab() as host:
        yield host


@pytest.fixture(scope="module")
def xen_lab(root_user: None) -> Iterator[XenHost]:
    """Give the running lab host on Xen, with the project and the shipped template in it."""
    with open_xen_lab() as host:
        yield host
