"""What is left of a console's log for a person to read."""

from pathlib import Path

from wirt.host.consolelog import read_last_lines


def test_last_lines_are_without_escapes_control_characters_and_empty_lines(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(
        b"\x1bc\x1b[2J[\x1b[0;1;38;5;185mUNSUPP\x1b[0m] no automount\r\n\r\n  \nlogin: \xff\r\n"
    )

    assert read_last_lines(str(log)) == [
        "[UNSUPP] no automount",
        "login: \N{REPLACEMENT CHARACTER}",
    ]


def test_last_lines_of_a_log_that_is_not_there_are_none(tmp_path: Path) -> None:
    assert read_last_lines(str(tmp_path / "none")) == []
