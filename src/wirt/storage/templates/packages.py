"""Fetches packages for a root that is not the node's: what it lacks is found out and downloaded here, by the node's apt.

apt is given a configuration of its own: the package database of the other root, the node's sources of that root's suite,
the node's proxies and keys, and directories of ours. Nothing of the node's own package state is read or changed, and
nothing of this configuration is put into the root.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wirt.errors import Failed, InvalidInput, Unsupported
from wirt.host.lock import hold
from wirt.host.run import WITH_US, check, run
from wirt.storage.templates.apt import (
    carried_settings,
    read_own_suite,
    read_sources,
    render_deb822,
    select_suite,
)
from wirt.storage.templates.archive import parse_release
from wirt.storage.templates.specs import PACKAGE, SUITE

_URI = re.compile(r"'[^']+' (\S+) \d+( \S+)?")
_FILE = re.compile(r"[A-Za-z0-9%_.+~-]+\.deb")
_UPGRADE = ("upgrade", "--with-new-pkgs")
_LOCK_SECONDS = 600.0


class PackageCache:
    """The packages that were fetched for the guests of a home, one directory a suite.

    Args:
        directory: ``WIRT_HOME/packages``; made when first needed.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def fetch(self, status: bytes, release: bytes, wanted: Sequence[str], into: str) -> list[str]:
        """Fetch what a root lacks of packages, or what of it can be upgraded, and return the names of the files.

        Args:
            status: the root's ``/var/lib/dpkg/status``.
            release: the root's os-release.
            wanted: the packages; none: whatever can be upgraded without taking anything away.
            into: directory that the files are put into.

        Raises:
            InvalidInput: what is wanted is no name of a package.
            Unsupported: the node has no source for the root's suite.
            Failed: apt could not fetch them; the message is apt's own.
        """
        for name in wanted:
            if PACKAGE.fullmatch(name) is None:
                raise InvalidInput(
                    f"{name!r} is no name of a package", hint="give names as apt knows them"
                )
        verb = ["install", *wanted] if wanted else _UPGRADE
        with self._prepared(status, release) as place:
            files = self._lacking(place, verb)
            if files:
                self._apt(place, "--download-only", *verb)
            for name in files:
                shutil.copyfile(place / "archives" / name, f"{into}/{name}")
        return files

    def outdated(self, status: bytes, release: bytes) -> list[str]:
        """Return the names of the files that a root's packages could be upgraded with; fetches none of them.

        Raises:
            Unsupported, Failed: as ``fetch``.
        """
        with self._prepared(status, release) as place:
            return self._lacking(place, _UPGRADE)

    @contextmanager
    def _prepared(self, status: bytes, release: bytes) -> Iterator[Path]:
        """Give the directory of a root's suite, in which apt knows what there is now and what the root has."""
        said = parse_release(release)
        distribution, suite = said.get("ID", ""), said.get("VERSION_CODENAME", "")
        if SUITE.fullmatch(suite) is None:
            raise Unsupported(
                f"the suite of {said.get('PRETTY_NAME', 'this system')!r} is not known",
                hint="its os-release must have a VERSION_CODENAME, such as bookworm",
            )
        sources = select_suite(read_sources(), suite, sibling=read_own_suite(distribution))
        place = Path(self._directory, suite)
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
        with hold(str(place / "lock"), f"the packages of {suite}", wait=_LOCK_SECONDS):
            (place / "status").write_bytes(status)
            (place / "wirt.sources").write_text(render_deb822(sources))
            settings = carried_settings(check(["apt-config", "dump"]))
            (place / "apt.conf").write_text(build_configuration(str(place), settings))
            for name in ("lists/partial", "archives/partial", "empty"):
                (place / name).mkdir(parents=True, exist_ok=True)
            self._apt(place, "update")
            yield place

    def _lacking(self, place: Path, verb: Sequence[str]) -> list[str]:
        """Return the files that apt needs for a verb, those too that were fetched before."""
        empty = ["-o", f"Dir::Cache::archives={place}/empty"]
        return parse_files(self._apt(place, "--print-uris", *empty, *verb))

    def _apt(self, place: Path, *arguments: str) -> str:
        done = run(
            [*WITH_US, "apt-get", "--yes", "--quiet=2", *arguments],
            environment={"APT_CONFIG": str(place / "apt.conf")},
        )
        if done.status != 0:
            said = [line[3:] for line in done.stderr.splitlines() if line.startswith("E: ")]
            reason = said[0] if said else f"apt-get ended with exit status {done.status}"
            raise Failed(reason, detail=f"{done.stdout}\n{done.stderr}".strip())
        return done.stdout


def build_configuration(place: str, settings: str) -> str:
    """Return the apt.conf for the directory ``place``: the node's way of fetching, and nothing else of the node's."""
    ours = {
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::Etc::sourcelist": f"{place}/wirt.sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": place,
        "Dir::State::lists": f"{place}/lists",
        "Dir::State::status": f"{place}/status",
        "Dir::State::extended_states": f"{place}/extended_states",
        "Dir::Cache": place,
        "Dir::Cache::archives": f"{place}/archives",
        "Dir::Log": f"{place}/log",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
    }
    return settings + "".join(f'{key} "{value}";\n' for key, value in ours.items())


def parse_files(said: str) -> list[str]:
    """Return the file names in what ``apt-get --print-uris`` says, in its order."""
    names = [match[1] for line in said.splitlines() if (match := _URI.fullmatch(line.strip()))]
    return [name for name in names if _FILE.fullmatch(name)]
