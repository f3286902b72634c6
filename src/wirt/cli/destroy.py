"""``wirt destroy``."""

import click

from wirt import app
from wirt.console import output
from wirt.ops.destroy import destroy as destroy_guest


@click.command()
@click.argument("name")
@click.option("-f", "--force", is_flag=True, help="End it first if it runs.")
def destroy(name: str, force: bool) -> None:
    """Delete the guest NAME with all that is in it."""
    with app.open_context() as context:
        guest = destroy_guest(context, name, force=force)
        app.put_configuration_aside(context, guest)
    output.say(f"guest {name} destroyed")
