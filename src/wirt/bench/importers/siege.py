"""Siege's output: its JSON and its text, and the sums over several servers.

Used by the ``http`` suite, which runs Siege, and by ``wirt results import``.
"""

import json
import re
from collections.abc import Sequence

from wirt.bench.importers.imported import Origin, build_run
from wirt.bench.sample import Run, Sample
from wirt.errors import InvalidInput

FIELDS = (
    "transactions",
    "availability",
    "elapsed_time",
    "data_transferred",
    "response_time",
    "transaction_rate",
    "throughput",
    "concurrency",
    "successful_transactions",
    "failed_transactions",
    "longest_transaction",
    "shortest_transaction",
)
"""Siege's own names. Times in seconds, data in MB, throughput in MB/s, availability in percent."""

HTTP_TEST = "apache"

_OBJECT = re.compile(r"\{[^{}]*\}")
_LINE = re.compile(r"^\s*([A-Z][a-z]+(?: [a-z]+)?):\s+(\d+(?:\.\d+)?)[ \t]*(\S*)", re.MULTILINE)
_UNITS = {
    "ms": 1e-3,
    "bytes": 1e-6,
    "bytes/sec": 1e-6,
    **dict.fromkeys(("", "%", "hits", "sec", "secs", "MB", "MB/sec", "trans/sec"), 1.0),
}
"""What a figure in each unit that Siege has printed is to be multiplied by. MB are its 10^6 bytes before 4.1."""


def parse_siege_json(text: str) -> dict[str, float]:
    """Return the figures of ``siege --json-output``, whatever it printed around them.

    Raises:
        InvalidInput: there are no figures of Siege in the text.
    """
    for candidate in reversed(_OBJECT.findall(text)):
        try:
            found = json.loads(candidate)
            return {name: float(found[name]) for name in FIELDS}
        except (ValueError, KeyError, TypeError):
            continue
    raise InvalidInput("this is not the JSON output of Siege", hint="run siege with --json-output")


def parse_siege_text(text: str) -> dict[str, float]:
    """Return the figures of the summary that Siege prints for people (on its standard error).

    Raises:
        InvalidInput: there is no summary of Siege in the text.
    """
    figures: dict[str, float] = {}
    for name, number, unit in _LINE.findall(text):
        field = name.lower().replace(" ", "_")
        if field not in FIELDS:
            continue
        if unit not in _UNITS:
            raise InvalidInput(
                f"this is not the output of Siege: {name} is in {unit!r}",
                hint=f"it can be in {', '.join(filter(None, _UNITS))}",
            )
        figures[field] = float(number) * _UNITS[unit]
    missing = [name for name in FIELDS if name not in figures]
    if missing:
        raise InvalidInput(
            f"this is not the output of Siege: {missing[0].replace('_', ' ')} is missing",
            hint="give the whole summary, from Transactions to Shortest transaction",
        )
    return {name: figures[name] for name in FIELDS}


def response_seconds(figures: dict[str, float]) -> float:
    """Return the mean response time of one server.

    Siege prints it with two decimals, which is 0.00 for a fast server. Its concurrency is the time
    of all transactions over the elapsed time, so the same mean follows from there; the one that
    lost less to rounding is taken.
    """
    if figures["transactions"] > 0 and figures["concurrency"] > figures["response_time"]:
        return figures["concurrency"] * figures["elapsed_time"] / figures["transactions"]
    return figures["response_time"]


def sum_servers(servers: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the figures of several servers loaded in parallel as one, as the source's table 3.1.

    Counts, data, rates, concurrency and mean response times are added; availability is the mean,
    elapsed time and the longest transaction are the greatest, the shortest transaction is the
    smallest.

    Raises:
        ValueError: there is no server.
    """
    if not servers:
        raise ValueError("no servers")
    total = {name: sum(figures[name] for figures in servers) for name in FIELDS}
    return {
        **total,
        "response_time": sum(map(response_seconds, servers)),
        "availability": total["availability"] / len(servers),
        "elapsed_time": max(figures["elapsed_time"] for figures in servers),
        "longest_transaction": max(figures["longest_transaction"] for figures in servers),
        "shortest_transaction": min(figures["shortest_transaction"] for figures in servers),
    }


def rate_together(servers: Sequence[dict[str, float]]) -> float:
    """Return the transactions a second of several servers while all of them were loaded, or some still were.

    Table 3.1 adds the servers' own rates. But those that are done early leave the others nearly alone: a sum of rates
    that did not hold at one time says more than the machine ever did (by 2 to 14 % of three to ten servers).

    Raises:
        ValueError: there is no server.
    """
    if not servers:
        raise ValueError("no servers")
    longest = max(figures["elapsed_time"] for figures in servers)
    if longest <= 0:
        return 0.0
    return sum(figures["transactions"] for figures in servers) / longest


def import_siege(text: str, origin: Origin) -> Run:
    """Return a run of one sample from what Siege printed, JSON or text.

    Raises:
        InvalidInput: the text is not output of Siege.
    """
    figures = parse_siege_json(text) if _OBJECT.search(text) else parse_siege_text(text)
    sample = Sample(
        suite="http",
        test=HTTP_TEST,
        subject=origin.subject,
        copies=1,
        block=0,
        order=0,
        phase="measure",
        value=figures["transaction_rate"],
        unit="trans/s",
        seconds=figures["elapsed_time"],
        host_seconds=None,
        at=origin.at,
        detail={"servers": [figures], "sum": sum_servers([figures])},
    )
    return build_run(
        [sample], origin=origin, started=origin.at, environment={"imported_from": "Siege"}
    )
