"""``vzyum``: packages into a container, by the package manager that it has.

``install`` and ``update`` are done with the node's apt in a container of Debian's family; what else yum could do is done in
the container itself.
"""

from collections.abc import Sequence

from wirt import app
from wirt.console import output
from wirt.dialects.vz import ctid, program
from wirt.dialects.vz.codes import Code
from wirt.errors import InvalidInput
from wirt.ops.install import install

USAGE = "Usage: vzyum <CTID|name> [-y] install <package> ... | update [<package> ...] | upgrade"
_QUIET = frozenset({"-y", "--assumeyes", "-q", "--quiet"})
"""What a person tells yum that nobody has to be told here: nothing is asked."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status."""
    return program.run(_run, arguments, code=lambda error: 1)


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        output.say(USAGE)
        return Code.OK if arguments else 1
    wanted, packages = _read(arguments[1:])
    home = app.find_home()
    with app.open_context(home) as context:
        guest = ctid.find(context, arguments[0])
        files = install(
            context, app.open_packages(home), guest.name, packages, progress=output.note
        )
    output.say(f"{wanted}: {len(files)} package(s)" if files else "Nothing to do")
    return Code.OK


def _read(words: list[str]) -> tuple[str, list[str]]:
    """Return what has become of the packages, and which they are; none for all that can be upgraded."""
    rest = [word for word in words if word not in _QUIET]
    verb, *packages = rest or [""]
    if any(word.startswith("-") for word in rest):
        option = next(word for word in rest if word.startswith("-"))
        raise InvalidInput(f"{option} cannot be done: nothing here does it", hint=USAGE)
    match verb:
        case "install" if packages:
            return "Installed", packages
        case "update" | "upgrade":
            return "Updated", packages
        case "install" | "":
            raise InvalidInput("say which packages", hint=USAGE)
        case _:
            raise InvalidInput(
                f"{verb} cannot be done from the node",
                hint="do it in the container, with its own package manager: vzctl exec",
            )
