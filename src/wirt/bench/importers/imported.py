"""The run that imported samples make: a header that claims nothing the other tool did not say."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from wirt.bench.sample import IMPORTED, Finish, Header, Run, Sample, Subject


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What the person who imports says about a foreign output."""

    run: str
    """Id of the run to make."""
    wirt: str
    """This Wirt's version."""
    at: float
    """Unix time to date the run with where the output has no date, seconds."""
    subject: str = "host"
    """The name of what was measured."""


def build_run(
    samples: Sequence[Sample], *, origin: Origin, started: float, environment: Mapping[str, Any]
) -> Run:
    """Return a complete run of ``samples``, all of the origin's subject."""
    blocks = len({sample.block for sample in samples})
    header = Header(
        run=origin.run,
        wirt=origin.wirt,
        profile=IMPORTED,
        seed=0,
        started=started,
        subjects=[Subject(name=origin.subject)],
        suites=sorted({sample.suite for sample in samples}),
        blocks=blocks,
        guests=1,
        template="",
        template_sha256="",
        workloads={},
        compiler={},
        environment=dict(environment),
        unavailable={},
    )
    return Run(
        header=header,
        samples=list(samples),
        efforts=[],
        failures=[],
        finish=Finish(at=started, capped=[]),
    )
