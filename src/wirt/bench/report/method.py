"""What was measured how, in words: when, by which rules, with which programs, and where the time went."""

from collections.abc import Mapping
from datetime import UTC, datetime

from wirt.bench import lifecycle
from wirt.bench.analysis import Analysis
from wirt.bench.report.wording import count, join_words
from wirt.units import render_seconds


def name_time(moment: float) -> str:
    """Return a Unix time in seconds as "1 May 2024, 10:15 UTC"."""
    when = datetime.fromtimestamp(moment, UTC)
    return f"{when.day} {when:%B %Y, %H:%M} UTC"


def describe_method(analysis: Analysis) -> list[str]:
    """Return how the figures came about, one paragraph a line."""
    header = analysis.header
    if header.is_imported:
        return _describe_import(analysis)
    done = max((result.n for result in analysis.results), default=0)
    planned = "at most " if done < header.blocks else ""
    compiler = header.compiler.get("version", "compiler unknown")
    template = "none"
    if header.template:
        template = f"{header.template} (SHA-256 {header.template_sha256[:16]}...)"
    lines = [
        (
            f"Profile {header.profile}, {'suites' if len(header.suites) > 1 else 'suite'} "
            f"{join_words(header.suites)}, {count(done, 'block')} measured "
            f"({planned}{header.blocks} planned), seed {header.seed}, template {template}."
        ),
        (
            "In each block every guest was started afresh and every subject ran the tests planned "
            "for it, in an order drawn at random from the seed. Before each pass that counts went "
            "one that does not, as warm-up. Single copies ran on the same CPU everywhere."
        ),
        (
            "A guest's figure is divided by the host's figure of the same block, so that a drift "
            "of the machine (heat, neighbours) hits both. The ratio shown is the geometric mean "
            "over the blocks."
        ),
        (
            "The 95 % interval would hold the true ratio in 95 of 100 such runs. Different: the "
            "interval excludes 100 % and the ratio is more than 2 % off. Not different: the whole "
            "interval lies between 98 and 102 %. Cannot tell: neither; more blocks would say."
        ),
        (
            "The host's working files lay in a root made like a container's, so that the file tests "
            "compare approaches and not the cost of a copy-on-write root."
        ),
        (
            f"Every subject ran the same static programs, compiled once: {compiler}, flags "
            f"{header.compiler.get('flags') or 'not recorded'}."
        ),
    ]
    if "http" in header.suites:
        lines.append(
            "Web serving: Apache with the same page on the bare host and in each guest, loaded by "
            f"Siege on the host, with one server and with {header.guests} in parallel; the bare "
            "host's one server is what both are measured against."
        )
    if lifecycle.SUITE in header.suites:
        lines.append(
            "The life of a guest: in each block one more guest of every approach was made, started, stopped, cloned where "
            "its approach can, and destroyed. Its verbs wait until they are done, as on the command line; start "
            "returns with the first process, and the line after it says when a command can be run. Where a guest can go live, "
            "one more goes to a second home on the node, in a network of its own; its downtime is how long it did not "
            "answer there nor here, asked every 2 ms from the bridges."
        )
    if total := analysis.harness.get("total"):
        lines.append(_describe_time(analysis.harness, total, analysis.commands))
    return lines


def _describe_import(analysis: Analysis) -> list[str]:
    """Say of a run that another program made what its output says, and no more."""
    header = analysis.header
    source = header.environment.get("imported_from", "another program")
    return [
        f"Wirt did not measure this: it read the figures from the output of {source}. How many passes were run, in "
        "which order and on what machine is known only as far as that output says it.",
        "With the host alone there is nothing to compare: its own figures are the 100 %, and an index with the host = 10 "
        "says nothing. UnixBench's own indices are worked out anew from the figures, by UnixBench's rules.",
    ]


def _describe_time(spent: Mapping[str, float], total: float, commands: int) -> str:
    names = {"workloads": "in the workloads", "guests": "starting and stopping guests"}
    parts = [
        f"{render_seconds(seconds)} ({100 * seconds / total:.0f} %) {names.get(name, name)}"
        for name, seconds in spent.items()
        if name != "total"
    ]
    times = f" in {commands} commands, for it was resumed" if commands > 1 else ""
    return (
        f"The run took {render_seconds(total)}{times}: {', '.join(parts)}, the rest in Wirt itself."
    )
