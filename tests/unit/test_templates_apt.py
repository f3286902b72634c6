"""The node's apt sources, as a template build takes them over."""

from pathlib import Path

import pytest

from wirt.errors import Unsupported
from wirt.model.template import TemplateSpec
from wirt.storage.templates.apt import (
    carried_settings,
    parse_deb822,
    parse_one_line,
    read_own_suite,
    read_sources,
    render_deb822,
    select_suite,
)
from wirt.storage.templates.mmdebstrap import build_argv

DEB822 = """\
# the archive
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdA

Types: deb
URIs: http://mirror.example/other
Suites: stable
Components: main

enabled: no
types: deb
URIs: http://off.example/debian
Suites: bookworm-security
Components: main
"""


def test_sources_of_a_suite_are_kept_with_their_keys_and_nothing_else() -> None:
    chosen = render_deb822(select_suite(parse_deb822(DEB822), "bookworm"))

    assert chosen == (
        "Types: deb\n"
        "URIs: http://mirror.example/debian\n"
        "Suites: bookworm bookworm-updates\n"
        "Components: main\n"
        "Signed-By: \n"
        " -----BEGIN PGP PUBLIC KEY BLOCK-----\n"
        " .\n"
        " mDMEY865UxYJKwYBBAHaRw8BAQdA\n"
    )


def test_one_line_source_becomes_a_stanza_with_its_options() -> None:
    line = "deb [arch=amd64,i386 signed-by=/k.gpg] http://m.example/d bookworm main contrib # x\n"

    assert parse_one_line(line + "# deb http://no.example/d bookworm main\nnonsense\n") == [
        {
            "Types": "deb",
            "Architectures": "amd64 i386",
            "Signed-By": "/k.gpg",
            "URIs": "http://m.example/d",
            "Suites": "bookworm",
            "Components": "main contrib",
        }
    ]


def test_both_kinds_of_source_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example/d one main\n")
    (tmp_path / "sources.list.d" / "b.sources").write_text("Types: deb\nSuites: two\n")
    (tmp_path / "sources.list.d" / "c.sources.disabled").write_text("Types: deb\nSuites: no\n")

    suites = [stanza["Suites"] for stanza in read_sources(str(tmp_path))]

    assert suites == ["one", "two"]


def test_suite_that_apt_does_not_know_is_refused() -> None:
    with pytest.raises(Unsupported) as caught:
        select_suite(parse_deb822(DEB822), "noble")

    assert str(caught.value) == (
        "this machine's apt has no source for the suite noble; "
        "add one with its key to /etc/apt/sources.list.d and try again"
    )


def test_settings_for_fetching_are_carried_and_others_are_not() -> None:
    dump = (
        'APT "";\n'
        'Acquire::http::Proxy "http://proxy.example:3142";\n'
        'Acquire::Check-Valid-Until "false";\n'
        'Acquire::Languages:: "none";\n'
        'Acquire::IndexTargets::deb::DEP-11::MetaKey "x";\n'
        'DPkg::Post-Invoke:: "true";\n'
    )

    assert carried_settings(dump) == (
        'Acquire::http::Proxy "http://proxy.example:3142";\n'
        'Acquire::Check-Valid-Until "false";\n'
        'Dir::Etc::netrc "/etc/apt/auth.conf";\n'
        'Dir::Etc::netrcparts "/etc/apt/auth.conf.d";\n'
    )


def test_suite_without_a_source_gets_those_of_the_machines_own_with_its_name_put_in() -> None:
    own = parse_one_line(
        "deb [signed-by=/k.gpg] http://m.example/d bookworm main\n"
        "deb http://m.example/s bookworm-security main\n"
        "deb http://m.example/other stable main\n"
    )

    chosen = render_deb822(select_suite(own, "trixie", sibling="bookworm"))

    assert chosen == (
        "Types: deb\nSigned-By: /k.gpg\nURIs: http://m.example/d\nSuites: trixie\n"
        "Components: main\n\n"
        "Types: deb\nURIs: http://m.example/s\nSuites: trixie-security\nComponents: main\n"
    )


def test_suite_with_a_source_of_its_own_gets_that_and_no_other() -> None:
    own = parse_one_line(
        "deb http://own.example/d bookworm main\ndeb http://new.example/d trixie main\n"
    )

    chosen = select_suite(own, "trixie", sibling="bookworm")

    assert [stanza["URIs"] for stanza in chosen] == ["http://new.example/d"]


def test_own_suite_is_known_of_the_own_distribution_alone(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')

    assert read_own_suite("debian", str(release)) == "bookworm"
    assert read_own_suite("ubuntu", str(release)) is None
    assert read_own_suite("debian", str(tmp_path / "none")) is None


def test_mmdebstrap_gets_packages_exclusions_and_scripts_in_order() -> None:
    spec = TemplateSpec(
        name="t",
        distribution="debian",
        suite="bookworm",
        packages=["systemd-sysv", "apache2"],
        scripts=["#!/bin/sh\n"],
        exclude=["/usr/share/doc/*"],
    )

    argv = build_argv(spec, tree="/w/root", sources="/w/s", settings="/w/c", scripts=["/w/a b"])

    assert argv == [
        "mmdebstrap",
        "--mode=root",
        "--format=directory",
        "--variant=minbase",
        "--include=systemd-sysv,apache2",
        "--aptopt=/w/c",
        "--dpkgopt=force-unsafe-io",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--customize-hook=install -m 755 '/w/a b' \"$1\"/tmp/wirt-script"
        ' && chroot "$1" /tmp/wirt-script && rm "$1"/tmp/wirt-script',
        "bookworm",
        "/w/root",
        "/w/s",
    ]
