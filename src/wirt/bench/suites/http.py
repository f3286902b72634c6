"""Apache in the subjects, Siege on the host.

Siege loads every server with its own users at the same time, as the source did, and its figures are summed as in table
3.1. What is compared with the host is what all of them answered until the last was done: the sum of their own rates is
more than the machine did at any time. Siege is run with a configuration of our own: a person's ``~/.siege`` must not
change a measurement.

Siege is told how many requests each user makes and not how long it has: at the end of a time it cancels its threads
wherever they are, and one that is cancelled inside malloc hangs for ever (seen in one run of ten with Siege 4.0.7; its
maintainer advises the same). How many requests a time holds is found out while warming up.
"""

import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from wirt.bench.importers.siege import parse_siege_json, rate_together, sum_servers
from wirt.bench.parallel import side_by_side
from wirt.errors import Failed, InvalidInput
from wirt.host import files, run

USERS = 10
"""Concurrent users of each server."""
UNIT = "trans/s"
_FIRST_REQUESTS = 10
"""Requests of each user in the first look at a server."""
_MOST_LOOKS = 6
_GRACE_SECONDS = 120.0
_CONFIGURATION = b"logging = false\nverbose = false\nshow-logfile = false\n"

Figures = dict[str, Any]
"""``{"servers": [figures of each], "sum": their sum}``; the names are Siege's own."""
Load = Callable[[Sequence[str], Sequence[int]], Figures]
"""Loads pages, each with so many requests of each user, and returns what came of it."""


def warm_up(load: Load, urls: Sequence[str], seconds: float) -> Figures:
    """Load the servers for about ``seconds`` after some shorter looks, and return the figures of the last.

    Raises:
        Failed, TimedOut: as ``load_with_siege``.
    """
    figures = load(urls, [_FIRST_REQUESTS] * len(urls))
    for _ in range(_MOST_LOOKS):
        if figures["sum"]["elapsed_time"] >= seconds / 2:
            break
        figures = load(urls, requests_for(figures, seconds))
    return figures


def requests_for(figures: Figures, seconds: float) -> list[int]:
    """Return how many requests each user of each server makes in about ``seconds``, at the rates of ``figures``.

    A look too short for Siege's clock (10 ms) counts as that long, so that the next one is longer and not endless.
    """
    return [
        max(1, math.ceil(one["transactions"] / max(one["elapsed_time"], 0.01) * seconds / USERS))
        for one in figures["servers"]
    ]


def rate_of(figures: Figures) -> float:
    """Return the requests a second that the servers answered: of one server alone what Siege itself says."""
    servers = figures["servers"]
    return rate_together(servers) if len(servers) > 1 else float(servers[0]["transaction_rate"])


def load_with_siege(home: str, urls: Sequence[str], requests: Sequence[int]) -> Figures:
    """Load the servers side by side and return Siege's figures.

    Args:
        home: the directory in which Siege finds its configuration and makes what it makes in a person's home. It is
            always the same, so a command that is killed leaves nothing that the next does not use.
        urls: a page of each server.
        requests: how many requests each of its users makes.

    Raises:
        Failed: Siege failed, or a server answered nothing.
        TimedOut: Siege did not end.
    """
    with files.translated("configure siege"):
        os.makedirs(home, mode=0o700, exist_ok=True)
        files.write_atomically(f"{home}/siegerc", _CONFIGURATION)
    servers = side_by_side(
        [partial(_load_one, url, number, home) for url, number in zip(urls, requests, strict=True)]
    )
    return {"servers": servers, "sum": sum_servers(servers)}


def _load_one(url: str, requests: int, home: str) -> dict[str, float]:
    done = run.run(
        [
            # Siege ends with whoever loads with it: else it goes on against servers that are gone.
            *run.WITH_US,
            "siege",
            f"--rc={home}/siegerc",
            "--benchmark",
            f"--concurrent={USERS}",
            f"--reps={requests}",
            "--json-output",
            url,
        ],
        timeout=requests + _GRACE_SECONDS,
        environment={"HOME": home},
    )
    try:
        figures = parse_siege_json(done.stdout)
    except InvalidInput as error:
        raise Failed(f"siege failed on {url}", detail=done.stderr) from error
    if figures["transactions"] == 0:
        raise Failed(f"the server at {url} answered nothing", detail=done.stderr)
    return figures
