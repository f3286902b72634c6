"""Takes the ratios of the speed and memory budgets side by side and prints them as a Markdown table.

Run by hand, as root, on a machine that does nothing else:

    .venv/bin/python bench/ratios.py --template debian-12-web --output build/ratios.json

The rows beside UnixBench's own programs need a copy of UnixBench 5.1.3, which is not part of Wirt: --unixbench DIR. Of the
two budgets that say what a guest makes of a workload, the rows are 'container-*' and 'unixbench-*-lxc' (uml, qemu).

Every pair is saved as it is taken; ``--render FILE`` prints the table of a saved file again. A row whose peer is not
installed says so. A row that fails says why, and the others go on; the exit status is then 1.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from agreement import ROWS as AGREEMENT_ROWS
from inside import ROWS as INSIDE_ROWS
from machines import ROWS as MACHINE_ROWS
from moving import ROWS as MOVING_ROWS
from ours import Wirt
from peers import PeerMissingError
from rows import ROWS as SPEED_ROWS
from rows import Bench, Row
from timing import summarise, take_pairs

from wirt.bench import compare, results
from wirt.bench.environment import describe_environment
from wirt.bench.spending import harness_of
from wirt.errors import Error

ROWS = (*SPEED_ROWS, *MOVING_ROWS, *MACHINE_ROWS, *INSIDE_ROWS, *AGREEMENT_ROWS)
HEAD = (
    "| what | peer | ours, median | peer, median | ratio | 95 % of the paired ratio | pairs | budget | |",
    "| --- | --- | ---: | ---: | ---: | --- | ---: | ---: | --- |",
)


class Record:
    """The raw samples, on disk after every pair."""

    def __init__(self, path: Path, template: str) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.data: dict[str, Any] = {
            "date": time.strftime("%Y-%m-%d"),
            "template": template,
            "environment": describe_environment(str(path.parent)),
            "rows": {},
            "results": None,
        }

    def begin(self, row: Row) -> None:
        """Open a row."""
        self.data["rows"][row.key] = {"unit": row.unit, "samples": [], "problem": None}

    def keep(self, row: Row, ours: float, peer: float) -> None:
        """Add a pair."""
        self.data["rows"][row.key]["samples"].append([ours, peer])
        self.save()

    def fail(self, row: Row, problem: str) -> None:
        """Say why a row has no more pairs."""
        self.data["rows"][row.key]["problem"] = problem
        self.save()

    def save(self) -> None:
        """Write the file as a whole, so that it can be read at any instant."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self.data, indent=1) + "\n")
        fresh.replace(self._path)


def main() -> int:
    """Take the rows that were asked for and print the table."""
    options = _options()
    if options.render:
        print(render(json.loads(options.render.read_text())))
        return 0
    if os.geteuid() != 0:
        sys.exit("bench/ratios.py makes guests; run it as root")
    record = Record(options.output, options.template)
    home = options.home or Path(tempfile.mkdtemp(prefix="wirt-bench-"))
    # An unprivileged container's root is nobody here and must reach its files.
    home.chmod(0o755)
    try:
        bench = Bench(wirt=Wirt(home), template=options.template, unixbench=options.unixbench)
        if options.template not in bench.wirt.templates():
            _say(f"building the template {options.template}")
            bench.wirt.call("template", "build", options.template)
        for row in ROWS:
            if not options.rows or any(fnmatchcase(row.key, one) for one in options.rows):
                _take(record, bench, row, options.pairs or row.pairs)
    finally:
        if options.home is None:
            shutil.rmtree(home)
    if options.results:
        record.data["results"] = from_results(options.results)
    record.save()
    print(render(record.data))
    failed = [r for r in record.data["rows"].values() if r["problem"] and not r.get("missing")]
    return 1 if failed else 0


def from_results(path: Path) -> dict[str, Any]:
    """Return what a run of ``wirt compare`` says of two budgets: containers against the host, and overhead."""
    run = results.read_run(path)
    containers = {s.name for s in run.header.subjects if s.approach == "lxc"}
    cells = [
        {"test": r.test, "copies": r.copies, "ratio": r.ratio, "low": r.ci_low, "high": r.ci_high}
        for r in compare.analyse(run).results
        if r.subject in containers and r.ratio is not None
    ]
    return {
        "run": run.header.run,
        "profile": run.header.profile,
        "containers": cells,
        "harness": harness_of(run),
    }


