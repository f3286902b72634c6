"""The fields of ``vzlist`` as one container has them, and how the table is put together."""

from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.dialects.vz import conf, vzlist
from wirt.dialects.vz.codes import Refused
from wirt.dialects.vz.configfile import parse_config
from wirt.dialects.vz.fields import FIELDS, FIELDS_2006, Field, Row
from wirt.errors import InvalidInput
from wirt.model.lifecycle import State
from wirt.model.naming import Naming
from wirt.model.snapshot import Snapshot
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.state.memory import MemoryStore

FILE = """\
NUMPROC="60:70"
PHYSPAGES="0:256M"
DISKSPACE="1G:2G"
DISKINODES="1000:2000"
CPULIMIT="100"
IOPRIO="4"
BOOTORDER="7"
DISABLED="yes"
OSTEMPLATE="fedora-core-5-i386-default"
DESCRIPTION="a description that is longer than what a column of this table has"
KMEMSIZE="nonsense"
"""


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return fakes.open_context(tmp_path, MemoryStore())


@pytest.fixture
def row(context: Context) -> Row:
    request = CreateRequest(name="web", number=101, template="tiny", approach="fake")
    naming = Naming(dns=("10.0.0.1", "10.0.0.2"))
    guest = msgspec.structs.replace(create(context, request), boot_order=50, naming=naming)
    conf.write_config(context.home, 101, parse_config(FILE, name="101.conf"))
    return Row(context, guest)


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("ctid", "       101"),
        ("name", "web"),
        ("smart_name", "       web"),
        ("numproc", "         -"),
        ("numproc.b", "        60"),
        ("numproc.l", "        70"),
        ("kmemsize.b", "         -"),
        ("diskspace.s", "   1048576"),
        ("diskspace.h", "   2097152"),
        ("diskinodes.h", "      2000"),
        ("status", "stopped"),
        ("uptime", "              -"),
        ("laverage", "             -"),
        ("cpulimit", "    100"),
        ("cpus", "    1"),
        ("ioprio", "  4"),
        ("iolimit", "         -"),
        ("onboot", "   yes"),
        ("bootorder", "         7"),
        ("layout", " simfs"),
        ("vswap", "  yes"),
        ("disabled", "   yes"),
        ("ostemplate", "fedora-core-5-i386-default"),
        ("nameserver", "10.0.0.1 10.0.0.2"),
        ("capability", "-"),
    ],
)
def test_field_shows_what_is_known(row: Row, field: str, shown: str) -> None:
    assert FIELDS[field].show(row, is_last=True, is_cut=True).rstrip() == shown


def table(row: Row, *arguments: str) -> list[str]:
    asked = vzlist.parse_arguments(arguments)
    assert asked is not None
    return vzlist.as_table([row], asked).splitlines()


def test_load_is_three_averages_in_a_table_and_a_list_in_json(
    row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Row, "load", (10.5, 1.0, 0.256))
    asked = vzlist.parse_arguments(["-j", "-o", "laverage"])
    assert asked is not None

    assert table(row, "-H", "-o", "laverage,ctid") == ["10.50/1.00/0.26        101"]
    assert vzlist._as_json([row], asked) == ('[\n  {\n    "laverage": [10.50,1.00,0.26]\n  }\n]')


def test_long_value_is_cut_unless_it_is_the_last(row: Row) -> None:
    whole = "a description that is longer than what a column of this table has"

    assert table(row, "-H", "-o", "description,ctid") == [f"{whole[:32]}        101"]
    assert table(row, "-H", "-o", "ctid,description") == [f"       101 {whole}"]
    assert table(row, "-H", "-t", "-o", "description,ctid") == [f"{whole}        101"]


def test_first_of_several_addresses_is_shown_unless_it_is_the_last(row: Row) -> None:
    assert table(row, "-H", "-o", "nameserver,ctid") == ["10.0.0.1               101"]


@pytest.mark.parametrize("fields", [FIELDS, FIELDS_2006])
def test_every_field_can_be_shown_of_a_guest_without_a_file(
    context: Context, fields: dict[str, Field]
) -> None:
    request = CreateRequest(name="web-2", template="tiny", approach="fake")
    bare = Row(context, create(context, request))

    shown = {name: field.show(bare, is_last=False, is_cut=True) for name, field in fields.items()}

    assert all(len(text) >= abs(fields[name].width) for name, text in shown.items())
    assert shown["hostname"].rstrip() == "web-2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "color"], "Unknown field: color"),
        (["-o", "ctid,"], "Unknown field: "),
        (["-s", "-color"], "Invalid sort field name: color"),
        (["-j", "-o", "numproc.l"], "Invalid field: numproc.l"),
        (["--compat=2006", "-o", "private"], "Unknown field: private"),
        (["--compat=2007"], "there is no compatibility with '2007'"),
        (["--color"], "option --color not recognized"),
        (["--no"], "option --no not a unique prefix"),
        (["-o"], "option -o requires argument"),
    ],
)
def test_command_line_that_cannot_be_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises((InvalidInput, Refused)) as refused:
        vzlist.parse_arguments(arguments)

    assert refused.value.message == message


def test_container_whose_file_is_damaged_is_shown_without_it_and_said_once(
    context: Context, row: Row, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(conf.path_of(context.home, 101))
    path.write_text('NUMPROC="60:70"\nKMEMSIZE=$(id)\n')

    shown = table(row, "-H", "-o", "ctid,numproc.l,diskspace.h,cpulimit,status")

    assert shown == ["       101          -    4194304       - stopped"]
    assert capsys.readouterr().err == (
        f"Warning: {path}:2: the value of KMEMSIZE has shell code in it: '$(id)'; "
        "write the value itself; these files are read, never run\n"
    )


@pytest.mark.parametrize(
    ("state", "checkpoint", "status", "status_2006"),
    [
        (State.STOPPED, "vzctl", "suspended", "stopped"),
        (State.STOPPED, None, "stopped", "stopped"),
        (State.FROZEN, None, "suspended", "running"),
        (State.RUNNING, None, "running", "running"),
    ],
)
def test_container_is_suspended_while_it_is_held_still_or_was_ended_with_a_checkpoint(
    context: Context, row: Row, state: State, checkpoint: str | None, status: str, status_2006: str
) -> None:
    snapshot = Snapshot(name="vzctl", created=0.0, memory=4096)
    guest = msgspec.structs.replace(
        row.guest, state=state, snapshots=(snapshot,), suspended=checkpoint
    )
    suspended = Row(context, guest)

    assert (suspended.status, suspended.status_2006) == (status, status_2006)
    assert suspended.is_running is state.is_up
