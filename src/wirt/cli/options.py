"""Options that several commands share, and the types that read them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from wirt.errors import InvalidInput
from wirt.model.guest import Guest
from wirt.model.limits import CHOSEN, Limits
from wirt.model.route import Route, read_route
from wirt.ops.context import Context
from wirt.units import (
    UNBOUNDED,
    parse_bytes,
    parse_cpus,
    parse_rate,
    parse_seconds,
    render_bytes,
)

EXEC_FAILED = 125
"""Exit status of ``exec`` and ``run`` when Wirt itself failed: all below belong to the command, as with env(1)."""


INTERRUPTED = 130
"""Exit status after Ctrl-C, as a shell gives it."""


class BytesType(click.ParamType):
    """A size such as 512M."""

    name = "size"
    otherwise = ""
    """What may be written instead, for the message."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        if isinstance(value, int):
            return value
        try:
            return parse_bytes(value)
        except InvalidInput as error:
            self.fail(f"{error}{self.otherwise}", param, ctx)


class SwitchType(click.ParamType):
    """What is on or off."""

    name = "on|off"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> bool:
        """Return whether it is on."""
        if value not in ("on", "off"):
            self.fail(f"{value!r} is not on or off", param, context)
        return bool(value == "on")


class BoundType(BytesType):
    """A size, or the word for no bound."""

    unbounded = "unlimited"
    otherwise = f", or {unbounded}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes, UNBOUNDED for the word."""
        return UNBOUNDED if value == self.unbounded else super().convert(value, param, ctx)


class CountType(click.ParamType):
    """A number of things, or the word for no bound."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, UNBOUNDED for the word."""
        if isinstance(value, int):
            return value
        if value == BoundType.unbounded:
            return UNBOUNDED
        if not (value.isascii() and value.isdigit()):
            self.fail(f"{value!r} is no number; write one, or {BoundType.unbounded}", param, ctx)
        return int(value)


class SecondsType(click.ParamType):
    """A duration such as 30s."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        try:
            return parse_seconds(value)
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


class CpusType(click.ParamType):
    """Processors by their numbers, such as 0,2-3, or the word for all of them, or for so many that the node chooses."""

    name = "list"
    all = "all"
    auto = "auto"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the numbers; none for all."""
        if isinstance(value, tuple):
            return value
        if value == self.auto:
            return CHOSEN
        try:
            return () if value == self.all else parse_cpus(value)
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


class RateType(click.ParamType):
    """A rate such as 10mbit, or the word for no bound."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bits per second, UNBOUNDED for the word."""
        if isinstance(value, int):
            return value
        try:
            return UNBOUNDED if value == BoundType.unbounded else parse_rate(value)
        except InvalidInput as error:
            self.fail(f"{error}, or {BoundType.unbounded}", param, ctx)


