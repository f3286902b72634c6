import io
import os
from pathlib import Path

import pytest

from wirt.dialects.vz.conf import SHIPPED
from wirt.dialects.vz.ubc import UNLIMITED, Pair
from wirt.dialects.vz.validation import Rules, Severity, find, repair
from wirt.dialects.vz.vzcfgvalidate import main

SAMPLES = Path(SHIPPED)
SUCCESS = "Validation completed: success\n"
RULES = Rules()
GOOD = {
    "numproc": Pair(240, 240),
    "avnumproc": Pair(180, 180),
    "numtcpsock": Pair(360, 360),
    "numothersock": Pair(360, 360),
    "vmguarpages": Pair(33792, UNLIMITED),
    "oomguarpages": Pair(26112, UNLIMITED),
    "physpages": Pair(0, UNLIMITED),
    "kmemsize": Pair(14372700, 14790164),
    "tcpsndbuf": Pair(1720320, 2703360),
    "tcprcvbuf": Pair(1720320, 2703360),
    "othersockbuf": Pair(1126080, 2097152),
    "dgramrcvbuf": Pair(262144, 262144),
    "privvmpages": Pair(65536, 69632),
    "numfile": Pair(9312, 9312),
    "dcachesize": Pair(3409920, 3624960),
    "numpty": Pair(16, 16),
}
ENDLESS = f"limit should be = {UNLIMITED}"

BROKEN: list[tuple[str, Pair, str]] = [
    ("numfile", Pair(9000, 9312), "Error: barrier should be equal to limit for numfile (currently, 9000:9312)"),
    ("shmpages", Pair(2, 1), "Error: barrier should be equal to limit for shmpages (currently, 2:1)"),
    ("numflock", Pair(2, 1), "Error: barrier should be <= limit for numflock (currently, 2:1)"),
    ("diskspace", Pair(2, 1), "Error: barrier should be <= limit for diskspace (currently, 2:1)"),
    ("oomguarpages", Pair(1, 5), f"Error: {ENDLESS} for oomguarpages (currently, 5)"),
    ("physpages", Pair(7, UNLIMITED), "Error: barrier should be = 0 for physpages (currently, 7)"),
    # 9312 * 384 = 3575808
    ("dcachesize", Pair(1, 3575807), "Warning: dcachesize.lim should be > 3575808 (currently, 3575807)"),
    # 40 * 1024 * 180 + 3624960 = 10997760
    ("kmemsize", Pair(10997759, 14790164), "Error: kmemsize.bar should be > 10997760 (currently, 10997759)"),
    ("privvmpages", Pair(33791, 69632), "Warning: privvmpages.bar should be > 33792 (currently, 33791)"),
    # 2.5 * 1024 * 360 = 921600
    (
        "tcpsndbuf",
        Pair(1000000, 1921599),
        "Error: tcpsndbuf.lim-tcpsndbuf.bar should be > 921600 (currently, 1921599-1000000=921599)",
    ),
    (
        "othersockbuf",
        Pair(1000000, 1000001),
        "Error: othersockbuf.lim-othersockbuf.bar should be > 921600 (currently, 1000001-1000000=1)",
    ),
    (
        "tcprcvbuf",
        Pair(1000000, 1000000),
        "Warning: tcprcvbuf.lim-tcprcvbuf.bar should be > 921600 (currently, 1000000-1000000=0)",
    ),
    ("tcprcvbuf", Pair(65535, 2703360), "Warning: tcprcvbuf.bar should be > 65536 (currently, 65535)"),
    ("tcpsndbuf", Pair(65535, 2703360), "Warning: tcpsndbuf.bar should be > 65536 (currently, 65535)"),
    ("dgramrcvbuf", Pair(32767, 262144), "Warning: dgramrcvbuf.bar should be > 32768 (currently, 32767)"),
    ("othersockbuf", Pair(32767, 2097152), "Warning: othersockbuf.bar should be > 32768 (currently, 32767)"),
    # max(32 * 180, 360 + 360 + 16) = 5760
    ("numfile", Pair(5759, 5759), "Warning: numfile should be > 5760 (currently, 5759)"),
]  # fmt: skip


def test_consistent_values_break_no_rule() -> None:
    assert find(GOOD, RULES) == []


