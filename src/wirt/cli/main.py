"""The command ``wirt``: finds the subcommand, and turns errors into one line and an exit status."""

import os
from importlib import import_module

import click

from wirt import __version__
from wirt.cli.options import EXEC_FAILED, INTERRUPTED
from wirt.console import output
from wirt.errors import Error, InvalidInput
from wirt.host import files, interrupts

COMMANDS = {
    "autostart": "wirt.cli.autostart:autostart",
    "boot": "wirt.cli.boot:boot",
    "card": "wirt.cli.card:card",
    "checkpoint": "wirt.cli.checkpoint:checkpoint",
    "clone": "wirt.cli.clone:clone",
    "compare": "wirt.cli.compare:compare",
    "console": "wirt.cli.console:console",
    "copy": "wirt.cli.copy:copy",
    "counters": "wirt.cli.counters:counters",
    "create": "wirt.cli.create:create",
    "destroy": "wirt.cli.destroy:destroy",
    "disk": "wirt.cli.disk:disk",
    "doctor": "wirt.cli.doctor:doctor",
    "enter": "wirt.cli.enter:enter",
    "exec": "wirt.cli.execute:execute",
    "export": "wirt.cli.export:export",
    "forward": "wirt.cli.forward:forward",
    "freeze": "wirt.cli.freeze:freeze",
    "import": "wirt.cli.import_guest:import_guest",
    "install": "wirt.cli.install:install",
    "list": "wirt.cli.list_guests:list_guests",
    "migrate": "wirt.cli.migrate:migrate",
    "mount": "wirt.cli.mount:mount",
    "network": "wirt.cli.network:network",
    "node": "wirt.cli.node:node",
    "password": "wirt.cli.password:password",
    "pool": "wirt.cli.pool:pool",
    "quota": "wirt.cli.quota:quota",
    "rename": "wirt.cli.rename:rename",
    "report": "wirt.cli.report:report",
    "restart": "wirt.cli.restart:restart",
    "results": "wirt.cli.results:results",
    "resume": "wirt.cli.resume:resume",
    "run": "wirt.cli.run:run",
    "serve-node": "wirt.cli.serve_node:serve_node",
    "set": "wirt.cli.set_limits:set_limits",
    "show": "wirt.cli.show:show",
    "snapshot": "wirt.cli.snapshot:snapshot",
    "start": "wirt.cli.start:start",
    "stop": "wirt.cli.stop:stop",
    "template": "wirt.cli.template:template",
    "thaw": "wirt.cli.thaw:thaw",
    "undo": "wirt.cli.undo:undo",
    "unmount": "wirt.cli.unmount:unmount",
    "upgrade": "wirt.cli.install:upgrade",
    "wait": "wirt.cli.wait:wait",
}


class LazyGroup(click.Group):
    """A group that imports a subcommand's module only when it is called or its help is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand, or None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wirt")
def wirt() -> None:
    """Run Linux server virtualization of every kind, and measure the kinds against each other."""


def main() -> int:
    """Run the command line and return its exit status."""
    os.umask(0o022)
    interrupts.install()
    try:
        status = wirt.main(prog_name="wirt", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except Error as error:
        output.complain(error)
        return error.exit_code
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        output.complain(_as_ours(error))
        return _usage_status(error)
    except (KeyboardInterrupt, click.Abort):
        output.note("wirt: interrupted")
        return INTERRUPTED
    except SystemExit as end:
        # click's way with a pipe that is broken.
        broken = end.__context__
        if isinstance(broken, OSError) and output.is_unread(broken):
            return output.UNREAD
        raise
    except OSError as error:
        translated = files.translate(error, "go on")
        output.complain(translated)
        return translated.exit_code


def _as_ours(error: click.ClickException) -> InvalidInput:
    """Return what click has to say about a command line in the way of all our errors: one line, with the next step."""
    said = " ".join(error.format_message().split()).rstrip(".")
    said, _, guess = said.partition(" Did you mean ")
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "wirt"
    meant = f"perhaps {guess.rstrip('?')} is meant; " if guess else ""
    return InvalidInput(f"{said[:1].lower()}{said[1:]}", hint=f"{meant}see {path} --help")


def _usage_status(error: click.ClickException) -> int:
    """Return the exit status of a command line that cannot be read; of enter, exec and run, 2 would be the command's own."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None and context.command.name in ("enter", "exec", "run"):
        return EXEC_FAILED
    return error.exit_code
