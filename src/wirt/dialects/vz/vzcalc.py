"""``vzcalc``: what part of the node one container uses, is promised, and may use at most."""

from collections.abc import Sequence

from wirt import app
from wirt.console import output
from wirt.dialects.vz import conf, ctid, program
from wirt.dialects.vz.account import Account, read_account
from wirt.dialects.vz.capacity import Node, is_endless, percents_of, shares_of
from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.node import probe_capacity, probe_threads
from wirt.dialects.vz.options import read_options
from wirt.errors import InvalidInput
from wirt.ops.guests import observed

USAGE = "Usage: vzcalc [-v] <CTID>"
_LINE = "-" * 44


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status."""
    return program.run(_run, arguments, code=lambda error: 1)


def _run(arguments: list[str]) -> int:
    options, rest = read_options(arguments, ["v", "help"], short={"-v": "v", "-h": "help"})
    given = dict(options)
    if "help" in given:
        output.say(USAGE)
        return Code.OK
    if len(rest) != 1:
        raise InvalidInput("give one CT ID", hint=USAGE)
    with app.open_context() as context:
        try:
            guest = observed(context, ctid.find(context, rest[0]))
        except Refused as error:
            if error.exit_code == Code.VALUE:
                raise InvalidInput(f"Invalid CT ID: {rest[0]}") from None
            path = conf.path_of(context.home, int(rest[0]))
            raise InvalidInput(f"Container configuration file: {path} not found") from None
        config = conf.read_config(context.home, ctid.ctid_of(guest))
        account = read_account(context, guest, config)
    is_running = guest.state.is_up
    output.say(
        render(
            account,
            probe_capacity(),
            threads=probe_threads(),
            is_running=is_running,
            is_long="v" in given,
        )
    )
    return Code.OK


def render(
    account: Account, node: Node, *, threads: int | None, is_running: bool, is_long: bool
) -> str:
    """Return the table of what a container uses and is promised of a node, whose kernel has so many threads at most."""
    of = percents_of(shares_of(account, node), node)
    processes = account["numproc"]

    def of_threads(count: int | None) -> float | None:
        if count is None or not threads or is_endless(count):
            return None
        return 100 * count / threads

    memory: dict[str, tuple[float | None, float | None, float | None]] = {
        "Low Mem": (of["low_util"], of["low_commit"], of["low_commit"]),
        "Total RAM": (of["ram_util"], None, None),
        "Mem + Swap": (of["all_util"], of["all_commit"], None),
        "Alloc. Mem": (of["alloc_util"], of["alloc_commit"], of["alloc_limit"]),
    }
    most = [
        max(v for v in column if v is not None) for column in zip(*memory.values(), strict=True)
    ]
    rows = {
        **memory,
        "Num. Proc": (of_threads(processes.held), None, of_threads(processes.barrier)),
    }
    lines = ["Resource     Current(%)  Promised(%)  Max(%)"]
    if is_long:
        lines += [_row(name, values, is_running=is_running) for name, values in rows.items()]
        lines.append(_LINE)
    lines.append(_row("Memory", most, is_running=is_running))
    return "\n".join(lines)


def _row(name: str, values: Sequence[float | None], *, is_running: bool) -> str:
    """Return a row; what a container that does not run uses now is not asked."""
    current, *others = values
    cells = [current if is_running else None, *others]
    return f"{name:<11}" + " ".join(
        f"{'n/a':>10}" if value is None else f"{value:10.2f}" for value in cells
    )
