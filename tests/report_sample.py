"""A run like those of a real two-core machine, made up from the ratios that were measured by hand on one."""

import math

import msgspec

from wirt.bench.analysis import Analysis, Clock, Index, NetworkRow, Result, Verdict
from wirt.bench.sample import HOST, HOST_AGAIN, Effort, Failure, Header, Preparation, Subject

SUBJECTS = (HOST, HOST_AGAIN, "chroot", "lxc", "uml", "qemu")
GUESTS = ("chroot", "lxc", "uml", "qemu")
GROUPS = {
    "cpu": ("dhry2reg", "whetstone"),
    "ipc": ("syscall", "pipe", "context1", "spawn", "execl", "shell8"),
    "fs": ("fstime", "fsbuffer", "fsdisk"),
}
HOST_FIGURES = {
    "dhry2reg": (38_123_456.0, "lps"),
    "whetstone": (4211.7, "MWIPS"),
    "syscall": (2_465_754.7, "lps"),
    "pipe": (1_635_960.9, "lps"),
    "context1": (337_333.8, "lps"),
    "spawn": (8238.2, "lps"),
    "execl": (3117.6, "lps"),
    "shell8": (2183.9, "lpm"),
    "fstime": (645_027.2, "KBps"),
    "fsbuffer": (229_505.4, "KBps"),
    "fsdisk": (1_288_742.6, "KBps"),
}
RATIOS = {
    "chroot": (1.001, 0.999, 1.004, 0.998, 0.96, 1.0, 1.002, 1.0, 0.998, 1.001, 0.997),
    "lxc": (1.0, 1.002, 0.97, 0.996, 1.03, 0.99, 1.001, 0.985, 0.991, 1.004, 0.995),
    "uml": (1.01, 0.95, 0.008, 0.02, 0.063, 0.027, 0.071, 0.035, 0.048, 0.031, 0.066),
    "qemu": (0.049, 0.067, 0.29, 0.13, 0.081, 0.067, 0.019, 0.021, 0.16, 0.15, 0.18),
}
"""By guest, in the order of ``HOST_FIGURES``; UML and QEMU as measured by hand."""


def make_analysis() -> Analysis:
    """Return a complete quick run of three blocks."""
    results = []
    for place, (test, (value, unit)) in enumerate(HOST_FIGURES.items()):
        results.append(make_result(test, HOST, value=value, unit=unit))
        for guest in GUESTS:
            ratio = RATIOS[guest][place]
            wide = 0.05 if test == "context1" else 0.008
            results.append(
                make_result(test, guest, value=value * ratio, unit=unit, ratio=ratio, wide=wide)
            )
    web = {
        HOST: (1, 3557.0),
        "chroot": (1, 3540.0),
        "lxc": (1, 3570.0),
        "uml": (1, 171.0),
    }
    rates = [(subject, servers, rate) for subject, (servers, rate) in web.items()]
    rates += [("qemu", 1, 96.2), ("chroot", 3, 3200.0), ("lxc", 3, 3092.0)]
    rates += [("uml", 3, 233.0), ("qemu", 3, 131.0)]
    for subject, servers, rate in rates:
        results.append(
            make_result(
                "apache",
                subject,
                value=rate,
                unit="trans/s",
                ratio=rate / 3557,
                wide=0.012,
                suite="http",
                copies=servers,
            )
        )
    return Analysis(
        header=make_header(),
        results=results,
        indices=make_indices(),
        network=[make_network_row(*entry) for entry in rates],
        noise_floor=[
            make_result("dhry2reg", HOST_AGAIN, value=1.0, unit="lps", ratio=1.004, wide=0.006),
            make_result("context1", HOST_AGAIN, value=1.0, unit="lps", ratio=0.977, wide=0.05),
        ],
        clocks=[
            Clock(subject="lxc", worst=0.0004, stretches=33, passes=34),
            Clock(subject="uml", worst=0.0213, stretches=33, passes=34),
            Clock(subject="qemu", worst=0.0032, stretches=12, passes=34),
        ],
        efforts=make_efforts(),
        failures=[
            Failure(
                subject="qemu",
                block=2,
                test="spawn",
                message="guest cmp-qemu stopped answering after 30 s",
                log="[   42.1] hrtimer: interrupt took 19002311 ns\n[   61.0] rcu: INFO: rcu_sched <stall>",
                at=1_700_000_400.0,
            )
        ],
        warnings=[
            "The node is itself a guest (kvm), so other guests of its host may disturb the figures.",
            "Some figures rest on 3 blocks only, so their intervals are wide or missing.",
        ],
        complete=True,
        harness={"workloads": 301.0, "guests": 104.0, "total": 431.0},
    )


def make_result(
    test: str,
    subject: str,
    *,
    value: float,
    unit: str,
    ratio: float = 1.0,
    wide: float = 0.0,
    suite: str = "unix",
    copies: int = 1,
) -> Result:
    """Return a cell whose interval is ``wide`` (relative) to either side, judged by the rule of the statistics."""
    low, high = ratio * math.exp(-wide), ratio * math.exp(wide)
    verdict = Verdict.UNCLEAR
    if subject == HOST:
        verdict = Verdict.BASELINE
    elif not low <= 1 <= high and abs(ratio - 1) > 0.02:
        verdict = Verdict.DIFFERENT
    elif low >= 0.98 and high <= 1.02:
        verdict = Verdict.SAME
    return Result(
        suite=suite,
        test=test,
        subject=subject,
        copies=copies,
        value=value,
        unit=unit,
        n=3,
        host_value=value / ratio,
        ratio=ratio,
        ci_low=low,
        ci_high=high,
        index=10 * ratio,
        verdict=verdict,
        spread=0.011,
        capped=test == "context1" and subject == "lxc",
    )


