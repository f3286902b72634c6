"""What is written into Xen's store for a domain that xl does not write, made from values alone: the line to its agent.

Keys and their meaning: docs/misc/console.txt and xen/include/public/io/console.h of Xen 4.17.
"""

CONSOLE_NUMBER, AGENT_NUMBER = 0, 1
"""Numbers of a domain's consoles: its own, and the line to its agent, which the guest finds as hvc1."""

_INITIALISING = "1"
"""State of a device that neither side has looked at yet (xen/io/xenbus.h)."""


def build_agent_line(domain: int, pipes: str) -> list[list[str]]:
    """Return the commands that give a domain which stands still its second console, in their order.

    xl has a word for it, "channel", but Xen 4.17 gives QEMU the line's end and never tells the domain of
    it. So it is written down here as libxl would (docs/misc/console.txt of Xen), and QEMU is told which pipes to join it to.

    Args:
        domain: its id.
        pipes: path of QEMU's pair of named pipes, without ".in" and ".out".
    """
    known = f"/libxl/{domain}/device/console/{AGENT_NUMBER}"
    own = f"/local/domain/{domain}/device/console/{AGENT_NUMBER}"
    served = f"/local/domain/0/backend/console/{domain}/{AGENT_NUMBER}"
    asked = {
        "backend": served,
        "backend-id": "0",
        "limit": "1048576",
        "type": "ioemu",
        "output": f"pipe:{pipes}",
        "tty": "",
        "state": _INITIALISING,
    }
    given = {
        "frontend": own,
        "frontend-id": f"{domain}",
        "online": "1",
        "protocol": "vt100",
        "state": _INITIALISING,
    }
    return [
        # What xl takes away with the domain.
        ["xenstore-write", f"{known}/frontend", own, f"{known}/backend", served],
        *_write(own, asked, ["-r", own, f"n{domain}", "r0"]),
        # QEMU looks as soon as this is there, and reads the other.
        *_write(served, given, ["-r", served, "n0", f"r{domain}"]),
    ]


def _write(directory: str, values: dict[str, str], rights: list[str]) -> list[list[str]]:
    pairs = [text for key, value in values.items() for text in (f"{directory}/{key}", value)]
    return [["xenstore-write", *pairs], ["xenstore-chmod", *rights]]
