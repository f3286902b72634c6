import pytest

from wirt.console import output
from wirt.errors import Failed


def test_columns_are_as_wide_as_they_must_be_and_end_without_space() -> None:
    text = output.columns(("A", "LONG", "C"), [("1", "2", ""), ("333", "4", "5")])

    assert text == "A    LONG  C\n1    2\n333  4     5"


def test_columns_without_rows_are_the_heads() -> None:
    assert output.columns(("A", "B"), []) == "A  B"


def test_complaint_is_one_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    output.complain(Failed("it broke", detail="line\nline", hint="mend it"))

    assert capsys.readouterr() == ("", "wirt: it broke; mend it\n")


def test_complaint_shows_the_detail_to_who_asks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIRT_DEBUG", "1")
    output.complain(Failed("it broke", detail="line\nline"))

    assert capsys.readouterr().err == "wirt: it broke\nline\nline\n"


def test_columns_of_numbers_are_set_to_the_right() -> None:
    text = output.columns(("A", "N"), [("one", "1"), ("two", "1,000")], right=("N",))

    assert text == "A        N\none      1\ntwo  1,000"
