"""``xm top``: the domains and what they use, again and again."""

import sys
import time
from contextlib import suppress

from wirt import app
from wirt.console import output
from wirt.dialects.xm import node, watching
from wirt.dialects.xm.call import Call
from wirt.dialects.xm.domains import list_domains

_SECONDS = 3.0
_CLEAR = "\x1b[H\x1b[2J"
_HEAD = f"{'NAME':>12} {'STATE':>6} {'CPU(sec)':>10} {'CPU(%)':>6} {'MEM(k)':>10} {'MEM(%)':>6} {'VCPUS':>5}"


def top(call: Call) -> int:
    """Show them every three seconds until Ctrl-C; once, if nobody looks at a terminal."""
    call.read()
    before: dict[str, float] = {}
    is_seen = sys.stdout.isatty()
    with suppress(KeyboardInterrupt):
        while True:
            text, before = _render(before)
            output.say(f"{_CLEAR}{text}" if is_seen else text)
            if not is_seen:
                break
            time.sleep(_SECONDS)
    return 0


def _render(before: dict[str, float]) -> tuple[str, dict[str, float]]:
    """Return the table, and the CPU seconds for the next one."""
    total = node.memory() << 10
    cpus = node.cpu_seconds()
    rows = [("Domain-0", "-----r", sum(cpus), total, len(cpus))]
    with app.open_context() as context:
        for one in list_domains(context):
            if one.number is not None:
                seen = watching.look(context, one)
                used = seen.cpu_seconds or 0.0
                memory = one.guest.limits.memory >> 10
                rows.append((one.name, seen.state, used, memory, one.guest.limits.cpus))
    lines = [_HEAD]
    for name, state, used, memory, count in rows:
        percent = 100 * (used - before.get(name, used)) / _SECONDS
        lines.append(
            f"{name:>12.12} {state:>6} {used:>10.0f} {percent:>6.1f} {memory:>10} "
            f"{100 * memory / total:>6.1f} {count:>5}"
        )
    return "\n".join(lines), {name: used for name, _, used, _, _ in rows}
