"""Builds runs for tests: plain figures in, a whole results file's worth out."""

from collections.abc import Mapping, Sequence
from typing import Any

from wirt.bench.sample import HOST, HOST_AGAIN, Finish, Header, Run, Sample, Subject

SUBJECTS = [
    Subject(name=HOST),
    Subject(name=HOST_AGAIN),
    Subject(name="lxc", approach="lxc"),
    Subject(name="qemu", approach="qemu"),
]


def header(**changes: Any) -> Header:
    fields: dict[str, Any] = {
        "run": "20260101-1200",
        "wirt": "0.1.0",
        "profile": "quick",
        "seed": 7,
        "started": 1767268800.0,
        "subjects": SUBJECTS,
        "suites": ["unix", "http"],
        "blocks": 3,
        "guests": 3,
        "template": "debian-12-web",
        "template_sha256": "ab" * 32,
        "workloads": {"dhry2reg": "cd" * 32},
        "compiler": {"version": "gcc 12.2.0", "flags": "-O2"},
        "environment": {},
        "unavailable": {},
    }
    return Header(**{**fields, **changes})


def sample(subject: str, value: float, **changes: Any) -> Sample:
    fields: dict[str, Any] = {
        "suite": "unix",
        "test": "dhry2reg",
        "subject": subject,
        "copies": 1,
        "block": 0,
        "order": 0,
        "phase": "measure",
        "value": value,
        "unit": "lps",
        "seconds": 1.0,
        "host_seconds": 1.0,
        "at": 1767268900.0,
    }
    return Sample(**{**fields, **changes})


def series(subject: str, values: Sequence[float], **changes: Any) -> list[Sample]:
    """Return one sample a block."""
    return [sample(subject, value, block=block, **changes) for block, value in enumerate(values)]


def web(subject: str, servers: int, rates: Sequence[float], **sums: float) -> list[Sample]:
    """Return samples of the http suite, one a block, with sums as the suite records them."""
    return [
        sample(
            subject,
            rate,
            suite="http",
            test="apache",
            unit="trans/s",
            copies=servers,
            block=block,
            host_seconds=None,
            detail={"servers": [], "sum": siege(transaction_rate=rate, **sums)},
        )
        for block, rate in enumerate(rates)
    ]


def siege(**changes: float) -> dict[str, float]:
    fields = {
        "transactions": 1000.0,
        "availability": 100.0,
        "elapsed_time": 10.0,
        "data_transferred": 5.0,
        "response_time": 0.1,
        "transaction_rate": 100.0,
        "throughput": 0.5,
        "concurrency": 9.9,
        "successful_transactions": 1000.0,
        "failed_transactions": 0.0,
        "longest_transaction": 0.4,
        "shortest_transaction": 0.01,
    }
    return {**fields, **changes}


def run(
    samples: Sequence[Sample],
    *,
    finished: bool = True,
    capped: Sequence[str] = (),
    about: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Run:
    fields: dict[str, Any] = {
        "header": header(**(about or {})),
        "samples": list(samples),
        "efforts": [],
        "failures": [],
        "finish": Finish(at=1767269000.0, capped=list(capped)) if finished else None,
    }
    return Run(**{**fields, **changes})