class MtuType(click.ParamType):
    """Bytes of a packet, or the word for those of the network."""

    name = "mtu"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes, 0 for the word."""
        if value == "none":
            return 0
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is not an MTU: write bytes, such as 1400, or none", param, ctx)


class RouteType(click.ParamType):
    """A network and who leads there, such as 192.0.2.0/24=10.64.16.9."""

    name = "network=gateway"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Route:
        """Return the route."""
        try:
            return value if isinstance(value, Route) else read_route(value)
        except InvalidInput as error:
            self.fail(str(error), param, context)


def without_marker(command: tuple[str, ...]) -> list[str]:
    """Return a person's command without the ``--`` that may stand before it.

    Raises:
        InvalidInput: there is nothing else.
    """
    if command == ("--",):
        raise InvalidInput("there is no command after --", hint="say which is to be run")
    return list(command[1:] if command[0] == "--" else command)


Function = TypeVar("Function", bound=Callable[..., Any])

BYTES = BytesType()
SWITCH = SwitchType()
BOUND = BoundType()
COUNT = CountType()
SECONDS = SecondsType()
CPUS = CpusType()
RATE = RateType()
MTU = MtuType()
ROUTE = RouteType()


def definition(function: Function) -> Function:
    """Add the options that define a guest."""
    default = Limits()
    for option in reversed(
        [
            click.option(
                "-t",
                "--template",
                default="debian-12-web",
                show_default=True,
                help="What its root is made from.",
            ),
            click.option(
                "-a",
                "--approach",
                default="lxc",
                show_default=True,
                help="How it is run: chroot, lxc, uml, qemu, kvm, xen or xen-pvh.",
            ),
            click.option("--cpus", type=int, default=default.cpus, show_default=True, help="CPUs."),
            click.option("--memory", type=BYTES, default="512M", show_default=True, help="Memory."),
            click.option("--disk", type=BYTES, default="4G", show_default=True, help="Disk."),
            click.option(
                "--pool", help="Where its root lives; chosen by the approach if left out."
            ),
        ]
    ):
        function = option(function)
    return function


def held(function: Function) -> Function:
    """Add the options that say what the node holds a guest to; each is None if it is not given."""
    for option in reversed(
        [
            click.option(
                "--cpu-weight", type=int, help="What it gets of CPUs that several want: 1 to 10000."
            ),
            click.option(
                "--cpu-guarantee", type=float, help="CPUs' worth of time that it gets at any rate."
            ),
            click.option("--cpu-pin", type=CPUS, help="CPUs to run on: 0,2-3, all, or auto."),
            click.option(
                "--cpu-limit",
                type=float,
                help="CPU time at most, such as 0.5 of a CPU; 0: all CPUs.",
            ),
            click.option(
                "--memory-guarantee", type=BYTES, help="Memory that is taken from it last."
            ),
            click.option(
                "--memory-max", type=BYTES, help="Memory that a machine can get while it runs."
            ),
            click.option("--swap", type=BOUND, help="Swap beside its memory, or unlimited."),
            click.option("--processes", type=int, help="Processes and threads, of a container."),
            click.option("--io-read", type=BOUND, help="Bytes a second from disk, or unlimited."),
            click.option("--io-write", type=BOUND, help="Bytes a second to disk, or unlimited."),
            click.option("--iops-read", type=COUNT, help="Reads a second from disk, or unlimited."),
            click.option("--iops-write", type=COUNT, help="Writes a second to disk, or unlimited."),
            click.option(
                "--io-weight", type=int, help="What it gets of a disk that several want: 1 to 1000."
            ),
            click.option(
                "--disk-inodes", type=COUNT, help="Files and directories on its disk, or unlimited."
            ),
            click.option("--files", type=COUNT, help="Open files of a process, or unlimited."),
            click.option("--terminals", type=int, help="Terminals of a container: 1 to 1024."),
        ]
    ):
        function = option(function)
    return function


def note_unbounded_disk(context: Context, guest: Guest) -> None:
    """Say that nothing holds a guest to its disk, if the person at hand has asked for one and that is so."""
    source = click.get_current_context().get_parameter_source("disk")
    if source is not ParameterSource.COMMANDLINE:
        return
    # Loaded here: most guests have the usual disk.
    from wirt.console import output
    from wirt.ops.observing import probe_disk_bound

    bound = probe_disk_bound(context, guest)
    if not bound.available:
        size, hint = render_bytes(guest.limits.disk), f"; {bound.hint}" if bound.hint else ""
        output.note(
            f"note: nothing holds guest {guest.name} to a disk of {size}: {bound.reason}{hint}"
        )


def note_unbounding_memory(context: Context, guest: Guest) -> None:
    """Say that a guest is held to more memory than there is, if the person at hand has asked for that.

    It is no error: a container's bound may be above what the node has, as no bound at all.
    """
    source = click.get_current_context().get_parameter_source("memory")
    if source is ParameterSource.COMMANDLINE and guest.limits.memory > context.memory:
        # Loaded here: most guests have the usual memory.
        from wirt.console import output

        output.note(
            f"note: nothing holds guest {guest.name} to {render_bytes(guest.limits.memory)} of memory: "
            f"this node has {render_bytes(context.memory)}"
        )


def note_unbounded(context: Context, guest: Guest) -> None:
    """Say of a new guest which of the sizes that were asked for nothing holds it to."""
    note_unbounding_memory(context, guest)
    note_unbounded_disk(context, guest)


def limits_of(cpus: int, memory: int, disk: int, others: Mapping[str, Any]) -> Limits:
    """Return the limits of a new guest: its size, and what of the others was given."""
    given = {limit: value for limit, value in others.items() if value is not None}
    return Limits(cpus=cpus, memory=memory, disk=disk, **given)


def routes(function: Function) -> Function:
    """Add the options that change where a card leads to."""
    add = click.option(
        "--route-add", type=ROUTE, multiple=True, help="Another network and who leads there."
    )
    remove = click.option(
        "--route-remove", multiple=True, help="A network that goes; may be repeated; all: all."
    )
    return add(remove(function))


def described_routes(has: tuple[Route, ...]) -> str:
    """Return where a card leads to."""
    return f"the routes {', '.join(map(str, has))}" if has else "no routes"


def ending(function: Function) -> Function:
    """Add the options that say how a guest is ended."""
    force = click.option("-f", "--force", is_flag=True, help="End it at once.")
    timeout = click.option(
        "--timeout",
        type=SECONDS,
        default="60s",
        show_default=True,
        help="How long its own shutdown may take before it is ended.",
    )
    return force(timeout(function))
