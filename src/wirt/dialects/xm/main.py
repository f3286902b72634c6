"""``xm``: finds the subcommand, by its name, an old one or the beginning of one, and gives it what stands behind it."""

from collections.abc import Callable, Sequence
from importlib import import_module

from wirt.console import output
from wirt.dialects.xm import program
from wirt.dialects.xm.call import Call
from wirt.dialects.xm.program import WrongUse
from wirt.dialects.xm.usage import ALIASES, COMMANDS, ELSEWHERE, render_help, render_usage
from wirt.errors import InvalidInput, Unsupported

_SHORTEST = 2
"""Letters of a subcommand that is cut short."""

Subcommand = Callable[[Call], int]


class _Unknown(InvalidInput):
    """There is no such subcommand, or more than one that begins so."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status."""
    return program.run(_run, arguments)


def resolve(word: str) -> str:
    """Return the subcommand that a word means.

    Raises:
        InvalidInput: none, or more than one.
        Unsupported: one of another Xen, which cannot be done.
    """
    if word in COMMANDS:
        return word
    if word in ALIASES:
        output.note(f"Command {word} is deprecated.  Please use xm {ALIASES[word]} instead.")
        return ALIASES[word]
    if word in ELSEWHERE:
        why, hint = ELSEWHERE[word]
        raise Unsupported(f"{word} cannot be done: {why}", hint=hint)
    found = [name for name in COMMANDS if name.startswith(word) and len(word) >= _SHORTEST]
    if len(found) == 1:
        return found[0]
    if found:
        raise _Unknown(f"Sub Command {word} is not clear", hint=f"it is one of {', '.join(found)}")
    raise _Unknown(f"Sub Command {word} not found!")


def find_command(name: str) -> Subcommand:
    """Return the function of a subcommand, whose module is only now imported."""
    module, _, function = COMMANDS[name].target.partition(":")
    command: Subcommand = getattr(import_module(module), function)
    return command


def _run(arguments: list[str]) -> int:
    if not arguments:
        output.note(render_help())
        return program.FAILED
    if arguments[0] in ("-h", "--help"):
        output.say(render_help())
        return 0
    try:
        name = resolve(arguments[0])
    except _Unknown as error:
        program.complain(error)
        output.note("Use xm help for what there is.")
        return program.FAILED
    rest = arguments[1:]
    if {"-h", "--help"} & set(rest):
        output.say(render_usage(name))
        return 0
    try:
        return find_command(name)(Call(command=name, arguments=tuple(rest)))
    except WrongUse as error:
        program.complain(error)
        output.note(render_usage(error.command))
        return program.FAILED
