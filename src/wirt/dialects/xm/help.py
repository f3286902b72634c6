"""``xm help``."""

from wirt.console import output
from wirt.dialects.xm.call import Call
from wirt.dialects.xm.main import resolve
from wirt.dialects.xm.usage import render_help, render_usage


def help_command(call: Call) -> int:
    """Tell what there is, or how one subcommand is used."""
    _, rest = call.read(most=1)
    output.say(render_usage(resolve(rest[0])) if rest else render_help())
    return 0
