"""The command line of ``vzubc``, which has options of one hyphen and several letters."""

from collections.abc import Mapping, Sequence

from wirt.errors import InvalidInput

USAGE = """\
Usage: vzubc [option ...] [CTID ...]
       vzubc --proc [--compat=2006] [CTID ...]

  --proc              print what /proc/user_beancounters would hold
  -f, --file FILE     show what FILE, such as a copy of that, holds; - is standard input
  -v, --verbose       show those without a barrier as well
  -q, --quiet         show only what has failed or is near to its barrier:
     -qh RATIO        held nearer than this (0.5)
     -qm RATIO        maxheld nearer than this (0.8)
  -r, --relative      show failures since the last time that was asked
     -rd DIRECTORY    where they are kept
     -rc              forget those that are kept
  -i, --incremental   show how held has changed since the last time that was asked
     -id DIRECTORY    the same as -rd
     -ic              forget what is kept
  -c, --color         in colors
  -w, --watch         again and again, by watch(1):
     -wd              show what changes
     -wt              without a title
     -wn SECONDS      how often"""

_LONG = {
    "w": "watch",
    "q": "quiet",
    "v": "verbose",
    "r": "relative",
    "i": "incremental",
    "c": "color",
    "h": "help",
}
_FLAGS = {
    "--proc": "proc",
    **{f"-{letter}": name for letter, name in _LONG.items()},
    **{f"--{name}": name for name in _LONG.values()},
    **{f"-{name}": name for name in ("wd", "wt", "rc", "ic")},
}
_VALUED = {
    "-f": "file",
    "--file": "file",
    "--compat": "compat",
    "-id": "rd",
    **{f"-{name}": name for name in ("wn", "qh", "qm", "rd")},
}
WATCHING = frozenset({"watch", "wd", "wt", "wn"})
"""Options that have it run again and again."""
_HINT = "see vzubc --help"

Options = Mapping[str, str]


def parse_arguments(arguments: Sequence[str]) -> tuple[Options, list[str]]:
    """Return the options, by their names and with their values, and the containers that are asked for.

    Raises:
        InvalidInput: they cannot be read, or exclude each other.
    """
    options: dict[str, str] = {}
    ctids: list[str] = []
    left = list(arguments)
    while left:
        word = left.pop(0)
        name, is_joined, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in _VALUED:
            if not is_joined and not left:
                raise InvalidInput(f"Error: option {word} requires an argument", hint=_HINT)
            options[_VALUED[name]] = value if is_joined else left.pop(0)
        elif word in _FLAGS:
            options[_FLAGS[word]] = ""
        elif word.startswith("-"):
            raise InvalidInput(f"Unrecognized option: {word}", hint=_HINT)
        else:
            ctids.append(word)
    _check(options)
    return options, ctids


def _check(options: Options) -> None:
    """Refuse what does not go together, in vzubc's words."""
    asked = options.keys()
    if asked & WATCHING and "color" in asked:
        raise InvalidInput("Error: can't use --watch and --color together", hint=_HINT)
    if asked & {"qh", "qm"} and not asked & {"color", "quiet"}:
        raise InvalidInput("Error: -qh and -qm only make sense with --quiet or --color", hint=_HINT)
    if {"quiet", "verbose"} <= asked:
        raise InvalidInput(
            "Error: options --quiet and --verbose can't be used together", hint=_HINT
        )
    shows = asked - WATCHING - {"proc", "compat", "help"}
    if "proc" in asked and shows:
        raise InvalidInput(
            "Error: --proc prints the file as it is, and takes no options that change it",
            hint=_HINT,
        )
    if "wn" in asked:
        _parse_number("-wn", options["wn"])


def parse_ratio(option: str, text: str) -> float:
    """Return a ratio; above 1 it is percent."""
    ratio = _parse_number(option, text)
    return ratio / 100 if ratio > 1 else ratio


def _parse_number(option: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < 1e6:
        raise InvalidInput(f"Error: {text!r} is no number for {option}", hint=_HINT)
    return number
