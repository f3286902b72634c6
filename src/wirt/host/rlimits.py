"""Limits of this process that the kernel also holds the users of a new user namespace to, all together."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

_SHARED = (resource.RLIMIT_SIGPENDING, resource.RLIMIT_MSGQUEUE)
"""Queued signals with POSIX timers, and bytes in POSIX message queues: counted for whoever made the namespace, too."""


@contextmanager
def halved() -> Iterator[None]:
    """Halve them meanwhile: user namespaces made by programs started now leave the other half to their maker.

    Only what a program is given at its start is halved (the soft limit), so it can be given back.
    """
    before = {kind: resource.getrlimit(kind) for kind in _SHARED}
    for kind, (soft, hard) in before.items():
        if soft != resource.RLIM_INFINITY:
            resource.setrlimit(kind, (soft // 2, hard))
    try:
        yield
    finally:
        for kind, limits in before.items():
            resource.setrlimit(kind, limits)
