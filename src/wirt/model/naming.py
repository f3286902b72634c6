"""What a guest is called inside, and whom it asks for the names of others."""

import re
from ipaddress import ip_address

import msgspec

from wirt.errors import InvalidInput

LONGEST_HOSTNAME = 64
"""Bytes that the kernel keeps of a host name."""
MOST_SERVERS, MOST_DOMAINS = 3, 6
"""What resolv.conf(5) looks at."""

_MARK = "# set by Wirt"
_LOCAL = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"

_DOMAIN = r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"


class Naming(msgspec.Struct, frozen=True, kw_only=True):
    """Names in a guest; what is empty is left as the guest has it."""

    hostname: str | None = None
    """None: as the guest is called."""
    dns: tuple[str, ...] = ()
    """Addresses of name servers."""
    search: tuple[str, ...] = ()
    """Domains in which a name without a dot is looked for."""

    def files(self) -> dict[str, str]:
        """Return what Wirt writes in the guest: path and content."""
        found = {}
        if self.hostname is not None:
            found["/etc/hostname"] = f"{self.hostname}\n"
        if self.dns or self.search:
            lines = [f"nameserver {server}" for server in self.dns]
            if self.search:
                lines.append(f"search {' '.join(self.search)}")
            found["/etc/resolv.conf"] = "\n".join(lines) + "\n"
        return found


def check_naming(naming: Naming) -> None:
    """Check that a guest can be given these names.

    Raises:
        InvalidInput: one is no host name, address or domain, or there are more than a guest looks at.
    """
    name = naming.hostname
    if name is not None and (len(name) > LONGEST_HOSTNAME or re.fullmatch(_DOMAIN, name) is None):
        raise InvalidInput(
            f"{name!r} is not a host name",
            hint=f"use a-z, 0-9, inner hyphens and dots, at most {LONGEST_HOSTNAME}",
        )
    for server in naming.dns:
        try:
            usable = "%" not in server and not ip_address(server).is_multicast
        except ValueError:
            usable = False
        if not usable:
            raise InvalidInput(
                f"{server!r} is not the address of a name server", hint="such as 192.0.2.53"
            )
    for domain in naming.search:
        if re.fullmatch(_DOMAIN, domain) is None:
            raise InvalidInput(f"{domain!r} is not a domain", hint="such as example.org")
    for what, given, most in (
        ("name servers", naming.dns, MOST_SERVERS),
        ("domains", naming.search, MOST_DOMAINS),
    ):
        if len(given) > most:
            raise InvalidInput(
                f"{len(given)} {what} are too many", hint=f"a guest looks at {most} of them"
            )


def with_own_line(hosts: str | None, hostname: str) -> str:
    """Return /etc/hosts with the host name in it, so that a guest without a name server finds itself; None is no file.

    The line is marked, and no other one is ever changed.
    """
    names = " ".join(dict.fromkeys((hostname, hostname.partition(".")[0])))
    return f"{without_own_line(_LOCAL if hosts is None else hosts)}127.0.1.1 {names} {_MARK}\n"


def without_own_line(hosts: str) -> str:
    """Return /etc/hosts without the line that Wirt wrote; what is not empty ends with a line's end."""
    lines = [line for line in hosts.split("\n") if not line.endswith(_MARK)]
    text = "\n".join(lines)
    return text if not text or text.endswith("\n") else f"{text}\n"
