"""What a run records: one header, then one line for each thing that happened, in the order it happened.

The file is the truth of a measurement: statistics, comparison, report and recommendation are pure functions of it. It is
``results/RUN/run.jsonl``: JSON lines, appended and synced one at a time, so that a run killed at any instant loses at
most the line being written.
"""

from typing import Any

import msgspec

FORMAT_VERSION = 2
"""2: a line at the end of each block, and what was prepared before the run."""

HOST = "host"
HOST_AGAIN = "host-again"
"""The second host series: host against host is the noise floor (A/A run)."""
IMPORTED = "imported"
"""The profile of a run that another program measured."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Where workloads run: the host (``approach`` is None) or a guest of an approach."""

    name: str
    approach: str | None = None


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One test at one number of copies, and how long and often it is run in every subject."""

    suite: str
    test: str
    copies: int
    """Copies at once; in the http suite servers in parallel."""
    seconds: float
    """Length of a measured pass."""
    warmup_seconds: float
    """Length of the pass before it that counts for nothing; 0 for none."""
    blocks: int
    """Blocks it takes part in at least."""
    most_blocks: int
    """Blocks it takes part in at most, while its interval is wider than ``target``."""
    target: float | None = None
    """Half-width of the 95 % interval of guest/host at which it has had enough."""


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """A step of setting the node up that is done once for all subjects, and the seconds it took when it was done."""

    step: str
    seconds: float


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="kind"):
    """The first line: what was to be measured, with what, on what."""

    format: int = FORMAT_VERSION
    run: str
    wirt: str
    profile: str
    seed: int
    started: float
    """Unix time, seconds."""
    subjects: list[Subject]
    suites: list[str]
    blocks: int
    """Blocks planned; with an adaptive profile the most that it may take."""
    guests: int
    """Guests in parallel in the http suite (N)."""
    template: str
    template_sha256: str
    workloads: dict[str, str]
    """Program -> SHA-256 of the binary that every subject ran."""
    compiler: dict[str, str]
    """``version`` and ``flags`` the workloads were built with."""
    environment: dict[str, Any]
    """Facts of the node (see ``bench/environment.py``); keys are stable, values are JSON."""
    unavailable: dict[str, str]
    """Approach -> reason why it was left out."""
    planned: list[Planned] = []
    """What is measured: a resumed run goes on with the same. Empty in a run that was imported."""
    cpu: int | None = None
    """The processor that single copies were bound to."""
    prepared: list[Preparation] = []
    """What was set up once, before any guest could be made, as far as it was timed."""

    @property
    def is_imported(self) -> bool:
        """True if another program measured it: then nothing goes on with it."""
        return self.profile == IMPORTED


class Sample(msgspec.Struct, frozen=True, kw_only=True, tag="sample", tag_field="kind"):
    """One figure of one pass.

    ``value`` is the test's own figure in ``unit`` and more is better (lps, MWIPS, KBps, lpm, trans/s). With several
    copies it is the sum over the copies. Warm-up passes are kept with ``phase="warmup"`` and used by nobody.
    """

    suite: str
    test: str
    subject: str
    copies: int
    """Copies run at once; in the http suite the number of servers loaded in parallel."""
    block: int
    order: int
    """Position in the whole run, counted from 0."""
    phase: str
    """"warmup" or "measure"."""
    value: float
    unit: str
    seconds: float
    """Duration of the pass by the subject's own clock; mean over the copies."""
    host_seconds: float | None
    """Duration of the same pass by the host's clock, None if it could not be taken."""
    at: float
    """Unix time at its end, seconds."""
    detail: dict[str, Any] = {}
    """The program's other figures: ``counts`` (one a copy), ``timebase``, and ``clock``, what the subject's clock and the
    host's said when it was run; Siege's fields by their own names, per guest and in sum."""


class Effort(msgspec.Struct, frozen=True, kw_only=True, tag="effort", tag_field="kind"):
    """What setting up cost: one step a person would do, and the seconds it took."""

    subject: str
    step: str
    seconds: float
    block: int = 0


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag="failure", tag_field="kind"):
    """A subject or one of its passes that failed; the others go on."""

    subject: str
    block: int
    test: str | None
    message: str
    log: str | None
    """The end of the guest's log, for the report."""
    at: float


class Meanwhile(msgspec.Struct, frozen=True, kw_only=True):
    """How the node was while a block was measured; None: it does not say."""

    others_percent: float | None = None
    """Share of all processors' time that other processes used in the moment before the block."""
    cpu_seconds: float | None = None
    """Time of all processors."""
    stolen_seconds: float | None = None
    """How much of it the layer below took away."""
    throttled: int | None = None
    """How often the CPU quota of the cgroup that the command ran in made it wait."""
    throttled_seconds: float | None = None
    overheated: int | None = None
    """How often processors slowed down because they were hot."""
    temperature_c: float | None = None
    """At the end of the block."""
    mhz: float | None = None
    """Mean over the processors at the end of the block."""


class BlockEnd(msgspec.Struct, frozen=True, kw_only=True, tag="block-end", tag_field="kind"):
    """What a block took; also one that was interrupted, unless the command was killed in it."""

    block: int
    command: float
    """Unix time at which the command that measured it began: a run that is resumed has several."""
    harness: dict[str, float]
    """Seconds by what they were spent on.

    ``workloads``: inside the programs, as they and Siege themselves say, warm-up passes too; ``guests``: making, starting
    and destroying guests; ``total``: since the block before. What is left over is Wirt's own: getting a program into a
    guest and its output back, and what a program does before and after its pass.
    """
    node: Meanwhile


class Finish(msgspec.Struct, frozen=True, kw_only=True, tag="finish", tag_field="kind"):
    """The last line of a run that came to its end; without it the run was interrupted."""

    at: float
    capped: list[str]
    """``suite/test/subject/copies`` of the cells that hit the cap before their interval was small enough."""
    harness: dict[str, float] = {}
    """As of ``BlockEnd``, in files of format 1, which has none: by the last command alone."""
    steal_percent: float | None = None
    """CPU time that the layer below the node took away, percent; in files of format 1, by the last command."""


Record = Header | Sample | Effort | Failure | BlockEnd | Finish


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A whole results file, read back."""

    header: Header
    samples: list[Sample]
    efforts: list[Effort]
    failures: list[Failure]
    finish: Finish | None
    ends: list[BlockEnd] = []
