"""Whom the node asks for names, for containers that are to do as it does."""

from collections.abc import Iterator

from wirt.host import files

RESOLV_CONF = "/etc/resolv.conf"


def servers() -> tuple[str, ...]:
    """Return the addresses of the node's name servers, but for those that only the node's own cards lead to.

    Raises:
        Failed: the node's file cannot be read.
    """
    return tuple(words[1] for words in _lines() if words[0] == "nameserver" and "%" not in words[1])


def domains() -> tuple[str, ...]:
    """Return the domains in which the node looks for names: of several lines the last, as resolv.conf(5) says.

    Raises:
        Failed: the node's file cannot be read.
    """
    found: tuple[str, ...] = ()
    for words in _lines():
        if words[0] == "search":
            found = tuple(words[1:])
        elif words[0] == "domain":
            found = (words[1],)
    return tuple(domain for one in found if (domain := one.strip(".").lower()))


def _lines() -> Iterator[list[str]]:
    """Yield the words of the lines that say something; a node without the file asks nobody."""
    with files.translated(f"read {RESOLV_CONF}"):
        try:
            with open(RESOLV_CONF, errors="replace") as file:
                text = file.read()
        except FileNotFoundError:
            return
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1:
            yield words
