"""Template metadata files: what is read, and the exact words for what is refused."""

from pathlib import Path

import msgspec
import pytest

from wirt.errors import InvalidInput
from wirt.storage.templates.specs import SHIPPED, load_specs, sha256_of_spec

GOOD = 'name = "tiny"\ndistribution = "debian"\nsuite = "bookworm"\npackages = []\n'
HINT = "; mend the file; docs/templates.md describes it"


def refusal_of(directory: Path, text: str) -> str:
    path = directory / "tiny.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load_specs([str(directory)])
    return str(caught.value).replace(str(path), "FILE")


def write(directory: Path, text: str) -> str:
    (directory / "tiny.toml").write_text(text)
    return str(directory)


def test_shipped_template_is_loaded_with_the_text_of_its_scripts() -> None:
    spec = load_specs([SHIPPED])["debian-12-web"]

    assert spec.suite == "bookworm"
    assert "apache2" in spec.packages
    assert all(script.startswith("#!/bin/sh\n") for script in spec.scripts)


@pytest.mark.parametrize(
    ("name", "suite"), [("debian-12-web", "bookworm"), ("debian-13-web", "trixie")]
)
def test_shipped_templates_differ_in_their_suite_alone(name: str, suite: str) -> None:
    spec = load_specs([SHIPPED])[name]
    alike = load_specs([SHIPPED])["debian-12-web"]

    assert spec.suite == suite
    assert (spec.packages, spec.scripts, spec.exclude) == (
        alike.packages,
        alike.scripts,
        alike.exclude,
    )


def test_checksum_of_metadata_tells_scripts_and_packages_but_not_descriptions(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.sh").write_text("#!/bin/sh\n")
    spec = load_specs([write(tmp_path, GOOD + 'scripts = ["a.sh"]\n')])["tiny"]
    described = load_specs([write(tmp_path, GOOD + 'description = "x"\nscripts = ["a.sh"]\n')])
    (tmp_path / "a.sh").write_text("#!/bin/sh\ntrue\n")
    changed = load_specs([str(tmp_path)])["tiny"]

    assert sha256_of_spec(described["tiny"]) == sha256_of_spec(spec)
    assert sha256_of_spec(changed) != sha256_of_spec(spec)
    assert sha256_of_spec(msgspec.structs.replace(spec, packages=["x"])) != sha256_of_spec(spec)


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