@pytest.mark.parametrize(("name", "pair", "said"), BROKEN)
def test_broken_rule_is_said_and_repaired(name: str, pair: Pair, said: str) -> None:
    values = {**GOOD, name: pair}

    assert [str(finding) for finding in find(values, RULES)] == [said]
    mended, left = repair(values, RULES, lambda _: True)
    assert [finding for finding in left if finding.severity is not Severity.RECOMMENDATION] == []
    assert {key: value for key, value in mended.items() if key != name} == {
        key: value for key, value in GOOD.items() if key != name
    }


@pytest.mark.parametrize("name", ["dgramrcvbuf", "othersockbuf"])
def test_small_buffer_is_a_recommendation_that_a_repair_leaves_alone(name: str) -> None:
    values = {**GOOD, name: Pair(132095, 2097152)}

    mended, left = repair(values, RULES, lambda _: True)

    assert [str(finding) for finding in left] == [
        f"Recommendation: {name}.bar should be > 132096 (currently, 132095)"
    ]
    assert mended == values


def test_kmemsize_is_repaired_with_its_limit_as_far_away_as_it_was() -> None:
    mended, _ = repair({**GOOD, "kmemsize": Pair(1000, 3000)}, RULES, lambda _: True)

    assert mended["kmemsize"] == Pair(10997760, 10999760)


def test_average_is_half_of_numproc_where_it_is_not_given() -> None:
    values = {name: pair for name, pair in GOOD.items() if name != "avnumproc"}

    # 40 * 1024 * 120 + 3624960
    found = find({**values, "kmemsize": Pair(8540159, 14790164)}, RULES)

    assert [finding.said for finding in found] == [
        "kmemsize.bar should be > 8540160 (currently, 8540159)"
    ]


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"avnumproc"}))
def test_missing_parameter_is_the_only_finding(name: str) -> None:
    values = {key: pair for key, pair in GOOD.items() if key != name}

    assert [str(finding) for finding in find({**values, "shmpages": Pair(1, 2)}, RULES)] == [
        f"Error: parameter {name} not found"
    ]


def test_repair_that_breaks_another_rule_goes_on_until_none_is_broken() -> None:
    # More files want a larger dcachesize, which wants a larger kmemsize.
    values = {**GOOD, "numfile": Pair(1, 1), "numproc": Pair(900, 900), "avnumproc": Pair(800, 800)}

    mended, left = repair(values, RULES, lambda _: True)

    assert left == []
    assert mended["numfile"] == Pair(25600, 25600)
    assert mended["dcachesize"].limit == 25600 * 384
    assert mended["kmemsize"].barrier == 40 * 1024 * 800 + 25600 * 384


def test_unlimited_values_are_consistent() -> None:
    everything = {name: Pair(UNLIMITED, UNLIMITED) for name in GOOD} | {
        "physpages": Pair(0, UNLIMITED)
    }

    assert find(everything, RULES) == []


def test_vswap_values_are_held_against_the_memory_of_the_node() -> None:
    values = {"physpages": Pair(1, 70000), "swappages": Pair(0, 131072)}
    rules = Rules(memory=256 * 2**20, swap=512 * 2**20)

    assert [str(finding) for finding in find(values, rules)] == [
        "Error: barrier should be = 0 for physpages (currently, 1)",
        "Warning: limit should be <= 65536 for physpages (currently, 70000)",
    ]
    mended, left = repair(values, rules, lambda _: True)
    assert left == []
    assert mended == {"physpages": Pair(0, 65536), "swappages": Pair(0, 131072)}


def test_declined_repair_stays_a_finding() -> None:
    values = {**GOOD, "numflock": Pair(2, 1), "privvmpages": Pair(1, 2)}

    mended, left = repair(values, RULES, lambda finding: finding.severity is Severity.WARNING)

    assert [finding.parameter for finding in left] == ["numflock"]
    assert mended["privvmpages"] == Pair(33792, 33793)


@pytest.mark.parametrize("name", ["ve-basic.conf-sample", "ve-light.conf-sample"])
def test_sample_is_valid(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(SAMPLES / name)]) == 0

    assert capsys.readouterr() == (SUCCESS, "")


