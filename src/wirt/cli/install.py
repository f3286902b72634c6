"""``wirt install`` and ``wirt upgrade``."""

import click

from wirt import app
from wirt.console import output
from wirt.ops.install import install as install_in_guest


@click.command()
@click.argument("guest")
@click.argument("package", nargs=-1, required=True)
def install(guest: str, package: tuple[str, ...]) -> None:
    """Install PACKAGEs in the guest GUEST, fetched by this node's apt.

    The guest needs no network for it. A stopped guest is started for it and stopped again.
    """
    files = _install(guest, package)
    if files:
        output.say(f"guest {guest}: {_count(files)} installed")
    else:
        output.say(f"guest {guest} has all of it already")


@click.command()
@click.argument("guest")
def upgrade(guest: str) -> None:
    """Upgrade the packages that the guest GUEST has.

    Packages are fetched by this node's apt. A stopped guest is started for it and stopped again.
    """
    files = _install(guest, ())
    if files:
        output.say(f"guest {guest}: {_count(files)} upgraded")
    else:
        output.say(f"guest {guest} is up to date")


def _count(files: list[str]) -> str:
    return "1 package" if len(files) == 1 else f"{len(files)} packages"


def _install(guest: str, packages: tuple[str, ...]) -> list[str]:
    home = app.find_home()
    with app.open_context(home) as context:
        return install_in_guest(
            context, app.open_packages(home), guest, packages, progress=output.note
        )
