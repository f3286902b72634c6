"""UnixBench's own report, 4.1.0 and 5.x, read into a run.

A line of the report is what UnixBench made of its passes, so it becomes one sample. Where a file
holds several reports, or a report the same test twice, each further figure of the same test and
copies is a further block.
"""

import calendar
import re
import time
from collections import Counter
from collections.abc import Iterator

from wirt.bench.importers.imported import Origin, build_run
from wirt.bench.sample import Run, Sample
from wirt.bench.workloads import WORKLOADS
from wirt.errors import InvalidInput

_TITLE = re.compile(r"BYTE UNIX Benchmarks \(Version ([\d.]+[^)\s]*)\)")
_SYSTEM = re.compile(r"^\s*System(?: --|:) +(.+?)\s*$", re.MULTILINE)
_BEGUN_4 = re.compile(r"Start Benchmark Run:\s+\w{3}\s+(\w{3}\s+\d+\s+[\d:]{8})\s+\S+\s+(\d{4})")
_BEGUN_5 = re.compile(r"Benchmark Run:\s+\w{3}\s+(\w{3}\s+\d+)\s+(\d{4})\s+([\d:]{8})")
_COPIES = re.compile(r"running (\d+) parallel cop(?:y|ies) of tests")
# Mail programs break the lines before "samples)" and squeeze the columns, so no blank is sure.
_RESULT = re.compile(
    r"^[ \t]*(?P<name>[A-Z0-9]\S*(?: \S+)*?)\s+(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z]+)\s*"
    r"\(\s*(?P<seconds>\d+(?:\.\d+)?)\s+s\w*,\s*(?P<passes>\d+)\s*samples\)",
    re.MULTILINE,
)

_IDS = {
    **{workload.title: test for test, workload in WORKLOADS.items()},
    "Arithoh": "arithoh",
    # 5.x writes these differently from 4.1.0.
    "Arithmetic Test (short)": "short",
    "Arithmetic Test (int)": "int",
    "Arithmetic Test (long)": "long",
    "Arithmetic Test (float)": "float",
    "Arithmetic Test (double)": "double",
    "Recursion Test -- Tower of Hanoi": "hanoi",
    # The reading and writing that 4.1.0 reports beside the copying; 6.0 has these ids for them.
    "File Read 1024 bufsize 2000 maxblocks": "fstime-r",
    "File Read 256 bufsize 500 maxblocks": "fsbuffer-r",
    "File Read 4096 bufsize 8000 maxblocks": "fsdisk-r",
    "File Write 1024 bufsize 2000 maxblocks": "fstime-w",
    "File Write 256 bufsize 500 maxblocks": "fsbuffer-w",
    "File Write 4096 bufsize 8000 maxblocks": "fsdisk-w",
}


def import_unixbench(text: str, origin: Origin) -> Run:
    """Return a run from the text of one or more UnixBench reports.

    Raises:
        InvalidInput: the text is no report of UnixBench, or one without a single result.
    """
    title = _TITLE.search(text)
    if title is None:
        raise InvalidInput(
            "this is not a report of UnixBench",
            hint="give the text report from its results directory, not the HTML page",
        )
    samples = list(_samples(text, origin))
    if not samples:
        raise InvalidInput(
            f"this report of UnixBench {title[1]} has no results",
            hint="give the whole report of a run that came to its end",
        )
    system = _SYSTEM.search(text)
    environment = {
        "imported_from": f"UnixBench {title[1]}",
        **({"system": system[1]} if system else {}),
    }
    started = _started(text)
    return build_run(
        samples,
        origin=origin,
        started=origin.at if started is None else started,
        environment=environment,
    )


def _samples(text: str, origin: Origin) -> Iterator[Sample]:
    seen: Counter[tuple[str, int]] = Counter()
    for order, match in enumerate(_RESULT.finditer(text)):
        test = _IDS.get(match["name"]) or _slug(match["name"])
        copies = _copies_before(text, match.start())
        yield Sample(
            suite="unix",
            test=test,
            subject=origin.subject,
            copies=copies,
            block=seen[test, copies],
            order=order,
            phase="measure",
            value=float(match["value"]),
            unit=match["unit"],
            seconds=float(match["seconds"]),
            host_seconds=None,
            at=origin.at,
            detail={"passes": int(match["passes"]), "name": match["name"]},
        )
        seen[test, copies] += 1


def _copies_before(text: str, position: int) -> int:
    """Return how many copies the section of the report says; 4.1.0 knows only one."""
    found = _COPIES.findall(text, 0, position)
    return int(found[-1]) if found else 1


def _started(text: str) -> float | None:
    """Return when the first run began, taking its clock for UTC: the zone is a bare name."""
    if match := _BEGUN_4.search(text):
        stamp = f"{match[1]} {match[2]}"
    elif match := _BEGUN_5.search(text):
        stamp = f"{match[1]} {match[3]} {match[2]}"
    else:
        return None
    try:
        return float(calendar.timegm(time.strptime(stamp, "%b %d %H:%M:%S %Y")))
    except ValueError:
        return None


def _slug(name: str) -> str:
    """Return an id for a test that Wirt does not have, such as the graphics ones."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
