"""Whom the node asks for names, for containers that are to do as it does."""

from wirt.host import files
from wirt.model.naming import Naming

RESOLV_CONF = "/etc/resolv.conf"


def node_names() -> Naming:
    """Return the node's name servers, but for those that only its own cards lead to, and its domains.

    Of several lines with domains the last counts, as resolv.conf(5) says. A node without the file asks nobody.

    Raises:
        Failed: the node's file cannot be read.
    """
    servers: list[str] = []
    domains: list[str] = []
    with files.translated(f"read {RESOLV_CONF}"):
        try:
            with open(RESOLV_CONF, errors="replace") as file:
                text = file.read()
        except FileNotFoundError:
            return Naming()
    for line in text.splitlines():
        match line.split():
            case ["nameserver", server, *_] if "%" not in server:
                servers.append(server)
            case ["search", *found]:
                domains = found
            case ["domain", one, *_]:
                domains = [one]
    cleaned = (domain.strip(".").lower() for domain in domains)
    return Naming(dns=tuple(servers), search=tuple(filter(None, cleaned)))
