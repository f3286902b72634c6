"""Renders the findings of ``wirt doctor --security`` as plain lines for a terminal of 80 columns."""

import textwrap
from collections.abc import Sequence

from wirt.console.doctor import WIDTH
from wirt.ops.security import Finding, State

_INDENT = 10


def render_security(findings: Sequence[Finding]) -> str:
    """Return each finding with why it matters and what to change, and a last line that sums up."""
    lines: list[str] = []
    for finding in findings:
        lines += _wrapped(f"{finding.name}: {finding.found}", finding.state.value)
        lines += _wrapped(finding.why)
        if finding.change:
            lines += _wrapped(f"-> {finding.change}", hanging=3)
        lines.append("")
    wanted = sum(finding.state is State.CHANGE for finding in findings)
    lines.append(f"{wanted} of {len(findings)} to change" if wanted else "nothing to change")
    return "\n".join(lines)


def _wrapped(text: str, label: str = "", *, hanging: int = 0) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"  {label:<{_INDENT - 2}}",
        subsequent_indent=" " * (_INDENT + hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )
