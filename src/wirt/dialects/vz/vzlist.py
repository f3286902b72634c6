"""``vzlist``: the containers of this node, in columns or as JSON."""

import fnmatch
from collections.abc import Sequence

import msgspec

from wirt import app
from wirt.console import output
from wirt.dialects.vz import program
from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.fields import FIELDS, FIELDS_2006, Field, Row
from wirt.dialects.vz.options import read_options
from wirt.errors import InvalidInput
from wirt.ops.guests import observed

USAGE = """\
Usage: vzlist [-a | -S] [-n] [-H] [-t] [-j] [-o field[,field...] | -1] [-s [-]field]
              [-h pattern] [-N pattern] [-d pattern] [--compat=2006] [CTID [CTID ...]]
       vzlist -L | --list

  -a, --all           list all containers
  -S, --stopped       list stopped containers
  -n, --name          name containers that have a name
  -H, --no-header     no line of heads
  -t, --no-trim       do not cut long values
  -j, --json          print JSON
  -o, --output        print these fields
  -1                  the same as -H -octid
  -s, --sort          sort by a field, backwards with a hyphen before it
  -h, --hostname      those whose host name is like a pattern
  -N, --name_filter   those whose name is like a pattern
  -d, --description   those whose description is like a pattern
  -L, --list          print the names of the fields"""

_FLAGS = {
    "-a": "all",
    "-S": "stopped",
    "-n": "name",
    "-H": "no-header",
    "-t": "no-trim",
    "-j": "json",
    "-1": "1",
    "-L": "list",
}
_VALUED = {
    "-o": "output",
    "-s": "sort",
    "-h": "hostname",
    "-N": "name_filter",
    "-d": "description",
}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    options: dict[str, str]
    ctids: list[str]
    fields: dict[str, Field]
    """All that there are."""
    shown: list[Field]
    sorted_by: Field | None
    is_backwards: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, as the process was given it or with other arguments, and return its exit status: whatever goes wrong, it is 1."""
    return program.run(_run, arguments, code=lambda error: 1)


def _run(arguments: Sequence[str]) -> int:
    asked = parse_arguments(arguments)
    if asked is None:
        output.say(USAGE)
        return Code.OK
    if "list" in asked.options:
        output.say("\n".join(f"{field.name:<15} {field.head}" for field in asked.fields.values()))
        return Code.OK
    with app.open_context() as context:
        rows = [Row(context, observed(context, guest)) for guest in context.store.guests()]
        rows = _chosen(rows, asked)
        if not rows:
            output.note("Container(s) not found")
            return 1
        render = _as_json if "json" in asked.options else as_table
        text = render(_in_order(rows, asked), asked)
    output.say(text)
    return Code.OK


def parse_arguments(arguments: Sequence[str]) -> Asked | None:
    """Return what the arguments ask for, None if that is the usage.

    Raises:
        Refused, InvalidInput: they cannot be read.
    """
    flags = [*_FLAGS.values(), "help"]
    valued = [*_VALUED.values(), "compat"]
    found, ctids = read_options(arguments, flags, valued, short={**_FLAGS, **_VALUED})
    options = dict(found)
    if "help" in options:
        return None
    is_2006 = program.is_2006(options.get("compat"))
    fields = FIELDS_2006 if is_2006 else FIELDS
    number = "vpsid" if is_2006 else "ctid"
    if "1" in options:
        options |= {"no-header": "", "output": number}
    first = "smart_name" if "name" in options and not is_2006 else number
    usual = f"{first},numproc,status,ip,hostname"
    if "json" in options and "output" not in options:
        shown = [field for field in fields.values() if not field.is_part]
    else:
        names = options.get("output", usual).split(",")
        shown = [_field(fields, name, is_json="json" in options) for name in names]
    sort = options.get("sort", "")
    by = sort.removeprefix("-")
    if by and by not in fields:
        raise InvalidInput(f"Invalid sort field name: {by}")
    return Asked(
        options=options,
        ctids=ctids,
        fields=fields,
        shown=shown,
        sorted_by=fields.get(by),
        is_backwards=sort.startswith("-"),
    )


def _field(fields: dict[str, Field], name: str, *, is_json: bool) -> Field:
    if name not in fields:
        raise InvalidInput(f"Unknown field: {name}")
    if is_json and fields[name].is_part:
        raise InvalidInput(f"Invalid field: {name}", hint="JSON shows a field with all its parts")
    return fields[name]


def _chosen(rows: list[Row], asked: Asked) -> list[Row]:
    """Return the rows that are asked for: those that run, unless others are."""
    options = asked.options
    if asked.ctids:
        wanted = set(asked.ctids)
        rows = [row for row in rows if {str(row.ctid), row.guest.name} & wanted]
    if "stopped" in options:
        rows = [row for row in rows if not row.is_running]
    elif "all" not in options and not asked.ctids:
        rows = [row for row in rows if row.is_running]
    for option, field in (
        ("hostname", "hostname"),
        ("name_filter", "name"),
        ("description", "description"),
    ):
        if option in options:
            if field not in asked.fields:
                raise Refused(Code.VALUE, f"option --{option} not recognized")
            value = asked.fields[field].value
            rows = [
                row for row in rows if fnmatch.fnmatchcase(str(value(row) or ""), options[option])
            ]
    return rows


def _in_order(rows: list[Row], asked: Asked) -> list[Row]:
    """Return the rows sorted: by CTID, or by a field, what has no value there first."""
    field = asked.sorted_by
    ordered = sorted(rows, key=lambda row: row.ctid)
    if field is not None:
        values = {row.ctid: field.value(row) for row in rows}
        # One after the other, because no value and a value cannot be compared.
        ordered = [row for row in ordered if values[row.ctid] is None] + sorted(
            (row for row in ordered if values[row.ctid] is not None),
            key=lambda row: values[row.ctid],  # type: ignore[arg-type, return-value]
        )
    return list(reversed(ordered)) if asked.is_backwards else ordered


def as_table(rows: list[Row], asked: Asked) -> str:
    """Return the table of rows, with its heads if they are asked for."""
    is_cut = "no-trim" not in asked.options
    last = len(asked.shown) - 1
    lines = []
    if "no-header" not in asked.options:
        heads = (
            field.head.ljust(-field.width) if field.width < 0 else field.head.rjust(field.width)
            for field in asked.shown
        )
        lines.append(" ".join(heads).rstrip())
    for row in rows:
        cells = (
            field.show(row, is_last=place == last, is_cut=is_cut)
            for place, field in enumerate(asked.shown)
        )
        lines.append(" ".join(cells).rstrip())
    return "\n".join(lines)


def _as_json(rows: list[Row], asked: Asked) -> str:
    """Return JSON with vzlist's own line breaks, which scripts have been written against."""
    objects = []
    for row in rows:
        pairs = (
            f'    "{field.name}": {_encode((field.whole or field.value)(row))}'
            for field in asked.shown
        )
        objects.append("  {\n" + ",\n".join(pairs) + "\n  }")
    return "[\n" + ",\n".join(objects) + "\n]"


def _encode(value: object) -> str:
    if isinstance(value, dict):
        pairs = (f'      "{key}": {_encode(part)}' for key, part in value.items())
        return "{\n" + ",\n".join(pairs) + "\n    }"
    if isinstance(value, list):
        return "[" + ", ".join(_encode(part) for part in value) + "]"
    if isinstance(value, float):
        return f"{value:.3f}"
    return msgspec.json.encode(value).decode()
