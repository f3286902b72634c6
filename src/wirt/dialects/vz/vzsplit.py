"""``vzsplit``: a sample with which so many containers share this node."""

import os
from collections.abc import Sequence

from wirt import app
from wirt.console import output
from wirt.dialects.vz import conf, program
from wirt.dialects.vz.capacity import Node
from wirt.dialects.vz.codes import Code
from wirt.dialects.vz.node import probe_capacity, probe_threads
from wirt.dialects.vz.options import read_options
from wirt.dialects.vz.split import (
    LEVELS,
    PRIMARY,
    SECONDARY,
    Split,
    render_value,
    split,
    split_vswap,
)
from wirt.errors import Conflict, InvalidInput
from wirt.host import files
from wirt.model.home import Home
from wirt.units import MIB

USAGE = "Usage: vzsplit -n <containers> [-f <sample>] [-s <swap in KiB>] [-v yes|no]"
_SHORT = {"-n": "containers", "-f": "sample", "-s": "swap", "-v": "vswap", "-h": "help"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status."""
    return program.run(_run, arguments, code=lambda error: 1)


def _run(arguments: list[str]) -> int:
    options, rest = read_options(
        arguments, ["help"], ["containers", "sample", "swap", "vswap"], short=_SHORT
    )
    given = dict(options)
    if "help" in given:
        output.say(USAGE)
        return Code.OK
    if rest or "containers" not in given:
        raise InvalidInput("say how many containers share the node", hint=USAGE)
    count = _number("-n", given["containers"], least=1)
    node = probe_capacity()
    if "swap" in given:
        swap = _number("-s", given["swap"], least=0) * 1024
        node = Node(low=node.low, memory=node.memory, swap=swap)
    is_vswap = given.get("vswap", "no")
    if is_vswap not in ("yes", "no"):
        raise InvalidInput(f"Invalid argument for -v: {is_vswap}", hint="give yes or no")
    home = app.find_home()
    text = _divide(home, node, count=count, is_vswap=is_vswap == "yes")
    if "sample" not in given:
        output.say(text.rstrip("\n"))
        return Code.OK
    path = conf.path_of_sample(home, given["sample"])
    if os.path.exists(path):
        raise Conflict(f"File {path} already exist", hint="choose another name")
    with files.translated(f"write {path}"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        files.write_atomically(path, text.encode(), mode=0o644)
    output.note(f"Config {path} was created")
    return Code.OK


def _number(option: str, text: str, *, least: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) >= least):
        raise InvalidInput(f"Invalid argument for {option}: {text}", hint="give a whole number")
    return int(text)


def _divide(home: Home, node: Node, *, count: int, is_vswap: bool) -> str:
    threads = probe_threads() or 0
    disk, inodes = files.size_of_filesystem(home.data)
    if is_vswap:
        made = split_vswap(node, count=count, disk=disk, inodes=inodes)
    else:
        made = split(node, count=count, threads=threads, disk=disk, inodes=inodes)
    head = [
        f"# Made by vzsplit for {count} containers",
        f"# on a node with {node.memory // MIB} MiB of memory,",
        f"# {node.low // MIB} MiB of low memory, {node.swap // MIB} MiB of swap, {threads} threads.",
        f"# Level {made.level}: {LEVELS[made.level].said}",
    ]
    return "\n".join([*head, *_sections(made), 'CPUUNITS="1000"']) + "\n"


def _sections(made: Split) -> list[str]:
    lines = ["# Primary parameters"]
    sections = {PRIMARY[-1]: "Secondary", SECONDARY[-1]: "Auxiliary"}
    for key, pair in made.values.items():
        lines.append(render_value(key, pair))
        if key in sections:
            lines += ["", f"# {sections[key]} parameters"]
    return lines
