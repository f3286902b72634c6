"""Reads template metadata: one TOML file a template, with the scripts it names beside it."""

import hashlib
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from wirt.errors import Error, InvalidInput, NotFound
from wirt.model.names import check_template_name
from wirt.model.template import TemplateSpec

SHIPPED = str(Path(__file__).parents[2] / "templates")
"""The directory of the templates that come with Wirt."""

PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?([=/][A-Za-z0-9.+:~-]+)?")
SUITE = re.compile(r"[a-z0-9][a-z0-9.-]*")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.*)`")
_MISSING_FIELD = re.compile(r"Object missing required field `(.*)`")
_WRONG_TYPE = re.compile(r"Expected `(.*)`, got `(.*)` - at `\$\.(.*)`")
_TOML_WORDS = {"str": "text", "array": "a list", "int": "a number", "bool": "true or false"}


def load_specs(directories: Sequence[str]) -> dict[str, TemplateSpec]:
    """Return name -> template of every ``*.toml`` file; a later directory wins over an earlier one.

    The scripts of what is returned are their texts, no longer their file names. A directory may be missing.

    Raises:
        InvalidInput: a file cannot be read as a template; names the file, the key and the reason.
    """
    specs: dict[str, TemplateSpec] = {}
    for directory in directories:
        for path in sorted(Path(directory).glob("*.toml")):
            specs[path.stem] = _load(path)
    return specs


def say_missing(name: str, own: str | None) -> NotFound:
    """Return what to say of a template that is not there: one that can be built wants another step than a slip.

    Args:
        name: which.
        own: the directory of the user's own metadata.
    """
    if any(Path(each, f"{name}.toml").exists() for each in (SHIPPED, own) if each):
        return NotFound(
            f"template {name} is not built yet", hint=f"build it with wirt template build {name}"
        )
    return NotFound(f"no template called {name}", hint="see wirt template list")


def sha256_of_spec(spec: TemplateSpec) -> str:
    """Return what tells whether a root built of the metadata would be another: its scripts count, its description not."""
    plain = msgspec.to_builtins(msgspec.structs.replace(spec, description=""))
    # What is left empty does not count: a key that a later Wirt knows changes no old file.
    said = {key: value for key, value in plain.items() if value}
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


def _load(path: Path) -> TemplateSpec:
    try:
        spec = msgspec.convert(tomllib.loads(path.read_text()), TemplateSpec)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _refusal(path, f"is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise _refusal(path, _render_validation(str(error))) from error
    except OSError as error:
        raise _refusal(path, f"cannot be read: {error.strerror}") from error
    _check(path, spec)
    return msgspec.structs.replace(
        spec, scripts=[_read_script(path, name) for name in spec.scripts]
    )


def _check(path: Path, spec: TemplateSpec) -> None:
    try:
        check_template_name(spec.name)
    except InvalidInput as error:
        raise _refusal(path, f"has a bad name: {error.message}") from error
    if spec.name != path.stem:
        raise _refusal(path, f"calls itself {spec.name}", hint=f"name the file {spec.name}.toml")
    if SUITE.fullmatch(spec.suite) is None:
        raise _refusal(path, f"has a bad suite: {spec.suite!r} is no name of a suite")
    for package in spec.packages:
        if PACKAGE.fullmatch(package) is None:
            raise _refusal(path, f"has a bad package: {package!r} is no name of a package")
    for pattern in spec.exclude:
        if not pattern.startswith("/"):
            raise _refusal(path, f"has a bad exclude: {pattern!r} does not begin with /")


def _read_script(path: Path, name: str) -> str:
    try:
        text = (path.parent / name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise _refusal(path, f"names the script {name}, which cannot be read: {reason}") from error
    if not text.startswith("#!"):
        raise _refusal(path, f"names the script {name}, which does not begin with #!")
    return text


def _render_validation(said: str) -> str:
    if match := _UNKNOWN_FIELD.match(said):
        known = ", ".join(field.name for field in msgspec.structs.fields(TemplateSpec))
        return f"has the unknown key {match[1]} (the keys are {known})"
    if match := _MISSING_FIELD.match(said):
        return f"has no key {match[1]}"
    if match := _WRONG_TYPE.match(said):
        wanted, got = (_TOML_WORDS.get(word, word) for word in (match[1], match[2]))
        return f"has a bad {match[3]}: {wanted} is wanted, not {got}"
    return f"cannot be read: {said}"


def _refusal(
    path: Path, reason: str, hint: str = "mend the file; docs/templates.md describes it"
) -> Error:
    return InvalidInput(f"the template file {path} {reason}", hint=hint)
