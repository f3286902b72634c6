"""Packages for guests: what apt is told, what is read of its answer, and what is refused before it is asked."""

from pathlib import Path

import pytest

from wirt.errors import Error
from wirt.storage.templates.packages import PackageCache, build_configuration, parse_files

DEBIAN = b'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian 12"\n'


def test_configuration_keeps_the_nodes_way_of_fetching_and_nothing_else_of_the_node() -> None:
    lines = build_configuration("/c/bookworm", 'Acquire::http::Proxy "http://p:1";\n').splitlines()
    ways = [line for line in lines if line.startswith("Dir::")]

    assert lines[0] == 'Acquire::http::Proxy "http://p:1";'
    assert 'Dir::State::status "/c/bookworm/status";' in lines
    assert 'Dir::Etc::sourcelist "/c/bookworm/wirt.sources";' in lines
    assert [line for line in ways if '"/c/bookworm' not in line and '"/dev/null"' not in line] == []


def test_files_are_read_of_what_apt_would_fetch_and_paths_are_not() -> None:
    said = (
        "NOTE: something\n"
        "'http://m.example/a_1_amd64.deb' a_2%3a1.0~b+c_amd64.deb 12 SHA256:00\n"
        "'http://m.example/x' ../../etc/passwd 12 SHA256:00\n"
        "'http://m.example/x' /etc/x.deb 12 SHA256:00\n"
        "'http://m.example/b' b_1_all.deb 12 \n"
    )

    assert parse_files(said) == ["a_2%3a1.0~b+c_amd64.deb", "b_1_all.deb"]


@pytest.mark.parametrize(
    ("wanted", "release", "message"),
    [
        (
            ["./evil.deb"],
            DEBIAN,
            "'./evil.deb' is no name of a package; give names as apt knows them",
        ),
        (
            ["--reinstall"],
            DEBIAN,
            "'--reinstall' is no name of a package; give names as apt knows them",
        ),
        (
            ["hello"],
            b'PRETTY_NAME="Own"\n',
            "the suite of 'Own' is not known; "
            "its os-release must have a VERSION_CODENAME, such as bookworm",
        ),
        (
            ["hello"],
            b"VERSION_CODENAME=../../etc\n",
            "the suite of 'this system' is not known; "
            "its os-release must have a VERSION_CODENAME, such as bookworm",
        ),
        (
            ["hello"],
            b"ID=other\nVERSION_CODENAME=nosuch\n",
            "this machine's apt has no source for the suite nosuch; "
            "add one with its key to /etc/apt/sources.list.d and try again",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    tmp_path: Path, wanted: list[str], release: bytes, message: str
) -> None:
    with pytest.raises(Error) as caught:
        PackageCache(f"{tmp_path}/packages").fetch(b"", release, wanted, str(tmp_path))

    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []
