"""``xm list``, ``domid``, ``domname`` and ``uptime``: the domains, the node itself first."""

import time
from collections.abc import Sequence

from wirt import app
from wirt.console import output
from wirt.dialects.xm import node, sxp, watching
from wirt.dialects.xm.call import ANY, Call
from wirt.dialects.xm.definition import Definition, define, to_sxp
from wirt.dialects.xm.domains import (
    PRIVILEGED,
    Domain,
    find,
    is_privileged,
)
from wirt.dialects.xm.domains import list_domains as every_domain
from wirt.dialects.xm.program import NoDomain, WrongUse
from wirt.errors import InvalidInput, Unsupported
from wirt.model.lifecycle import State
from wirt.ops.context import Context

_HEAD = f"{'Name':<40} {'ID':>3} {'Mem(MiB)':>8} {'VCPUs':>5} {'State':>5} {'Time(s)':>9}"
_UPTIME_HEAD = f"{'Name':<32} {'ID':>3} Uptime"
_STATES = ("running", "paused", "halted", "all")
_DAY = 86_400


def list_domains(call: Call) -> int:
    """List the node and the domains that run, or those that are named; ``--state=halted`` those that have ended."""
    given, names = call.read({"long": "l", "label": "", "state=": ""}, most=ANY)
    if "label" in given:
        raise Unsupported("labels cannot be shown: there is no access control module")
    state = given.get("state", "all" if names else "")
    if state and state not in _STATES:
        raise WrongUse(f"there is no state {state}", call.command)
    with app.open_context() as context:
        shows_node, domains = selected(context, names)
        domains = [one for one in domains if _is_in(one, state)]
        if "long" in given:
            _say_long(context, domains, shows_node=shows_node and state in ("", "all", "running"))
            return 0
        output.say(_HEAD)
        if shows_node and state in ("", "all", "running"):
            seconds = node.cpu_seconds()
            output.say(_row(PRIVILEGED, 0, node.memory(), len(seconds), "r-----", sum(seconds)))
        for one in domains:
            seen = watching.look(context, one)
            cpus, number = one.guest.limits.cpus, one.number
            output.say(_row(one.name, number, one.memory, cpus, seen.state, seen.cpu_seconds or 0))
    return 0


def domid(call: Call) -> int:
    """Say the id of a domain."""
    _, names = call.read(least=1)
    if is_privileged(names[0]):
        output.say("0")
        return 0
    with app.open_context() as context:
        output.say(str(find(context, names[0]).number))
    return 0


def domname(call: Call) -> int:
    """Say the name of a domain."""
    _, numbers = call.read(least=1)
    if not numbers[0].isdigit():
        raise InvalidInput(f"Invalid argument: {numbers[0]}", hint="give a domain's id")
    if is_privileged(numbers[0]):
        output.say(PRIVILEGED)
        return 0
    with app.open_context() as context:
        found = [one for one in every_domain(context) if str(one.number) == numbers[0]]
    if not found:
        raise NoDomain(numbers[0])
    output.say(found[0].name)
    return 0


def uptime(call: Call) -> int:
    """Say since when domains run; with ``-s`` in one line each, as uptime does."""
    given, names = call.read({"short": "s"}, most=ANY)
    is_short = "short" in given
    with app.open_context() as context:
        shows_node, domains = selected(context, names)
        running = [one for one in domains if one.number is not None]
        rows = [(PRIVILEGED, 0, node.uptime())] if shows_node else []
        rows += [(one.name, one.number or 0, watching.uptime(one)) for one in running]
    if not is_short:
        output.say(_UPTIME_HEAD)
    render = _short_uptime if is_short else _uptime
    for name, number, seconds in rows:
        output.say(render(name, number, seconds))
    return 0


def selected(context: Context, names: Sequence[str]) -> tuple[bool, list[Domain]]:
    """Return whether the node is one of those that are named, and the others; without names all of them.

    Raises:
        NoDomain: one of them is not there.
    """
    if not names:
        return True, every_domain(context)
    domains = every_domain(context)
    found = []
    for name in names:
        if not is_privileged(name):
            matching = [one for one in domains if name in (one.name, str(one.number))]
            if not matching:
                raise NoDomain(name)
            found.append(matching[0])
    return any(is_privileged(name) for name in names), found


def definition_of(domain: Domain) -> Definition:
    """Return a domain's definition; that of a guest that was made otherwise from what it is."""
    guest = domain.guest
    kept = {} if domain.definition is None else domain.definition.values
    boot = guest.kernel_boot
    return define(
        {
            "template": guest.template,
            **({"kernel": boot.kernel, "extra": boot.arguments} if boot is not None else {}),
            "builder": "hvm" if guest.approach in ("qemu", "kvm") else "linux",
            "vif": [f"mac={guest.mac}"],
            **kept,
            "name": domain.name,
            "memory": domain.memory,
            "maxmem": max(guest.limits.memory, guest.limits.memory_max) >> 20,
            "vcpus": guest.limits.cpus,
        },
        name=domain.name,
    )


def _is_in(domain: Domain, state: str) -> bool:
    runs = domain.number is not None
    match state:
        case "all":
            return True
        case "halted":
            return not runs
        case "paused":
            return domain.guest.state is State.FROZEN
        case _:
            return runs


def _row(name: str, number: int | None, memory: int, cpus: int, state: str, seconds: float) -> str:
    shown = "" if number is None else number
    return f"{name:<40} {shown:>3} {memory:>8} {cpus:>5} {state:>5} {seconds:>8.1f}"


def _say_long(context: Context, domains: Sequence[Domain], *, shows_node: bool) -> None:
    if shows_node:
        seconds = node.cpu_seconds()
        output.say(
            sxp.render(
                [
                    "domain",
                    ["domid", 0],
                    ["name", PRIVILEGED],
                    ["memory", node.memory()],
                    ["vcpus", len(seconds)],
                    ["state", "r-----"],
                    ["cpu_time", f"{sum(seconds):.3f}"],
                    ["online_vcpus", len(seconds)],
                ]
            )
        )
    for one in domains:
        seen = watching.look(context, one)
        number: list[sxp.Written] = [] if one.number is None else [["domid", one.number]]
        head: list[sxp.Written] = ["domain", *number]
        tail: list[sxp.Written] = [
            ["state", seen.state],
            ["cpu_time", f"{seen.cpu_seconds or 0:.3f}"],
            ["up_time", f"{watching.uptime(one):.3f}"],
            ["online_vcpus", one.guest.limits.cpus],
        ]
        output.say(sxp.render([*to_sxp(definition_of(one), head=head), *tail]))


def _uptime(name: str, number: int, seconds: float) -> str:
    return f"{name:<32} {number:>3} {_span(seconds, with_seconds=True)}"


def _short_uptime(name: str, number: int, seconds: float) -> str:
    now = time.strftime("%H:%M:%S")
    return f" {now} up {_span(seconds, with_seconds=False)}, {name} ({number})"


def _span(seconds: float, *, with_seconds: bool) -> str:
    days, rest = divmod(int(seconds), _DAY)
    said = f"{days} day{'' if days == 1 else 's'}, " if days else ""
    clock = f"{rest // 3600:2d}:{rest // 60 % 60:02d}"
    return f"{said}{clock}:{rest % 60:02d}" if with_seconds else f"{said}{clock}"
