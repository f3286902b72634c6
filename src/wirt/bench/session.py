"""``compare``: from a person's wish to a finished run, new or resumed."""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from wirt import __version__
from wirt.approaches.registry import APPROACHES
from wirt.bench.environment import describe_environment
from wirt.bench.plan import PROFILES, build_cells
from wirt.bench.preparation import read_preparation
from wirt.bench.results import RunWriter, find_run, new_run_id, open_resume, run_path
from wirt.bench.runner import Progress, Runner
from wirt.bench.sample import HOST, HOST_AGAIN, Header, Run, Subject
from wirt.bench.subject import Definition, make_subject
from wirt.bench.suites import http
from wirt.bench.workloads import load_manifest
from wirt.errors import InvalidInput, Unsupported
from wirt.host import lock
from wirt.model.capability import Capability
from wirt.model.limits import Limits
from wirt.ops.checks.fitness import judge_template
from wirt.ops.context import Context
from wirt.ops.create import DEFAULT_TEMPLATE
from wirt.ops.secondhome import LOCK
from wirt.units import MIB

MEMORY = 512 * MIB
_MOST_GUESTS = 50


class Interrupted(KeyboardInterrupt):
    """A person or a signal ended a run; its guests are gone, and it can be resumed."""

    def __init__(self, run: str) -> None:
        super().__init__(f"run {run} was interrupted")
        self.run = run


class CompareRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be compared; what is empty or None is chosen."""

    profile: str = "quick"
    approaches: Sequence[str] = ()
    suites: Sequence[str] = ()
    tests: Sequence[str] = ()
    guests: int = 3
    """Web servers in parallel."""
    blocks: int | None = None
    seconds: float | None = None
    seed: int | None = None
    template: str = DEFAULT_TEMPLATE


def compare(
    context: Context,
    request: CompareRequest,
    *,
    bundle: str,
    set_up_times: str,
    show: Callable[[Progress], None],
) -> Run:
    """Measure a new run and return it.

    Args:
        context: the home.
        request: what is to be compared.
        bundle: directory of the built workloads.
        set_up_times: file that says how long setting the node up took (see ``preparation``).
        show: told how far it is.

    Raises:
        InvalidInput, NotFound, Unsupported: it cannot be; nothing was begun.
        Busy: another comparison runs in this home.
    """
    with _alone(context):
        header = _header(context, request, bundle, set_up_times)
        path = run_path(Path(context.home.results), header.run)
        with RunWriter.create(path, header) as writer:
            run = Run(header=header, samples=[], efforts=[], failures=[], finish=None)
            return _measure(context, run, writer, bundle, show)


def resume(context: Context, run_id: str, *, bundle: str, show: Callable[[Progress], None]) -> Run:
    """Go on with a run that was interrupted and return it whole.

    Raises:
        NotFound, WrongState, Corrupt: there is no such run, it is complete, or its file is damaged.
        Unsupported: the workloads or the template are not those it was begun with.
        Busy: another comparison runs in this home.
    """
    with _alone(context):
        run, writer = open_resume(find_run(Path(context.home.results), run_id))
        with writer:
            _check_unchanged(context, run.header, bundle)
            return _measure(context, run, writer, bundle, show)


@contextmanager
def _alone(context: Context) -> Iterator[None]:
    """Let one comparison run at a time: two would measure each other."""
    with lock.hold(context.home.lock(LOCK), "wirt compare", wait=0):
        yield


def _measure(
    context: Context,
    run: Run,
    writer: RunWriter,
    bundle: str,
    show: Callable[[Progress], None],
) -> Run:
    header = run.header
    definition = Definition(
        run=header.run,
        template=header.template,
        limits=Limits(cpus=context.cpus, memory=MEMORY),
        bundle=bundle,
        serves="http" in header.suites,
    )
    runner = Runner(
        writer,
        run,
        make_subject=partial(make_subject, context, definition),
        load=partial(http.load_with_siege, context.home.siege),
        show=show,
    )
    try:
        return runner.measure()
    except KeyboardInterrupt as interrupt:
        raise Interrupted(header.run) from interrupt


def _header(context: Context, request: CompareRequest, bundle: str, set_up_times: str) -> Header:
    profile = PROFILES.get(request.profile)
    if profile is None:
        raise InvalidInput(
            f"there is no profile {request.profile!r}", hint=f"choose one of {', '.join(PROFILES)}"
        )
    if not 1 <= request.guests <= _MOST_GUESTS:
        raise InvalidInput(
            f"{request.guests} guests cannot be loaded in parallel",
            hint=f"ask for 1 to {_MOST_GUESTS}",
        )
    suites = list(request.suites or profile.suites)
    cells = build_cells(
        profile,
        suites=suites,
        tests=request.tests,
        cpus=context.cpus,
        guests=request.guests,
        blocks=request.blocks,
        seconds=request.seconds,
    )
    for name in request.approaches:
        context.approach(name)  # raises for a name that there is not, before anything is probed
    wanted = {name: context.approach(name).probe_capability() for name in request.approaches}
    _check_available(wanted)
    manifest = load_manifest(Path(bundle))
    template = context.templates.get(request.template)
    capabilities = {
        name: wanted.get(name) or context.approach(name).probe_capability() for name in APPROACHES
    }
    usable = {
        name: one
        if not one.available
        else judge_template(template, name, context.approach(name).needs)
        for name, one in capabilities.items()
    }
    approaches = _choose_approaches(request.approaches, usable)
    started = time.time()
    environment = describe_environment(context.home.data, approaches=capabilities.values())
    return Header(
        run=new_run_id(Path(context.home.results), started),
        wirt=__version__,
        profile=profile.name,
        seed=secrets.randbelow(2**31) if request.seed is None else request.seed,
        started=started,
        subjects=[
            Subject(name=HOST),
            Subject(name=HOST_AGAIN),
            *(Subject(name=name, approach=name) for name in approaches),
        ],
        suites=suites,
        blocks=max(cell.most_blocks for cell in cells),
        guests=request.guests,
        template=template.name,
        template_sha256=template.sha256,
        workloads=manifest.files,
        compiler={"version": manifest.compiler.version, "flags": manifest.compiler.flags},
        environment=environment,
        unavailable={name: one.reason for name, one in usable.items() if not one.available},
        planned=cells,
        cpu=max(os.sched_getaffinity(0)),
        prepared=read_preparation(set_up_times, template),
    )


def _choose_approaches(wanted: Sequence[str], found: dict[str, Capability]) -> list[str]:
    """Return the approaches that are asked for, each once, or all that work here.

    Raises:
        Unsupported: one that is asked for does not work here.
    """
    _check_available({name: found[name] for name in wanted})
    return list(dict.fromkeys(wanted)) or [name for name, one in found.items() if one.available]


def _check_available(found: dict[str, Capability]) -> None:
    """Raise ``Unsupported`` for the first approach that does not work here."""
    for name, capability in found.items():
        if not capability.available:
            raise Unsupported(
                f"approach {name} cannot run here: {capability.reason}",
                hint=capability.hint or "see wirt doctor for those that can",
            )


def _check_unchanged(context: Context, header: Header, bundle: str) -> None:
    """Refuse to mix figures of different programs or templates in one run."""
    begin_anew = "begin a new run: wirt compare"
    if load_manifest(Path(bundle)).files != header.workloads:
        raise Unsupported(
            f"the workloads have changed since run {header.run} was begun", hint=begin_anew
        )
    if context.templates.get(header.template).sha256 != header.template_sha256:
        raise Unsupported(
            f"template {header.template} has changed since run {header.run} was begun",
            hint=begin_anew,
        )
