"""One lab host for all tests of a session: it takes half a minute to boot. That with Xen is made for its tests alone."""

from collections.abc import Iterator

import pytest
from tests.lab.host import XEN_NAME, LabHost, open_lab


@pytest.fixture(scope="session")
def lab(root_user: None) -> Iterator[LabHost]:
    """Give the running lab host with the project in it."""
    with open_lab() as host:
        yield host


@pytest.fixture(scope="module")
def xen_lab(root_user: None) -> Iterator[LabHost]:
    """Give the running lab host on Xen, with the project and the shipped template in it."""
    with open_lab(XEN_NAME, memory="4G") as host:
        host.put_template("debian-12-web")
        host.start_xen()
        yield host
