"""Apache in the subjects, Siege on the host.

Siege loads every server with its own users at the same time, as the source did, and its figures are summed as in table
3.1. Siege is run with a configuration of our own: a person's ``~/.siege`` must not change a measurement.

Siege is told how many requests each user makes and not how long it has: at the end of a time it cancels its threads
wherever they are, and one that is cancelled inside malloc hangs for ever (seen in one run of ten with Siege 4.0.7; its
maintainer advises the same). How many requests a time holds is found out while warming up.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from wirt.bench.importers.siege import parse_siege_json, sum_servers
from wirt.errors import Failed, InvalidInput
from wirt.host import run

USERS = 10
"""Concurrent users of each server."""
UNIT = "trans/s"
_FIRST_REQUESTS = 10
"""Requests of each user in the first look at a server."""
_MOST_LOOKS = 6
_GRACE_SECONDS = 120.0


def warm_up(urls: Sequence[str], seconds: float, *, directory: str) -> dict[str, Any]:
    """Load the servers for about ``seconds`` after some shorter looks, and return the figures of the last.

    Raises:
        Failed, TimedOut: as ``load``.
    """
    requests = [_FIRST_REQUESTS] * len(urls)
    figures = load(urls, requests, directory=directory)
    for _ in range(_MOST_LOOKS):
        if figures["sum"]["elapsed_time"] >= seconds / 2:
            break
        requests = requests_for(figures, seconds)
        figures = load(urls, requests, directory=directory)
    return figures


def requests_for(figures: dict[str, Any], seconds: float) -> list[int]:
    """Return how many requests each user of each server makes in about ``seconds``, at the rates of ``figures``.

    A look too short for Siege's clock (10 ms) counts as that long, so that the next one is longer and not endless.
    """
    return [
        max(1, math.ceil(one["transactions"] / max(one["elapsed_time"], 0.01) * seconds / USERS))
        for one in figures["servers"]
    ]


def load(urls: Sequence[str], requests: Sequence[int], *, directory: str) -> dict[str, Any]:
    """Load the servers side by side and return Siege's figures.

    Args:
        urls: a page of each server.
        requests: how many requests each of its users makes.
        directory: where Siege's configuration is written, and what it takes for a person's home.

    Returns:
        ``{"servers": [figures of each], "sum": their sum}``; the names are Siege's own.

    Raises:
        Failed: Siege failed, or a server answered nothing.
        TimedOut: Siege did not end.
    """
    configuration = f"{directory}/siegerc"
    with open(configuration, "w") as file:
        file.write("logging = false\nverbose = false\nshow-logfile = false\n")

    def load_one(url: str, number: int) -> dict[str, float]:
        done = run.run(
            [
                "siege",
                f"--rc={configuration}",
                "--benchmark",
                f"--concurrent={USERS}",
                f"--reps={number}",
                "--json-output",
                url,
            ],
            timeout=number + _GRACE_SECONDS,
            environment={"HOME": directory},
        )
        try:
            figures = parse_siege_json(done.stdout)
        except InvalidInput as error:
            raise Failed(f"siege failed on {url}", detail=done.stderr) from error
        if figures["transactions"] == 0:
            raise Failed(f"the server at {url} answered nothing", detail=done.stderr)
        return figures

    with ThreadPoolExecutor(len(urls)) as side_by_side:
        servers = list(side_by_side.map(load_one, urls, requests))
    return {"servers": servers, "sum": sum_servers(servers)}
