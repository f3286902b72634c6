from pathlib import Path

import pytest

from wirt.dialects.vz.conf import SHIPPED
from wirt.dialects.vz.configfile import parse_config, render_config
from wirt.dialects.vz.ubc import UNLIMITED, UNLIMITED_2006, Pair, parse_kibibytes, parse_pair
from wirt.errors import InvalidInput

SAMPLES = sorted(Path(SHIPPED).iterdir())

UNTIDY = """\
# made by hand
  ONBOOT=yes   # at boot
HOSTNAME='web one'
DESCRIPTION="says \\"hi\\" for \\$5"
VE_ROOT="/vz/root/$VEID"
VE_PRIVATE=/vz/private/${VEID}

MYOWNKEY="kept"
NETIF="ifname=eth0,bridge=br0;ifname=eth1"
ONBOOT="no"\r
EMPTY=
"""


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_sample_is_rendered_as_it_was_read(path: Path) -> None:
    text = path.read_text()

    assert render_config(parse_config(text, name=path.name)) == text


@pytest.mark.parametrize(
    "text", [UNTIDY, UNTIDY.removesuffix("\n"), "", "\n", "A=1", "# one\n\n", "A=1\n\n"]
)
def test_untidy_file_is_rendered_as_it_was_read(text: str) -> None:
    assert render_config(parse_config(text, name="101.conf")) == text


def test_values_are_what_a_shell_would_have_set() -> None:
    config = parse_config(UNTIDY, name="101.conf")

    assert {key: config.get(key) for key in config.names()} == {
        "ONBOOT": "no",
        "HOSTNAME": "web one",
        "DESCRIPTION": 'says "hi" for $5',
        "VE_ROOT": "/vz/root/$VEID",
        "VE_PRIVATE": "/vz/private/${VEID}",
        "MYOWNKEY": "kept",
        "NETIF": "ifname=eth0,bridge=br0;ifname=eth1",
        "EMPTY": "",
    }
    assert config.get("MISSING") is None


def test_replace_changes_the_line_that_has_the_say_and_no_other() -> None:
    config = parse_config(UNTIDY, name="101.conf").replace("ONBOOT", "yes")

    assert render_config(config) == UNTIDY.replace('ONBOOT="no"\r', 'ONBOOT="yes"\r')


def test_replace_keeps_indentation_and_comment() -> None:
    config = parse_config("  ONBOOT=yes   # at boot\n", name="101.conf").replace("ONBOOT", "no")

    assert render_config(config) == '  ONBOOT="no"   # at boot\n'


def test_replace_of_a_new_key_adds_a_line() -> None:
    config = parse_config("A=1", name="101.conf").replace("NAME", "web")

    assert render_config(config) == 'A=1\nNAME="web"\n'


@pytest.mark.parametrize(
    "value", ["a b", 'say "x"', "back\\slash", "`id`", "$HOME $VEID", "it's", ""]
)
def test_replaced_value_is_read_back(value: str) -> None:
    text = render_config(parse_config("", name="101.conf").replace("DESCRIPTION", value))

    assert parse_config(text, name="101.conf").get("DESCRIPTION") == value


def test_replace_refuses_a_line_break() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_config("", name="101.conf").replace("NAME", 'x"\nONBOOT="yes')

    assert str(caught.value) == "the value of NAME has a line break; write it in one line"


NEVER_RUN = "these files are read, never run"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("reboot", f"'reboot' is no setting; write KEY=\"value\"; {NEVER_RUN}"),
        (". /etc/rc", f"'. /etc/rc' is no setting; write KEY=\"value\"; {NEVER_RUN}"),
        ("export A=1", f"'export A=1' is no setting; write KEY=\"value\"; {NEVER_RUN}"),
        ("A =1", f"'A =1' is no setting; write KEY=\"value\"; {NEVER_RUN}"),
        ('A="1', "the quote of A is not closed; close it in the same line"),
        ("A='1", "the quote of A is not closed; close it in the same line"),
        ('A="$(id)"', f"the value of A has shell code in it: '$(id)'; write the value itself; {NEVER_RUN}"),
        ('A="`id`"', f"the value of A has shell code in it: '`id`'; write the value itself; {NEVER_RUN}"),
        ("A=$HOME", f"the value of A has shell code in it: '$HOME'; write the value itself; {NEVER_RUN}"),
        ('A="${B:-c}"', f"the value of A has shell code in it: '${{B:-c}}'; write the value itself; {NEVER_RUN}"),
        ("A=1;reboot", f"the value of A has shell code in it: '1;reboot'; write the value itself; {NEVER_RUN}"),
        (
            'A="1" reboot',
            "'reboot' follows the value of A; put a value with blanks in quotes, and one setting in a line",
        ),
        (
            'A="1";reboot',
            "';reboot' follows the value of A; put a value with blanks in quotes, and one setting in a line",
        ),
    ],
)  # fmt: skip
def test_what_only_a_shell_understands_is_refused_with_its_line(line: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_config(f"# one\n\n{line}\n", name="101.conf")

    assert str(caught.value) == f"101.conf:3: {said}"


@pytest.mark.parametrize(
    ("parameter", "text", "pair"),
    [
        ("numproc", "240", Pair(240, 240)),
        ("numproc", "240:260", Pair(240, 260)),
        ("kmemsize", "2M:3m", Pair(2 * 2**20, 3 * 2**20)),
        ("kmemsize", "10P:1G", Pair(40960, 2**30)),
        ("kmemsize", "2.5K", Pair(2560, 2560)),
        ("physpages", "0:256M", Pair(0, 65536)),
        ("physpages", "0:1T", Pair(0, 2**28)),
        ("physpages", "100p", Pair(100, 100)),
        ("physpages", "4097B", Pair(2, 2)),
        ("vmguarpages", "33792:unlimited", Pair(33792, UNLIMITED)),
        ("vmguarpages", "1:99999999999999999999", Pair(1, UNLIMITED)),
    ],
)
def test_pair_is_read_in_the_unit_of_its_parameter(parameter: str, text: str, pair: Pair) -> None:
    assert parse_pair(parameter, text) == pair


def test_unlimited_is_as_long_as_the_kernel_counts() -> None:
    pair = parse_pair("vmguarpages", "1:unlimited", unlimited=UNLIMITED_2006)

    assert pair == Pair(1, 2147483647)


def test_disk_space_is_in_kibibytes() -> None:
    assert parse_kibibytes("diskspace", "1048576:1153434") == Pair(1048576, 1153434)
    assert parse_kibibytes("diskspace", "2G:2.2G") == Pair(2097152, 2306868)


@pytest.mark.parametrize(
    "text", ["", ":", "1:", "1:2:3", "-1", "9" * 5000, "1e3", "0x10", "1 2", "2.5", "1KB", "٣"]
)
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_pair("kmemsize", text)

    assert str(caught.value) == (
        f"{text!r} is no value for kmemsize; write barrier:limit or one number, such as 240, 256M or 26112:unlimited"
    )


def test_count_with_a_suffix_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_pair("numproc", "1K")

    assert str(caught.value) == "'1K' is no value for numproc; a count takes no suffix"
