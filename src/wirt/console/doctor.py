"""Renders what ``wirt doctor`` found as plain lines for a terminal of 80 columns."""

import textwrap
from collections.abc import Iterable

from wirt.host.facts import Cpu, Memory, Node
from wirt.host.virtualization import Virtualization
from wirt.model.capability import Capability, no
from wirt.ops.doctor import Diagnosis
from wirt.units import render_bytes

WIDTH = 80
_NAME_WIDTH = 10
_HARDWARE = {"vmx": "VT-x", "svm": "SVM"}


def render_doctor(diagnosis: Diagnosis) -> str:
    """Return the whole answer: the node, each approach, pool and network, and what to install."""
    sections = [
        _section("Node", _node(diagnosis.node)),
        _section("Approaches", _answers(diagnosis.approaches)),
        *(
            _section(f"Limits of {names}", _answers(answers))
            for names, answers in _limits(diagnosis)
        ),
        _section("Checkpoints", _answers(diagnosis.checkpoints)),
        _section("Checkpoints of what has changed", _answers(diagnosis.tracking)),
        _section("Further disks that grow in a running guest", _answers(diagnosis.growing_disks)),
        _section("Pools", _answers(diagnosis.pools)),
        _section("Quotas of users of containers", _answers(diagnosis.user_quotas)),
        _section("Network", _answers(diagnosis.networks)),
        _section("Programs", _programs(diagnosis)),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _limits(diagnosis: Diagnosis) -> list[tuple[str, list[Capability]]]:
    """Return what guests can be held to, and of which approaches; those of which it is the same are named together."""
    found: list[tuple[str, list[Capability]]] = []
    for approach, answers in diagnosis.limits.items():
        if found and found[-1][1] == answers:
            found[-1] = (f"{found[-1][0]}, {approach}", answers)
        else:
            found.append((approach, answers))
    return found


def _section(title: str, lines: Iterable[str]) -> str:
    body = "\n".join(lines)
    return f"{title}\n{body}" if body else ""


def _node(node: Node) -> list[str]:
    facts = [
        ("guest of", _guest_of(node.virtualization)),
        ("processor", _cpu(node.cpu)),
        ("memory", _memory(node.memory)),
        ("kernel", node.kernel.release),
        ("system", node.distribution or "unknown"),
        ("cgroups", _cgroups(node)),
        ("/dev/kvm", _kvm(node.kvm_device)),
        ("rights", _rights(node)),
    ]
    return [line for name, text in facts for line in _entry(name, text)]


def _guest_of(below: Virtualization) -> str:
    if below.guest_of is None:
        return "nothing, the machine is its own"
    return f"{below.guest_of}; root may learn which kind" if below.closed else below.guest_of


def _cpu(cpu: Cpu) -> str:
    hardware = _HARDWARE.get(cpu.virtualization or "")
    parts = [
        f"{cpu.count} x {cpu.model or 'unknown model'}",
        f"with {hardware}" if hardware else "neither VT-x nor SVM",
        f"governor {cpu.governor}" if cpu.governor else None,
    ]
    return ", ".join(part for part in parts if part)


def _memory(memory: Memory) -> str:
    total = "unknown size" if memory.total is None else render_bytes(memory.total)
    if memory.swap is None:
        return total
    return f"{total}, {render_bytes(memory.swap)} swap" if memory.swap else f"{total}, no swap"


def _cgroups(node: Node) -> str:
    if node.cgroups.mode is None:
        return "not mounted"
    return f"{node.cgroups.mode}: {' '.join(node.cgroups.controllers) or 'no controllers'}"


def _kvm(device: str | None) -> str:
    if device is None:
        return "missing"
    if device == "usable":
        return "opens, which alone proves nothing: see the approach kvm"
    return f"does not open: {device}"


def _rights(node: Node) -> str:
    if not node.is_root:
        return "not root: making guests, and some answers below, need root"
    if node.missing_capabilities:
        return f"root without {', '.join(f'CAP_{n.upper()}' for n in node.missing_capabilities)}"
    return "root"


def _answers(answers: Iterable[Capability]) -> list[str]:
    lines = []
    told = _told(list(answers))
    width = max([_NAME_WIDTH, *(len(answer.name) for answer in told)])
    for answer in told:
        said = "yes" if answer.available else "no "
        lines += _entry(answer.name, f"{said}  {answer.reason}", hanging=5, width=width)
        if answer.hint and not answer.available:
            lines += _entry("", f"     -> {answer.hint}", hanging=8, width=width)
    return lines


def _told(answers: list[Capability]) -> list[Capability]:
    """Return the answers, those that are no for one and the same reason put together at the end."""
    alike: dict[tuple[str, str | None], list[Capability]] = {}
    for answer in answers:
        if not answer.available:
            alike.setdefault((answer.reason, answer.hint), []).append(answer)
    several = [group for group in alike.values() if len(group) > 1]
    together = {answer.name for group in several for answer in group}
    return [answer for answer in answers if answer.name not in together] + [
        no("the rest", f"{', '.join(one.name for one in group)}: {group[0].reason}", group[0].hint)
        for group in several
    ]


def _programs(diagnosis: Diagnosis) -> list[str]:
    missing = [program for program in diagnosis.programs if program.path is None]
    if not missing:
        return _entry("all there", f"{len(diagnosis.programs)} programs of the node are installed")
    lines = []
    for program in missing:
        lines += _entry("missing", f"{program.name} ({program.package}), for {program.purpose}")
    return lines + _entry("install", f"apt-get install {' '.join(diagnosis.missing_packages)}")


def _entry(name: str, text: str, hanging: int = 0, width: int = _NAME_WIDTH) -> list[str]:
    """Return one named line, its text wrapped below itself."""
    start = f"  {name:<{width}} "
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * (len(start) + hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )
