"""Template metadata files: what is read, and the exact words for what is refused."""

from pathlib import Path

import pytest

from wirt.errors import InvalidInput
from wirt.storage.specs import SHIPPED, load_specs

GOOD = 'name = "tiny"\ndistribution = "debian"\nsuite = "bookworm"\npackages = []\n'
HINT = "; mend the file; docs/templates.md describes it"


def refusal_of(directory: Path, text: str) -> str:
    path = directory / "tiny.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load_specs([str(directory)])
    return str(caught.value).replace(str(path), "FILE")


def test_shipped_template_is_loaded_with_the_text_of_its_scripts() -> None:
    spec = load_specs([SHIPPED])["debian-12-web"]

    assert spec.suite == "bookworm"
    assert "apache2" in spec.packages
    assert all(script.startswith("#!/bin/sh\n") for script in spec.scripts)


def test_users_file_of_the_same_name_wins(tmp_path: Path) -> None:
    text = GOOD.replace("tiny", "debian-12-web")
    (tmp_path / "debian-12-web.toml").write_text(text)

    specs = load_specs([SHIPPED, str(tmp_path)])

    assert specs["debian-12-web"].packages == []


def test_missing_directory_holds_no_templates(tmp_path: Path) -> None:
    assert load_specs([str(tmp_path / "none")]) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD + "colour = 1\n",
            "the template file FILE has the unknown key colour (the keys are name, description, "
            "distribution, suite, packages, scripts, exclude)",
        ),
        (
            GOOD.replace("packages = []\n", ""),
            "the template file FILE has no key packages",
        ),
        (
            GOOD.replace('"bookworm"', "12"),
            "the template file FILE has a bad suite: text is wanted, not a number",
        ),
        (
            GOOD.replace("[]", '"apache2"'),
            "the template file FILE has a bad packages: a list is wanted, not text",
        ),
        (
            GOOD.replace("[]", "[7]"),
            "the template file FILE has a bad packages[0]: text is wanted, not a number",
        ),
        (
            GOOD.replace("[]", '["./evil.deb"]'),
            "the template file FILE has a bad package: './evil.deb' is no name of a package",
        ),
        (
            GOOD.replace("bookworm", "--help"),
            "the template file FILE has a bad suite: '--help' is no name of a suite",
        ),
        (
            GOOD + 'exclude = ["usr/share"]\n',
            "the template file FILE has a bad exclude: 'usr/share' does not begin with /",
        ),
        (
            GOOD + 'scripts = ["absent.sh"]\n',
            "the template file FILE names the script absent.sh, which cannot be read: "
            "No such file or directory",
        ),
        (
            "name = \n",
            "the template file FILE is not TOML: Invalid value (at line 1, column 8)",
        ),
    ],
)
def test_bad_file_is_refused_with_file_key_and_reason(
    tmp_path: Path, text: str, message: str
) -> None:
    assert refusal_of(tmp_path, text) == message + HINT


def test_file_that_calls_itself_otherwise_is_refused(tmp_path: Path) -> None:
    message = refusal_of(tmp_path, GOOD.replace("tiny", "small"))

    assert message == "the template file FILE calls itself small; name the file small.toml"


def test_script_without_interpreter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("echo\n")

    message = refusal_of(tmp_path, GOOD + 'scripts = ["a.sh"]\n')

    assert message == (
        "the template file FILE names the script a.sh, which does not begin with #!" + HINT
    )
