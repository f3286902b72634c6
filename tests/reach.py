"""Who reaches whom, asked by ping: from the node, or from inside a guest."""

import subprocess
import time

from tests.homes import BUSYBOX, HomeUnderTest

SECONDS = 20.0


def pings(address: str, home: HomeUnderTest | None = None, name: str = "") -> bool:
    """Return whether the node reaches an address, or a guest does."""
    if home is not None:
        return home.wirt("exec", name, "--", "ping", "-c1", "-W1", address).returncode == 0
    asked = [BUSYBOX, "ping", "-c", "1", "-W", "1", address]
    return subprocess.run(asked, capture_output=True).returncode == 0


def is_reached(address: str, home: HomeUnderTest | None = None, name: str = "") -> bool:
    """Return whether an address is reached within a while: a kernel looks for a second or two whether somebody has it."""
    deadline = time.monotonic() + SECONDS
    while not (answers := pings(address, home, name)) and time.monotonic() < deadline:
        pass
    return answers