def make_indices() -> list[Index]:
    """Return the indices with the host = 10 by group, and UnixBench 5's."""
    places = {test: place for place, test in enumerate(HOST_FIGURES)}
    groups = {"all": tuple(HOST_FIGURES), **GROUPS}
    indices = []
    for subject in (HOST, *GUESTS):
        for group, members in groups.items():
            logs = [
                0.0 if subject == HOST else math.log(RATIOS[subject][places[test]])
                for test in members
            ]
            value = 10 * math.exp(sum(logs) / len(logs))
            indices.append(
                Index(
                    rule="host=10",
                    label="geometric mean of guest / host over the tests of the UnixBench index",
                    group=group,
                    subject=subject,
                    copies=1,
                    value=value,
                    ci_low=value * 0.99,
                    ci_high=value * 1.01,
                    members=list(members),
                    n=3,
                    missing=[],
                )
            )
        indices.append(
            Index(
                rule="unixbench-5",
                label="UnixBench 5.1 and later: 12 items, the worst third of the passes discarded, George = 10",
                group="all",
                subject=subject,
                copies=1,
                value=136.28 * value,
                ci_low=None,
                ci_high=None,
                members=list(HOST_FIGURES),
                n=3,
                missing=["shell1"],
            )
        )
    return indices


def make_network_row(subject: str, servers: int, rate: float) -> NetworkRow:
    """Return a column of table 3.1 for servers that answer ``rate`` requests a second in all for ten seconds."""
    return NetworkRow(
        subject=subject,
        servers=servers,
        transactions=rate * 10,
        data_mb=rate * 10 * 0.00012,
        response_seconds=10 * servers * servers / rate,
        rate=rate,
        throughput_mb=rate * 0.00012,
        concurrency=9.7 * servers,
        availability=100.0,
        elapsed_seconds=10.0,
        successful=rate * 10,
        failed=0.0,
        longest_seconds=0.12 * servers,
        shortest_seconds=0.0,
        n=3,
    )


def make_efforts() -> list[Effort]:
    """Return the steps of setting up, done in three blocks."""
    steps = {
        HOST: (("unpack the template", 1.9),),
        "chroot": (("clone the root", 0.02), ("mount proc and sys", 0.004)),
        "lxc": (
            ("clone the root", 0.02),
            ("connect to the bridge", 0.05),
            ("start", 0.34),
        ),
        "uml": (
            ("make the copy-on-write disk", 0.03),
            ("boot", 9.4),
            ("agent answers", 0.2),
        ),
        "qemu": (
            ("make the copy-on-write disk", 0.05),
            ("boot", 8.1),
            ("agent answers", 0.3),
        ),
    }
    return [
        Effort(subject=subject, step=step, seconds=seconds, block=block)
        for block in range(3)
        for subject, done in steps.items()
        for step, seconds in done
    ]


def make_header() -> Header:
    """Return the header of the run."""
    return Header(
        run="20240501-1015-quick",
        wirt="0.1.0",
        profile="quick",
        seed=42,
        started=1_700_000_000.0,
        subjects=[
            Subject(name=name, approach=name if name in GUESTS else None) for name in SUBJECTS
        ],
        suites=["unix", "http"],
        blocks=3,
        guests=3,
        template="debian-12-web",
        template_sha256="5f" * 32,
        workloads={"dhry2reg": "ab" * 32},
        compiler={"version": "gcc 12.2.0", "flags": "-O2 -static"},
        prepared=[
            Preparation(step="packages", seconds=83.0),
            Preparation(step="venv", seconds=41.5),
            Preparation(step="workloads", seconds=9.0),
            Preparation(step="template", seconds=112.0),
        ],
        environment={
            "cpu": {
                "model": "Example CPU 2.5 GHz",
                "count": 2,
                "governor": None,
                "turbo": None,
            },
            "kernel": "6.1.0",
            "mitigations": ["retbleed: mitigated", "spectre_v2: Retpolines"],
            "load_before": 0.05,
            "node_is_guest": "kvm",
            "approaches": {
                "chroot": {"available": True, "reason": ""},
                "lxc": {"available": True, "reason": "unprivileged, idmapped root"},
                "uml": {"available": True, "reason": ""},
                "qemu": {"available": True, "reason": ""},
                "kvm": {
                    "available": False,
                    "reason": "/dev/kvm opens and makes a vCPU, but a stock kernel does not start under it",
                },
                "xen": {
                    "available": False,
                    "reason": "this host does not run under Xen",
                },
            },
        },
        unavailable={"kvm": "a stock kernel does not start under it"},
    )


def replace(analysis: Analysis, **changes: object) -> Analysis:
    """Return ``analysis`` with some fields changed."""
    return msgspec.structs.replace(analysis, **changes)
