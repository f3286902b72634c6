"""What a subcommand of vzctl is given, and how it reads its options."""

from collections.abc import Mapping, Sequence

import msgspec

from wirt.console import output
from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.options import NO_SHORT, read_options
from wirt.dialects.vz.words import Words


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One command line of vzctl, behind its flags."""

    verb: str
    ctid: str
    arguments: tuple[str, ...]
    words: Words
    is_quiet: bool = False

    def tell(self, text: str) -> None:
        """Say what goes on, unless nobody wants to hear it."""
        if not self.is_quiet:
            output.say(text)

    def options(
        self,
        flags: Sequence[str] = (),
        valued: Sequence[str] = (),
        *,
        short: Mapping[str, str] = NO_SHORT,
        code: Code = Code.VALUE,
    ) -> list[tuple[str, str]]:
        """Return the options of the command line, by their whole names, in their order.

        Raises:
            Refused: they cannot be read, or there is something else.
        """
        found, rest = read_options(self.arguments, flags, valued, short=short, code=code)
        if rest:
            raise Refused(Code.SYNTAX, f"non-option ARGV-elements: {' '.join(rest)}")
        return found

    def no_options(self) -> None:
        """Check that there is nothing behind the container.

        Raises:
            Refused: there is something.
        """
        if self.arguments:
            raise Refused(Code.SYNTAX, f"Invalid options: {' '.join(self.arguments)}")
