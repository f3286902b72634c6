"""Options as getopt_long reads them: long ones may be cut short while they are clear, and stand anywhere."""

import getopt
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from wirt.dialects.vz.codes import Code, Refused

NO_SHORT: Mapping[str, str] = MappingProxyType({})


def read_options(
    arguments: Sequence[str],
    flags: Sequence[str] = (),
    valued: Sequence[str] = (),
    *,
    short: Mapping[str, str] = NO_SHORT,
    code: Code = Code.VALUE,
) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the options by their whole names, in their order, and what else there is.

    Args:
        arguments: the command line.
        flags: the options without a value.
        valued: those with one.
        short: options of one letter, such as "-p", and what they are called.
        code: what an option that cannot be read ends with, of which vzctl has two.

    Raises:
        Refused: there is another option, none of that beginning or more than one, or a value is missing.
    """
    letters = "".join(f"{letter[1]}{':' * (name in valued)}" for letter, name in short.items())
    try:
        given, rest = getopt.gnu_getopt(
            list(arguments), letters, [*flags, *(f"{name}=" for name in valued)]
        )
    except getopt.GetoptError as error:
        raise Refused(code, str(error)) from error
    return [(short.get(name) or name.removeprefix("--"), value) for name, value in given], rest
