"""Interfaces of the node's that are lent to a guest's network, and fetched back whatever the guest has made of them.

Its root may give one another name and another MAC, and the first name to an interface of its own. What it cannot change is the
interface's number. So that is written down, with the MAC, before the interface goes. Run as a program it fetches one.
"""

import os
import secrets
import sys
from contextlib import suppress

from wirt.host import files, links, run


def lend(name: str, pid: int, directory: str) -> None:
    """Move an interface into the network of a process; no error if this node has none of its name.

    Args:
        name: what it is called.
        pid: the process.
        directory: where it is written down what it was.

    A crash before it is moved leaves what is remembered, which is remembered anew.

    Raises:
        Failed: the kernel refused.
    """
    if not links.exists(name):
        return
    files.replace(_memory(directory, name), f"{links.number_of(name)} {links.mac_of(name)}\n")
    links.batch([f"link set {name} netns {pid}"])


def fetch(name: str, network: str, directory: str) -> None:
    """Bring an interface back from another network, with the name and the MAC that it had, without addresses.

    Args:
        name: what it was called here, and is again.
        network: path of that network's namespace.
        directory: as of ``lend``; if nothing is written down there, the interface is known by its name alone.

    It is no error if it is not there.

    Raises:
        Failed: the kernel refused.
    """
    enter = ["nsenter", f"--net={network}", "ip"]
    with suppress(OSError, ValueError):
        with open(_memory(directory, name)) as file:
            number, mac = file.read().split()
        run.run([*enter, "-force", "-batch", "-"], stdin=_build_naming(number, name, mac))
    if run.run([*enter, "link", "show", "dev", name]).status != 0:
        return
    commands = [
        f"address flush dev {name}",
        f"link set {name} down",
        f"link set {name} netns {os.getpid()}",
    ]
    run.check([*enter, "-batch", "-"], stdin="\n".join(commands) + "\n")


def _memory(directory: str, name: str) -> str:
    return os.path.join(directory, f"{name}.lent")


def _build_naming(number: str, name: str, mac: str) -> str:
    """Return what gives the interface with a number its name back. ``ip`` takes ``if7`` for number 7 if none has that for a name.

    So whoever has one of the two for a name gets another first, which may be the very interface.
    """
    numbered, other = f"if{number}", secrets.token_hex(4)
    commands = [
        f"link set {numbered} down",
        f"link set {numbered} name a{other}",
        f"link set {name} down",
        f"link set {name} name b{other}",
        f"link set {numbered} down",
        f"link set {numbered} name {name}",
        # If there is none with this number any more, who has the name is who had it.
        f"link set b{other} name {name}",
        f"link set {name} address {mac}",
    ]
    return "\n".join(commands) + "\n"


if __name__ == "__main__":
    fetch(*sys.argv[1:4])
