"""``vzcfgvalidate``: whether a container's configuration file is consistent, and on demand made so."""

import getopt
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from wirt.console import output
from wirt.dialects.vz import program
from wirt.dialects.vz.configfile import ConfigFile, parse_config, render_config
from wirt.dialects.vz.ubc import (
    PARAMETERS,
    UNLIMITED,
    UNLIMITED_2006,
    Pair,
    parse_kibibytes,
    parse_pair,
)
from wirt.dialects.vz.validation import Finding, Rules, Severity, find, repair
from wirt.errors import Error, InvalidInput
from wirt.host import facts, files, interrupts

USAGE = "Usage: vzcfgvalidate [-r|-i] [-v yes|no] [--compat=2006] <configfile>"
CONSISTENT, NOT_EXECUTED, NOT_CONSISTENT, INTERRUPTED = 0, 1, 2, 130
ALIASES = {"DCACHE": "dcachesize", "IPTENTRIES": "numiptent"}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    path: str
    repairs: bool = False
    asks: bool = False
    is_vswap: bool | None = None
    is_2006: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status."""
    interrupts.install()
    try:
        options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
        if options is None:
            output.say(USAGE)
            return CONSISTENT
        return _validate(options)
    except Error as error:
        output.note(f"vzcfgvalidate: {error}")
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and output.is_unread(error):
            return output.UNREAD
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        output.note(f"vzcfgvalidate: cannot read or write the configuration file: {why}")
    except (KeyboardInterrupt, click.Abort):
        output.note("vzcfgvalidate: interrupted")
        return INTERRUPTED
    return NOT_EXECUTED


def parse_arguments(arguments: Sequence[str]) -> Options | None:
    """Return what the arguments ask for, None if that is the usage.

    Raises:
        InvalidInput: they cannot be read.
    """
    try:
        given, rest = getopt.gnu_getopt(list(arguments), "riv:h", ["compat=", "help"])
    except getopt.GetoptError as error:
        raise InvalidInput(str(error), hint=USAGE) from error
    flags = dict(given)
    if "-h" in flags or "--help" in flags:
        return None
    if len(rest) != 1 or {"-r", "-i"} <= set(flags):
        raise InvalidInput("give one configuration file, and -r or -i at most", hint=USAGE)
    if flags.get("-v", "yes") not in ("yes", "no"):
        raise InvalidInput(f"-v takes yes or no, not {flags['-v']!r}", hint=USAGE)
    return Options(
        path=rest[0],
        repairs="-r" in flags,
        asks="-i" in flags,
        is_vswap=flags["-v"] == "yes" if "-v" in flags else None,
        is_2006=program.is_2006(flags.get("--compat")),
    )


def _validate(options: Options) -> int:
    # Read as bytes, so that line ends stay what they are.
    config = parse_config(Path(options.path).read_bytes().decode(), name=options.path)
    unlimited = UNLIMITED_2006 if options.is_2006 else UNLIMITED
    memory = facts.probe_node().memory
    rules = Rules(
        unlimited=unlimited, is_vswap=options.is_vswap, memory=memory.total, swap=memory.swap
    )
    values = _read_values(config, unlimited)
    if options.repairs or options.asks:
        mended, found = repair(values, rules, _ask if options.asks else _tell)
        _save(
            options.path,
            config,
            {name: mended[name] for name in mended if mended[name] != values[name]},
        )
    else:
        found = find(values, rules)
    for finding in found:
        output.note(str(finding))
    if any(finding.severity is not Severity.RECOMMENDATION for finding in found):
        return NOT_CONSISTENT
    output.say("Validation completed: success")
    return CONSISTENT


def _read_values(config: ConfigFile, unlimited: int) -> dict[str, Pair]:
    """Return the values that the rules are about; those of the disk only where its quota is on."""
    values: dict[str, Pair] = {}
    for key in config.names():
        name, text = ALIASES.get(key, key.lower()), config.get(key) or ""
        if key in ALIASES or (key.isupper() and name in PARAMETERS):
            values[name] = parse_pair(name, text, unlimited=unlimited)
    if config.get("DISK_QUOTA") in (None, "yes"):
        space, inodes = config.get("DISKSPACE"), config.get("DISKINODES")
        if space is not None:
            values["diskspace"] = parse_kibibytes("diskspace", space)
        if inodes is not None:
            values["diskinodes"] = parse_pair("diskinodes", inodes, unlimited=unlimited)
    return values


def _save(path: str, config: ConfigFile, changed: dict[str, Pair]) -> None:
    if not changed:
        return
    written = {ALIASES.get(key, key.lower()): key for key in config.names()}
    for name, pair in changed.items():
        config = config.replace(written.get(name, name.upper()), str(pair))
    # Where a link points to, and with the mode it has: only the content is ours to change.
    real = os.path.realpath(path)
    files.write_atomically(real, render_config(config).encode(), mode=os.stat(real).st_mode & 0o777)


def _tell(finding: Finding) -> bool:
    output.note(f"{finding}, set to {finding.repaired}")
    return True


def _ask(finding: Finding) -> bool:
    try:
        return click.confirm(
            f"{finding}, set to {finding.repaired} (y/n) [y]",
            default=True,
            show_default=False,
            prompt_suffix=": ",
            err=True,
        )
    except click.Abort as abort:
        # Interrupts end it; where nobody answers any more, nothing more is changed.
        if not isinstance(abort.__context__, EOFError):
            raise
        output.note("")
        return False
