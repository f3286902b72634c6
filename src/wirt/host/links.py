"""Network interfaces of the node, changed by ``ip`` in one batch a change."""

import os
import time
from ipaddress import IPv4Network

from wirt.errors import Failed
from wirt.host import run

_UP = 1
_LOOK_SECONDS = 0.001


def exists(name: str) -> bool:
    """Return whether there is an interface of this name."""
    return os.path.isdir(f"/sys/class/net/{name}")


def is_up(name: str) -> bool:
    """Return whether the interface is there and set up (IFF_UP)."""
    try:
        with open(f"/sys/class/net/{name}/flags") as file:
            flags = int(file.read(), 16)
    except OSError:
        return False
    return bool(flags & _UP)


def has_address(name: str, address: str) -> bool:
    """Return whether the interface carries this IPv4 address."""
    said = run.run(["ip", "-4", "-oneline", "address", "show", "dev", name]).stdout
    return any(f" {address}/" in line for line in said.splitlines())


def batch(commands: list[str]) -> None:
    """Let ``ip`` do several things in order, stopping at the first that fails.

    Raises:
        Failed: the kernel refused one; its words are the message's.
    """
    run.check(["ip", "-batch", "-"], stdin="\n".join(commands) + "\n")


def delete(name: str) -> None:
    """Delete an interface; no error if it is gone.

    Raises:
        Failed: the kernel refused.
    """
    if not exists(name):
        return
    done = run.run(["ip", "link", "delete", name])
    if done.status != 0 and exists(name):
        raise Failed(f"cannot delete interface {name}: {done.stderr.strip()}")


def wait_gone(name: str, timeout: float) -> bool:
    """Wait until an interface that is vanishing has gone; return False if it is still there after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while exists(name):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def routed_networks() -> list[IPv4Network]:
    """Return the IPv4 networks that the node has routes to, the default route left out.

    Source: ``/proc/net/route``, whose addresses are little-endian hexadecimal.
    """
    found = []
    with open("/proc/net/route") as file:
        lines = file.readlines()[1:]
    for line in lines:
        fields = line.split()
        target, mask = (int.from_bytes(bytes.fromhex(fields[n])[::-1]) for n in (1, 7))
        if mask:
            found.append(IPv4Network((target, mask.bit_count())))
    return found
