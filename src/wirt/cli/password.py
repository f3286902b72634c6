"""``wirt password``."""

import sys

import click

from wirt import app
from wirt.console import output
from wirt.ops.password import LONGEST, set_password


@click.command()
@click.argument("name")
@click.option("-u", "--user", default="root", show_default=True, help="Whose password.")
def password(name: str, user: str) -> None:
    """Set a password in the guest NAME; one that is stopped runs meanwhile.

    It is asked for on a terminal, and else is the first line of standard input.
    """
    if sys.stdin.isatty():
        chosen: str = click.prompt("password", hide_input=True, confirmation_prompt="again")
    else:
        chosen = sys.stdin.readline(LONGEST + 2).removesuffix("\n")
    with app.open_context() as context:
        guest = set_password(context, name, user, chosen)
    output.say(f"password of {user} in guest {guest.name} set")
