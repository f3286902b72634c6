"""Numbers, names and lists as a person reads them; every format of the report speaks with these words."""

import math
from collections.abc import Sequence

GROUPS = {
    "cpu": "CPU",
    "ipc": "Inter-process communication",
    "fs": "File system",
}
"""The groups of the source's figures 3.2 to 3.4, in its order."""

_TESTS = {
    "dhry2reg": "Dhrystone 2: integers and strings",
    "whetstone": "Whetstone: floating point",
    "arithoh": "Arithmetic: empty loop",
    "short": "Arithmetic: short",
    "int": "Arithmetic: int",
    "long": "Arithmetic: long",
    "float": "Arithmetic: float",
    "double": "Arithmetic: double",
    "syscall": "System calls",
    "pipe": "Pipe throughput",
    "context1": "Context switching through pipes",
    "spawn": "Process creation",
    "execl": "Program start (execl)",
    "fsbuffer": "File copy, 256-byte buffers",
    "fstime": "File copy, 1 KiB buffers",
    "fsdisk": "File copy, 4 KiB buffers",
    "shell1": "Shell script",
    "shell8": "Shell scripts, 8 at once",
    "shell16": "Shell scripts, 16 at once",
    "C": "C compiler",
    "dc": "Square root of 2 (dc)",
    "hanoi": "Tower of Hanoi",
}


def name_test(test: str) -> str:
    """Return what ``test`` measures, or its name where it is not one of UnixBench's."""
    return _TESTS.get(test, test)


def join_words(words: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """Return "1 block", "3 blocks"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def round_percent(ratio: float) -> str:
    """Return a ratio as percent for a sentence: "95 %", "5.7 %", "0.81 %"."""
    return f"{_round(100 * ratio)} %"


def about_percent(ratio: float) -> str:
    """Return a ratio as percent where "about" stands before it: "95 %", "6 %", "1.4 %", "0.81 %"."""
    return f"{100 * ratio:,.0f} %" if ratio >= 0.0195 else round_percent(ratio)


def percent(ratio: float) -> str:
    """Return a ratio as percent for a table, without the sign: "95.2", "5.71", "0.81"."""
    if ratio >= 0.1:
        return f"{100 * ratio:,.1f}"
    return f"{100 * ratio:.2f}" if ratio >= 0.01 else _round(100 * ratio)


def interval(low: float | None, high: float | None, blocks: int) -> str:
    """Return the interval of a ratio in percent, "94.1-96.3", or why there is none."""
    return name_few(blocks) if low is None or high is None else f"{percent(low)}-{percent(high)}"


def name_few(blocks: int) -> str:
    """Return what stands in place of an interval: how few blocks there were."""
    return {1: "one block", 2: "two blocks"}.get(blocks, "-")


def index(value: float) -> str:
    """Return an index for a figure: "10.4", "9.5", "0.49", "0.081"."""
    return f"{value:.1f}" if value >= 1 else _round(value)


def fine_index(value: float) -> str:
    """Return an index for a table: "1,362.8", "10.4", "9.52", "0.493"."""
    if value >= 9.995:
        return f"{value:,.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:#.3g}"


def figure(value: float) -> str:
    """Return a measured value with four significant digits and thousands separated: "38,120,000", "0.0213"."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = 3 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    return f"{rounded:,.{max(0, min(digits, 6))}f}"


def _round(value: float) -> str:
    if value >= 9.95:
        return f"{value:,.0f}"
    if value >= 1:
        return f"{value:.1f}"
    return f"{value:#.2g}" if value >= 0.001 or value == 0 else f"{value:.0e}"
