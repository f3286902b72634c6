"""``vzubc``: the beancounters of running containers, for a person or as OpenVZ's kernel has them in /proc."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from wirt import app
from wirt.console import output
from wirt.dialects.vz import ctid, program
from wirt.dialects.vz.account import bounds_of
from wirt.dialects.vz.beancounters import (
    Bean,
    Group,
    parse_beancounters,
    render_beancounters,
)
from wirt.dialects.vz.fields import Row
from wirt.dialects.vz.ubc import UNLIMITED_2006
from wirt.dialects.vz.ubcoptions import USAGE, WATCHING, Options, parse_arguments, parse_ratio
from wirt.dialects.vz.ubcreport import Before, Style, render_report
from wirt.errors import InvalidInput, NotFound, Unsupported, WrongState
from wirt.host import files, run
from wirt.host.run import STANDARD
from wirt.model.counter import Counter
from wirt.ops.context import Context
from wirt.ops.counters import read_counters
from wirt.ops.guests import observed

_UNCOUNTED = frozenset({"vmguarpages"})
"""What OpenVZ's kernel has a barrier for, and always shows as 0."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status: whatever goes wrong, it is 1."""
    return program.run(_run, arguments, code=lambda error: 1)


def _run(arguments: Sequence[str]) -> int:
    options, ctids = parse_arguments(arguments)
    if "help" in options:
        output.say(USAGE)
        return 0
    is_2006 = program.is_2006(options.get("compat"))
    if options.keys() & WATCHING:
        return _watch(options, arguments)
    groups = _read(options["file"]) if "file" in options else _collect(ctids)
    if ctids and "file" in options:
        groups = [group for group in groups if str(group.ctid) in ctids]
        left = sorted(set(ctids) - {str(group.ctid) for group in groups})
        if left:
            raise NotFound(f"{options['file']} has nothing of container {left[0]}")
    if is_2006:
        groups = [_narrowed(group) for group in groups]
    if "proc" in options:
        output.say(render_beancounters(groups, digits=32 if is_2006 else 64).removesuffix("\n"))
    else:
        _report(groups, options)
    return 0


def _report(groups: Sequence[Group], options: Options) -> None:
    style = Style(
        is_quiet="quiet" in options,
        is_verbose="verbose" in options,
        is_relative="relative" in options,
        is_incremental="incremental" in options,
        is_colored="color" in options,
        **{
            field: parse_ratio(f"-{name}", options[name])
            for name, field in (("qh", "held_ratio"), ("qm", "maxheld_ratio"))
            if name in options
        },
    )
    named = {group.ctid: group.beans for group in groups if group.ctid is not None}
    if (style.is_relative or style.is_incremental) and len(named) < len(groups):
        raise InvalidInput("Error: can not use relative/incremental modes: BCID is unknown")
    directory = options.get("rd") or os.path.join(app.find_home().run, "vzubc")
    failed = _Kept(directory, "failcnt", is_forgotten="rc" in options)
    held = _Kept(directory, "held", is_forgotten="ic" in options)
    report = render_report(groups, style, failed=failed.values, held=held.values)
    if report:
        output.say(report)
    if style.is_relative:
        failed.keep({ctid: {b.name: b.failcnt for b in beans} for ctid, beans in named.items()})
    if style.is_incremental:
        held.keep({ctid: {b.name: b.held for b in beans} for ctid, beans in named.items()})


class _Kept:
    """What was seen the last time, of every container: one file of a directory."""

    def __init__(self, directory: str, name: str, *, is_forgotten: bool) -> None:
        self._path = os.path.join(directory, f"{name}.json")
        self.values: dict[int, Before] = {}
        with files.translated("read what was kept"), suppress(FileNotFoundError):
            if is_forgotten:
                os.unlink(self._path)
            with suppress(msgspec.MsgspecError):  # half written when the node lost its power
                content = Path(self._path).read_bytes()
                self.values = msgspec.json.decode(content, type=dict[int, Before])

    def keep(self, values: Mapping[int, Before]) -> None:
        """Keep other values of some containers."""
        with files.translated("keep what is shown for the next time"):
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            everything = msgspec.json.encode({**self.values, **values})
            files.replace(self._path, everything.decode())


def _collect(ctids: Sequence[str]) -> list[Group]:
    """Return the counters of the containers that run, or of those that are asked for.

    Raises:
        NotFound, WrongState: there is no container that is asked for, or it does not run.
    """
    found = []
    with app.open_context() as context:
        _check_running(context, ctids)
        for guest in context.store.guests():
            row = Row(context, observed(context, guest))
            if ctids and not {str(row.ctid), guest.name} & set(ctids):
                continue
            # A guest that is stopped, or of an approach that cannot count, has no beancounters.
            with suppress(NotFound, WrongState, Unsupported):
                found.append(_group(context, row))
    return sorted(found, key=lambda group: group.ctid or 0)


def _check_running(context: Context, ctids: Sequence[str]) -> None:
    for one in ctids:
        guest = observed(context, ctid.find(context, one))
        if not guest.state.is_up:
            raise WrongState(f"Container {one} is not running", hint="see vzlist -a")


def _group(context: Context, row: Row) -> Group:
    counters = read_counters(context, row.guest.name)
    return Group(ctid=row.ctid, beans=[_bean(counter, row) for counter in counters])


def _bean(counter: Counter, row: Row) -> Bean:
    """Return a counter as a row: what is not known is 0, and what nothing enforces is bounded as its file wants it."""
    bounds = bounds_of(counter, row.pair(counter.name))
    is_counted = counter.name not in _UNCOUNTED
    return Bean(
        name=counter.name,
        held=(counter.held or 0) if is_counted else 0,
        maxheld=(counter.maxheld or 0) if is_counted else 0,
        barrier=bounds.barrier,
        limit=bounds.limit,
        failcnt=counter.failcnt or 0,
    )


def _narrowed(group: Group) -> Group:
    """Return a group as a kernel of 32 bits would have it."""
    beans = [
        Bean(
            name=bean.name,
            held=min(bean.held, UNLIMITED_2006),
            maxheld=min(bean.maxheld, UNLIMITED_2006),
            barrier=min(bean.barrier, UNLIMITED_2006),
            limit=min(bean.limit, UNLIMITED_2006),
            failcnt=min(bean.failcnt, UNLIMITED_2006),
        )
        for bean in group.beans
    ]
    return Group(ctid=group.ctid, beans=beans)


def _read(path: str) -> list[Group]:
    with files.translated(f"read {path}"):
        try:
            text = sys.stdin.read() if path == "-" else Path(path).read_text()
        except UnicodeDecodeError:
            raise InvalidInput(f"{path} is no text") from None
    return parse_beancounters(text, name=path)


def _watch(options: Options, arguments: Sequence[str]) -> int:
    """Let watch(1) run this command again and again, without what asks for that."""
    watching = ["--differences"] * ("wd" in options) + ["--no-title"] * ("wt" in options)
    if "wn" in options:
        watching.append(f"--interval={options['wn']}")
    left, again = list(arguments), []
    while left:
        word = left.pop(0)
        if word == "-wn":
            left.pop(0)
        elif word not in ("-w", "--watch", "-wd", "-wt"):
            again.append(word)
    own = os.path.abspath(sys.argv[0])
    return run.attach(
        ["watch", *watching, "--exec", "--", own, *again],
        streams=STANDARD,
        environment=os.environ,
    )