def render(data: dict[str, Any]) -> str:
    """Return the table of saved samples; a pure function of the file."""
    environment = data["environment"]
    cpu, below = environment["cpu"], environment["node_is_guest"]
    lines = [
        f"{data['date']}, {cpu['count']} x {cpu['model']}, Linux {environment['kernel']}, "
        f"{environment['distribution']}{f', guest of {below}' if below else ''}; "
        f"template {data['template']}.",
        "",
        *HEAD,
    ]
    lines += [_line(row, data["rows"][row.key]) for row in ROWS if row.key in data["rows"]]
    if data["results"]:
        lines += _result_lines(data["results"])
    return "\n".join(lines)


def _line(row: Row, taken: dict[str, Any]) -> str:
    if not taken["samples"]:
        return f"| {row.what} | {row.peer} | | | | | 0 | {row.budget} | {taken['problem']} |"
    summary = summarise(taken["samples"])
    interval = "" if summary.low is None else f"{summary.low:.2f} - {summary.high:.2f}"
    verdict = row.verdict(summary)
    if taken["problem"]:
        verdict += f", then: {taken['problem']}"
    ours, peer = (_value(value, row.unit) for value in (summary.ours, summary.peer))
    return (
        f"| {row.what} | {row.peer} | {ours} | {peer} | {summary.ratio:.2f} | {interval} "
        f"| {len(taken['samples'])} | {row.budget} | {verdict} |"
    )


def _result_lines(found: dict[str, Any]) -> list[str]:
    lines = []
    source = f"run {found['run']} ({found['profile']})"
    cells = found["containers"]
    if cells:
        worst = max(cells, key=lambda cell: abs(cell["ratio"] - 1))
        inside = [cell for cell in cells if 0.98 <= cell["ratio"] <= 1.02]
        interval = "" if worst["low"] is None else f"{worst['low']:.2f} - {worst['high']:.2f}"
        verdict = "met" if len(inside) == len(cells) else "**missed**"
        lines.append(
            f"| workload inside a container: {len(inside)} of {len(cells)} tests within, worst "
            f"{worst['test']} | same binary on the host, {source} | | | {worst['ratio']:.3f} "
            f"| {interval} | | 0.98 - 1.02 | {verdict} |"
        )
    harness = found["harness"]
    if harness.get("workloads"):
        ratio = harness["total"] / harness["workloads"]
        verdict = "met" if ratio <= 1.1 else "**missed**"
        lines.append(
            f"| whole `wirt compare`, {source}; guests' start and stop {harness['guests']:.0f} s of it "
            f"| seconds inside workloads | {harness['total']:.0f} s | {harness['workloads']:.0f} s "
            f"| {ratio:.2f} | | 1 | <= 1.1 x | {verdict} |"
        )
    return lines


def _value(value: float, unit: str) -> str:
    if unit == "of host":
        return f"{value:.3f}"
    if unit != "s":
        return f"{value:.1f} {unit}" if value < 1000 else f"{value:,.0f} {unit}"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _take(record: Record, bench: Bench, row: Row, pairs: int) -> None:
    _say(f"{row.key}: {pairs} pairs")
    record.begin(row)
    try:
        with row.open(bench) as pair:
            take_pairs(pair, pairs, lambda ours, peer: record.keep(row, ours, peer))
    except PeerMissingError as missing:
        record.data["rows"][row.key]["missing"] = True
        record.fail(row, str(missing))
    except (RuntimeError, OSError, Error) as error:
        record.fail(row, f"failed: {error}".replace("\n", " ").replace("|", "/"))
    _say(_line(row, record.data["rows"][row.key]))


def _pattern(text: str) -> str:
    """Return what rows are to be called.

    Raises:
        argparse.ArgumentTypeError: none is.
    """
    if not any(fnmatchcase(row.key, text) for row in ROWS):
        keys = ", ".join(row.key for row in ROWS)
        raise argparse.ArgumentTypeError(f"no row is called {text}; there are {keys}")
    return text


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--template", default="debian-12-web")
    parser.add_argument(
        "--home", type=Path, help="directory that keeps the templates; a temporary one if left out"
    )
    parser.add_argument(
        "--rows",
        nargs="*",
        type=_pattern,
        default=[],
        metavar="ROW",
        help="these alone; may have *, as in 'container-*'",
    )
    parser.add_argument("--pairs", type=int, help="for every row; its own number if left out")
    parser.add_argument(
        "--unixbench",
        type=Path,
        metavar="DIR",
        help="a copy of UnixBench 5.1.3, for the rows beside its programs",
    )
    parser.add_argument("--results", type=Path, help="run.jsonl of a wirt compare")
    parser.add_argument("--output", type=Path, default=Path("build/ratios.json"))
    parser.add_argument("--render", type=Path, help="print the table of a saved file, and end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
