"""What a subcommand of xm is given, and how it reads its options."""

import getopt
from collections.abc import Mapping, Sequence

import msgspec

from wirt.dialects.xm.program import WrongUse


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One command line of xm."""

    command: str
    arguments: tuple[str, ...]

    def read(
        self,
        options: Mapping[str, str] | None = None,
        *,
        least: int = 0,
        most: int | None = None,
    ) -> tuple[dict[str, str], list[str]]:
        """Return the options by their long names, the last of each, and the arguments.

        Args:
            options: long name -> letter, nothing if it has none; ``=`` behind the name: it takes a value.
            least: how many arguments there must be.
            most: how many there may be; None: as ``least``.

        Raises:
            WrongUse: there are other options, or more or fewer arguments.
        """
        wanted = options or {}
        letters = "".join(
            f"{letter}{':' * long.endswith('=')}" for long, letter in wanted.items() if letter
        )
        names = {f"-{letter}": long.rstrip("=") for long, letter in wanted.items() if letter}
        try:
            given, rest = getopt.gnu_getopt(list(self.arguments), letters, list(wanted))
        except getopt.GetoptError as error:
            raise WrongUse(str(error), self.command) from None
        self._check_count(rest, least, least if most is None else most)
        return {names.get(name, name.removeprefix("--")): value for name, value in given}, rest

    def _check_count(self, rest: Sequence[str], least: int, most: int) -> None:
        if least <= len(rest) <= most:
            return
        if least == most:
            wanted = f"{least} argument{'' if least == 1 else 's'}"
        elif most == ANY:
            wanted = f"at least {least} argument{'' if least == 1 else 's'}"
        else:
            wanted = f"between {least} and {most} arguments"
        raise WrongUse(f"'xm {self.command}' requires {wanted}!", self.command)


ANY = 10_000
"""As many arguments as anybody gives."""
