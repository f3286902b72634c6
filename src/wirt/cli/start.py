"""``wirt start``."""

import click

from wirt import app
from wirt.cli import options
from wirt.console import output
from wirt.model.lifecycle import State
from wirt.ops.guests import observed
from wirt.ops.start import READY_SECONDS
from wirt.ops.start import start as start_guest


@click.command()
@click.argument("name")
@click.option("--no-wait", is_flag=True, help="Return before a command can be run in it.")
@click.option(
    "--timeout",
    type=options.SECONDS,
    default=f"{READY_SECONDS:g}s",
    show_default=True,
    help="How long to wait for that.",
)
@click.option(
    "-c", "--console", is_flag=True, help="Watch on its console how it starts; implies --no-wait."
)
@click.option(
    "--anew", is_flag=True, help="Start it though it is suspended; what it was doing is lost."
)
def start(name: str, no_wait: bool, timeout: float, console: bool, anew: bool) -> None:
    """Start the guest NAME."""
    if console:
        _start_watched(name, anew=anew)
        return
    try:
        with app.open_context() as context:
            guest = start_guest(
                context, name, ready_seconds=None if no_wait else timeout, anew=anew
            )
    except KeyboardInterrupt:
        _say_if_it_runs(name)
        raise
    output.say(f"guest {guest.name} started: {guest.met_at}")


def _say_if_it_runs(name: str) -> None:
    """Tell who has interrupted a start whether that came too late: once the guest runs it is only waited for."""
    with app.open_context() as context:
        guest = observed(context, context.store.find(name))
    if guest.state is State.RUNNING:
        output.note(f"guest {guest.name} runs, and is not waited for any more")


def _start_watched(name: str, *, anew: bool) -> None:
    """Start a guest whose kernel says all that it does, and show that from its first word on."""
    from wirt.cli.console import watch
    from wirt.ops.console import check_console, log_size

    with app.open_context() as context:
        check_console(context, name, keyboard=0)
        begin = log_size(context, name)
        guest = start_guest(context, name, ready_seconds=None, talks=True, anew=anew)
        output.say(f"guest {guest.name} started: {guest.met_at}")
        watch(context, name, begin=begin)
