"""The machine's own apt configuration, as a template build needs it: where packages come from and how to get there.

Wirt names no package mirror. It reads the node's sources, keeps those of the wanted suite, and hands them on with
their keys; proxies, certificates and logins of the node's apt go on working. All but the two ``read_`` functions is pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from wirt.errors import Unsupported
from wirt.storage.templates.archive import parse_release

Stanza = Mapping[str, str]
"""One apt source: the fields of sources.list(5) in deb822 style; a value may run over several lines."""

_OPTION_FIELDS = {"arch": "Architectures", "lang": "Languages", "target": "Targets"}
"""Options of one-line sources whose field has another name; the others only differ in case."""

_NOT_CARRIED = (
    "IndexTargets",
    "Changelogs",
    "Languages",
    "CompressionTypes",
    "GzipIndexes",
    "cdrom",
)


def read_sources(etc: str = "/etc/apt") -> list[Stanza]:
    """Return every package source that apt is configured with, in the order apt reads them."""
    stanzas: list[Stanza] = []
    parts = Path(etc, "sources.list.d")
    for path in (Path(etc, "sources.list"), *sorted(parts.glob("*.list"))):
        if path.is_file():
            stanzas += parse_one_line(path.read_text(errors="replace"))
    for path in sorted(parts.glob("*.sources")):
        stanzas += parse_deb822(path.read_text(errors="replace"))
    return stanzas


def parse_one_line(text: str) -> list[Stanza]:
    """Parse ``deb [option=value ...] URI SUITE COMPONENT ...`` lines; lines apt would not read are left out."""
    stanzas: list[Stanza] = []
    for line in text.splitlines():
        kind, _, rest = line.partition("#")[0].strip().partition(" ")
        rest = rest.strip()
        fields: dict[str, str] = {"Types": kind}
        if rest.startswith("["):
            options, _, rest = rest[1:].partition("]")
            for option in options.split():
                key, _, value = option.partition("=")
                field = _OPTION_FIELDS.get(key, key.title())
                fields[field] = value.replace(",", " ")
        words = rest.split()
        if kind in ("deb", "deb-src") and len(words) >= 2:
            fields |= {"URIs": words[0], "Suites": words[1], "Components": " ".join(words[2:])}
            stanzas.append(fields)
    return stanzas


def parse_deb822(text: str) -> list[Stanza]:
    """Parse paragraphs of ``Field: value`` lines, separated by empty lines; comments are dropped."""
    stanzas: list[Stanza] = []
    fields: dict[str, str] = {}
    field = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                stanzas.append(fields)
            fields = {}
        elif line[0] in " \t":
            if field in fields:
                fields[field] += f"\n{line}"
        else:
            name, _, value = line.partition(":")
            field = _canonical(name.strip())
            fields[field] = value.strip()
    return stanzas


def read_own_suite(distribution: str, path: str = "/etc/os-release") -> str | None:
    """Return the suite of the machine itself, None if it is of another distribution."""
    known = Path(path)
    said = parse_release(known.read_bytes()) if known.is_file() else {}
    return said.get("VERSION_CODENAME") if said.get("ID") == distribution else None


def select_suite(
    stanzas: Sequence[Stanza], suite: str, *, sibling: str | None = None
) -> list[Stanza]:
    """Return the sources of binary packages for ``suite``, its updates and its security updates, and no others.

    Args:
        stanzas: the machine's sources.
        suite: what is wanted.
        sibling: the suite of the same distribution that the machine itself has. The mirrors of a distribution hold all
            its suites, signed with keys of one keyring: if apt has no source for the one that is wanted, the sibling's
            are taken with its name put in.

    Raises:
        Unsupported: apt has no source for the suite.
    """
    if sibling is not None and not _selected(stanzas, suite):
        stanzas = [_renamed(stanza, sibling, suite) for stanza in _selected(stanzas, sibling)]
    chosen = _selected(stanzas, suite)
    if not chosen:
        raise Unsupported(
            f"this machine's apt has no source for the suite {suite}",
            hint="add one with its key to /etc/apt/sources.list.d and try again",
        )
    return chosen


def _selected(stanzas: Iterable[Stanza], suite: str) -> list[Stanza]:
    """Return the sources of a suite and what belongs to it; none if the suite itself has none."""
    wanted = {suite, f"{suite}-updates", f"{suite}-security", f"{suite}/updates"}
    chosen: list[Stanza] = []
    for stanza in stanzas:
        suites = [one for one in stanza.get("Suites", "").split() if one in wanted]
        enabled = stanza.get("Enabled", "yes").lower() not in ("no", "false", "0", "off")
        if suites and enabled and "deb" in stanza.get("Types", "").split():
            chosen.append({**stanza, "Types": "deb", "Suites": " ".join(suites)})
    return chosen if any(suite in stanza["Suites"].split() for stanza in chosen) else []


def _renamed(stanza: Stanza, old: str, new: str) -> Stanza:
    suites = (new + one.removeprefix(old) for one in stanza["Suites"].split())
    return {**stanza, "Suites": " ".join(suites)}


def render_deb822(stanzas: Iterable[Stanza]) -> str:
    """Return a ``.sources`` file."""
    return "\n".join(
        "".join(f"{field}: {value}\n" for field, value in stanza.items()) for stanza in stanzas
    )


def carried_settings(dump: str, etc: str = "/etc/apt") -> str:
    """Return an apt.conf with what ``apt-config dump`` says of fetching: proxies, certificates, retries, dates.

    Logins stay where they are: apt is pointed at the node's files, which are not copied into the root.
    """
    lines = [
        line
        for line in dump.splitlines()
        if line.startswith("Acquire::") and not line.split("::")[1].startswith(_NOT_CARRIED)
    ]
    lines += [
        f'Dir::Etc::netrc "{etc}/auth.conf";',
        f'Dir::Etc::netrcparts "{etc}/auth.conf.d";',
    ]
    return "\n".join([*lines, ""])


def _canonical(field: str) -> str:
    """Field names do not depend on case: give the ones that are looked up one spelling."""
    for known in ("Types", "Suites", "Enabled", "URIs", "Components"):
        if field.lower() == known.lower():
            return known
    return field
