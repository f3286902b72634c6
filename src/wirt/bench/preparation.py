"""What was set up once, before any guest could be made: the steps of ``scripts/set-up`` and the template, with their times.

``scripts/set-up`` adds a line "STEP SECONDS" to a file whenever it has done a step. What a person set up by hand nobody has
timed, and it is left out.
"""

import math

from wirt.bench.sample import Preparation
from wirt.model.template import Template

PACKAGES, PROGRAMS, WORKLOADS, TEMPLATE = "packages", "venv", "workloads", "template"
_OF_APPROACH = "packages-"
"""What the step begins with that installs the packages of one approach."""
_APPROACHES = ("lxc", "qemu", "uml")
_OF_KVM = "qemu"
"""Whose packages ``kvm`` needs."""
_INSTALLING = (PACKAGES, *(_OF_APPROACH + name for name in _APPROACHES))
_BEFORE = (*_INSTALLING, PROGRAMS, WORKLOADS)
"""Steps in their order. The template's time is kept with the template: there may be several."""


def is_of(step: str, approach: str | None) -> bool:
    """Return whether a step is taken for an approach alone; with None, whether it is taken for all of them."""
    if approach is None:
        return not step.startswith(_OF_APPROACH)
    return step == _OF_APPROACH + (_OF_KVM if approach == "kvm" else approach)


def read_preparation(path: str, template: Template) -> list[Preparation]:
    """Return the steps that were timed, in their order.

    Args:
        path: the file of ``scripts/set-up``; it need not exist.
        template: what guests are made from.
    """
    times: dict[str, list[float]] = {}
    for step, seconds in _read(path):
        times.setdefault(step, []).append(seconds)
    # Packages that a later version asks for are installed beside those before; the other steps begin from nothing.
    found = {
        step: math.fsum(times[step]) if step in _INSTALLING else times[step][-1]
        for step in _BEFORE
        if step in times
    }
    if template.build_seconds > 0:
        found[TEMPLATE] = template.build_seconds
    return [Preparation(step=step, seconds=seconds) for step, seconds in found.items()]


def _read(path: str) -> list[tuple[str, float]]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            lines = [line.split() for line in file]
    except OSError:
        return []
    found = []
    for words in lines:
        try:
            step, seconds = words[0], float(words[1])
        except (IndexError, ValueError):
            continue
        if math.isfinite(seconds) and seconds >= 0:
            found.append((step, seconds))
    return found