def test_sample_of_2006_is_valid_with_the_unlimited_of_2006(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = str(SAMPLES / "ve-vps.basic.conf-sample")

    assert main(["--compat=2006", sample]) == 0
    assert capsys.readouterr() == (SUCCESS, "")
    monkeypatch.setenv("WIRT_VZ_COMPAT", "2006")
    assert main([sample]) == 0
    monkeypatch.delenv("WIRT_VZ_COMPAT")
    capsys.readouterr()
    assert main([sample]) == 2
    assert capsys.readouterr() == (
        "",
        "".join(
            f"Error: {ENDLESS} for {name} (currently, 2147483647)\n"
            for name in ("vmguarpages", "oomguarpages", "physpages")
        ),
    )


def broken_copy(directory: Path) -> Path:
    path = directory / "101.conf"
    text = (SAMPLES / "ve-basic.conf-sample").read_text()
    path.write_text(text.replace('"65536:69632"', "8M:16M # small"))
    path.chmod(0o640)
    return path


SMALL = "Warning: privvmpages.bar should be > 33792 (currently, 2048)"


def test_inconsistent_file_ends_with_2_and_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = broken_copy(tmp_path)
    before = path.read_bytes()

    assert main([str(path)]) == 2

    assert capsys.readouterr() == ("", f"{SMALL}\n")
    assert path.read_bytes() == before


def test_repair_changes_the_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = broken_copy(tmp_path)
    before = path.read_text()

    assert main(["-r", str(path)]) == 0

    assert capsys.readouterr() == (SUCCESS, f"{SMALL}, set to 33792:35840\n")
    assert path.read_text() == before.replace("8M:16M", '"33792:35840"')
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["101.conf"]


@pytest.mark.parametrize(("answer", "status"), [("\n", 0), ("y\n", 0), ("n\n", 2)])
def test_interactive_repair_asks(
    answer: str,
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = broken_copy(tmp_path)
    before = path.read_text()
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))

    assert main(["-i", str(path)]) == status

    assert f"{SMALL}, set to 33792:35840 (y/n) [y]" in capsys.readouterr().err
    assert (path.read_text() == before) == (status == 2)


def test_end_of_input_repairs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = broken_copy(tmp_path)
    before = path.read_text()
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    assert main(["-i", str(path)]) == 2

    assert capsys.readouterr().err.endswith(
        "Warning: privvmpages.bar should be > 33792 (currently, 2048)\n"
    )
    assert path.read_text() == before


def test_disk_quota_that_is_off_is_not_checked(tmp_path: Path) -> None:
    path = tmp_path / "101.conf"
    text = (SAMPLES / "ve-basic.conf-sample").read_text().replace("2G:2.2G", "3G:2G")

    path.write_text(text)
    assert main([str(path)]) == 2
    path.write_text(text + 'DISK_QUOTA="no"\n')
    assert main([str(path)]) == 0


def test_alias_of_2006_is_repaired_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "101.conf"
    text = (SAMPLES / "ve-basic.conf-sample").read_text().replace("NUMIPTENT", "IPTENTRIES")
    path.write_text(text.replace('"128:128"', '"128:64"'))

    assert main(["-r", str(path)]) == 0
    assert path.read_text() == text


USAGE = "Usage: vzcfgvalidate [-r|-i] [-v yes|no] [--compat=2006] <configfile>"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], f"give one configuration file, and -r or -i at most; {USAGE}"),
        (["a", "b"], f"give one configuration file, and -r or -i at most; {USAGE}"),
        (["-r", "-i", "a"], f"give one configuration file, and -r or -i at most; {USAGE}"),
        (["-x", "a"], f"option -x not recognized; {USAGE}"),
        (["-v", "maybe", "a"], f"-v takes yes or no, not 'maybe'; {USAGE}"),
        (["--comp=1999", "a"], "there is no compatibility with '1999'; leave it out, or 2006"),
        (
            ["/nonexistent"],
            "cannot read or write the configuration file: No such file or directory",
        ),
    ],
)
def test_what_cannot_be_read_ends_with_1(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1

    assert capsys.readouterr() == ("", f"vzcfgvalidate: {said}\n")


def test_shell_code_is_named_and_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "101.conf"
    path.write_text(f'ONBOOT=no\nNUMPROC="$(touch {tmp_path}/run)"\n')

    assert main(["-r", str(path)]) == 1

    assert capsys.readouterr().err.startswith(
        f"vzcfgvalidate: {path}:2: the value of NUMPROC has shell code in it: "
    )
    assert os.listdir(tmp_path) == ["101.conf"]


def test_help_prints_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0

    assert capsys.readouterr().out == f"{USAGE}\n"
