"""``xm vcpu-list``, ``vcpu-pin``, ``vcpu-set`` and ``sched-credit``: a domain's processors, and its share of the node's."""

from wirt import app
from wirt.console import output
from wirt.dialects.xm import node, watching
from wirt.dialects.xm.call import ANY, Call
from wirt.dialects.xm.definition import read_cpus
from wirt.dialects.xm.domains import PRIVILEGED, Domain, find, is_privileged
from wirt.dialects.xm.domains import list_domains as every_domain
from wirt.dialects.xm.listing import selected
from wirt.dialects.xm.program import WrongUse
from wirt.dialects.xm.realize import cap_of, cap_to_guest, weight_of, weight_to_guest
from wirt.errors import InvalidInput, Unsupported
from wirt.model.guest import Guest
from wirt.ops.context import Context
from wirt.ops.set import SetRequest, set_limits
from wirt.units import render_cpus

_HEAD = f"{'Name':<32} {'ID':>3} {'VCPUs':>5} {'CPU':>5} {'State':>5} {'Time(s)':>9} CPU Affinity"
_CREDIT_HEAD = f"{'Name':<33} {'ID':>2} {'Weight':>6} {'Cap':>4}"


def list_cpus(call: Call) -> int:
    """List the processors of the domains, in a line each. What the node cannot tell of several of one domain is ``-``."""
    _, names = call.read(most=ANY)
    with app.open_context() as context:
        shows_node, domains = selected(context, names)
        output.say(_HEAD)
        if shows_node:
            for cpu, seconds in enumerate(node.cpu_seconds()):
                _say_cpu(PRIVILEGED, 0, cpu, str(cpu), "r--", f"{seconds:.1f}", "any cpu")
        for one in domains:
            if one.number is not None:
                _list_of(context, one)
    return 0


def pin(call: Call) -> int:
    """Bind the processors of a domain to some of the node's: all of the domain's together."""
    _, (name, cpu, cpus) = call.read(least=3)
    _check_unprivileged(name, "processors")
    wanted = read_cpus(cpus)
    with app.open_context() as context:
        domain = find(context, name)
        count = domain.guest.limits.cpus
        if cpu != "all" and not (cpu.isdigit() and int(cpu) < count):
            raise InvalidInput(f"Domain {domain.name} has no VCPU {cpu}", hint=f"it has {count}")
        if cpu != "all" and count > 1:
            raise Unsupported(
                f"VCPU {cpu} of domain {domain.name} cannot be pinned alone: all of a domain's run on the same",
                hint=f"xm vcpu-pin {domain.name} all {cpus}",
            )
        set_limits(context, domain.guest.name, SetRequest(cpu_pin=wanted))
    return 0


def set_count(call: Call) -> int:
    """Give a domain another number of processors, where its machine can."""
    _, (name, count) = call.read(least=2)
    _check_unprivileged(name, "processors")
    if not (count.isdigit() and 0 < int(count) < 10_000):
        raise InvalidInput(f"Invalid argument: {count}", hint="give a number of VCPUs")
    with app.open_context() as context:
        set_limits(context, find(context, name).guest.name, SetRequest(cpus=int(count)))
    return 0


def credit(call: Call) -> int:
    """Show or set the weight and the cap of a domain; without one the weights and caps of all."""
    given, _ = call.read({"domain=": "d", "weight=": "w", "cap=": "c"})
    if "domain" not in given:
        if given:
            raise WrongUse("-w and -c go with -d <Domain>", call.command)
        return _list_credit()
    _check_unprivileged(given["domain"], "weight and cap")
    with app.open_context() as context:
        domain = find(context, given["domain"])
        limits = domain.guest.limits
        if not {"weight", "cap"} & given.keys():
            output.say(str({"cap": cap_of(limits), "weight": weight_of(limits)}))
            return 0
        request = SetRequest(
            cpu_weight=weight_to_guest(_number(given["weight"])) if "weight" in given else None,
            cpu_limit=cap_to_guest(_number(given["cap"]), limits.cpus) if "cap" in given else None,
        )
        set_limits(context, domain.guest.name, request)
    return 0


def _list_credit() -> int:
    with app.open_context() as context:
        running = [one for one in every_domain(context) if one.number is not None]
    output.say(_CREDIT_HEAD)
    for one in running:
        limits = one.guest.limits
        row = f"{one.name:<33} {one.number:>2} {weight_of(limits):>6} {cap_of(limits):>4}"
        output.say(row)
    return 0


def _list_of(context: Context, domain: Domain) -> None:
    seen, count, number = watching.look(context, domain), domain.guest.limits.cpus, domain.number
    assert number is not None
    # Which of the engine's threads is which processor is the engine's affair; of one alone it is clear.
    is_alone = count == 1
    cpu = "-" if seen.last_cpu is None or not is_alone else str(seen.last_cpu)
    state = seen.state[:3] if is_alone or seen.state == "--p---" else "-"
    seconds = f"{seen.cpu_seconds or 0:.1f}" if is_alone else "-"
    for place in range(count):
        _say_cpu(domain.name, number, place, cpu, state, seconds, _affinity(domain.guest))


def _affinity(guest: Guest) -> str:
    return render_cpus(guest.limits.cpu_pin) if guest.limits.cpu_pin else "any cpu"


def _say_cpu(
    name: str, number: int, vcpu: int, cpu: str, state: str, seconds: str, affinity: str
) -> None:
    output.say(f"{name:<32} {number:>3} {vcpu:>5} {cpu:>5} {state:>5}  {seconds:>8} {affinity}")


def _number(text: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise InvalidInput(f"Invalid argument: {text}", hint="give a whole number")
    return int(text)


def _check_unprivileged(name: str, what: str) -> None:
    if is_privileged(name):
        raise Unsupported(f"the {what} of Domain-0 cannot be set: they are the node's")
