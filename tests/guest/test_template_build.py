"""Real builds with mmdebstrap of the smallest root there is, from this machine's own apt sources."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wirt.errors import Failed, OutOfSpace, Unsupported
from wirt.host.process import list_pids, wait_gone
from wirt.model.template import Template, TemplateSpec
from wirt.storage.templates.apt import read_sources
from wirt.storage.templates.archive import normalise, sha256_of
from wirt.storage.templates.store import TemplateCache
from wirt.units import GIB

SUITE = read_sources()[0]["Suites"].split()[0]
SPEC = TemplateSpec(
    name="small",
    distribution="debian",
    suite=SUITE,
    packages=[],
    scripts=["#!/bin/sh\nset -eu\necho made > /etc/wirt-was-here\n"],
    exclude=["/usr/share/doc/*"],
)

BUILD = """
import sys
from wirt.storage.templates.store import TemplateCache
from tests.guest.test_template_build import SPEC
TemplateCache(sys.argv[1]).build(SPEC, progress=lambda text: print(text, flush=True))
"""


def silence(_: str) -> None:
    """Take progress and say nothing."""


def users_of(directory: Path) -> list[int]:
    """Return the processes that have something below a directory open, or are in it."""
    found = []
    for pid in list_pids():
        links = [f"/proc/{pid}/cwd", f"/proc/{pid}/root"]
        try:
            links += [f"/proc/{pid}/fd/{number}" for number in os.listdir(f"/proc/{pid}/fd")]
            if any(os.readlink(link).startswith(str(directory)) for link in links):
                found.append(pid)
        except OSError:
            continue  # it has ended meanwhile
    return found


def start_build(directory: Path, *, until: str) -> "subprocess.Popen[str]":
    """Start a build in a process of its own and return when it says ``until``."""
    build = subprocess.Popen(
        [sys.executable, "-c", BUILD, directory],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert build.stdout is not None
    for line in build.stdout:
        if until in line:
            break
    return build


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> TemplateCache:
    return TemplateCache(str(tmp_path_factory.mktemp("home") / "templates"))


@pytest.fixture(scope="module")
def built(cache: TemplateCache) -> Template:
    return cache.build(SPEC, progress=silence)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 150 MiB: the packages fit, their content does not."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150M", "wirt-test", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def test_build_makes_a_root_of_the_suite_with_its_scripts_run(
    cache: TemplateCache, built: Template
) -> None:
    tree = Path(cache.path_of_form("small", "tree"))

    assert f"VERSION_CODENAME={SUITE}" in (tree / "etc/os-release").read_text()
    assert (tree / "etc/wirt-was-here").read_text() == "made\n"
    assert built.packed_bytes < built.unpacked_bytes


def test_built_root_holds_nothing_of_this_machine(cache: TemplateCache, built: Template) -> None:
    tree = Path(cache.path_of_form(built.name, "tree"))
    configuration = sorted(path.name for path in (tree / "etc/apt/apt.conf.d").iterdir())
    left = [name for name in ("dev", "tmp", "proc", "sys") if os.listdir(tree / name)]

    assert left == []
    assert os.listdir(tree / "run") == ["lock"]
    assert not (tree / "etc/hostname").exists()
    assert not (tree / "etc/resolv.conf").exists()
    assert not [name for name in configuration if "mmdebstrap" in name]
    assert (tree / "etc/dpkg/dpkg.cfg.d/99mmdebstrap").read_text() == (
        "path-exclude=/usr/share/doc/*\n"
    )


def test_built_root_can_be_imported_again(
    cache: TemplateCache, built: Template, tmp_path: Path
) -> None:
    packed = str(Path(cache.path_of_form(built.name, "tree")).parent / "root.tar.zst")
    contents = normalise(packed, str(tmp_path / "again"), room=GIB)

    assert sha256_of(packed) == built.sha256
    assert contents.suite == SUITE


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_build_that_is_ended_in_the_middle_leaves_no_process_mount_or_template(
    tmp_path: Path, number: signal.Signals
) -> None:
    directory = tmp_path / "templates"
    with start_build(directory, until="extracting") as build:
        during = users_of(directory)
        build.send_signal(number)
    gone = [wait_gone(pid, 10) for pid in during]
    cache = TemplateCache(str(directory))

    assert len(during) > 1
    assert all(gone)
    assert users_of(directory) == []
    assert str(directory) not in Path("/proc/self/mountinfo").read_text()
    assert list(cache.list()) == []
    # What kill -9 leaves is removed by the next command; an interrupt leaves nothing.
    assert os.listdir(directory) == ([".tmp-small"] if number == signal.SIGKILL else [])
    cache.clean_up()
    assert os.listdir(directory) == []


def test_disk_full_in_the_middle_of_a_build_is_one_error_and_leaves_nothing(
    small_disk: Path,
) -> None:
    with pytest.raises(OutOfSpace) as caught:
        TemplateCache(str(small_disk)).build(SPEC, progress=silence)

    assert str(caught.value) == (
        f"template small does not fit into {small_disk}: it needs more than the 150 MiB that are "
        "free there; free some space, or set WIRT_HOME to a directory on a larger disk"
    )
    assert os.listdir(small_disk) == []


def test_package_that_does_not_exist_is_named(tmp_path: Path) -> None:
    spec = TemplateSpec(
        name="odd", distribution="debian", suite=SUITE, packages=["no-such-package"]
    )
    with pytest.raises(Failed) as caught:
        TemplateCache(str(tmp_path)).build(spec, progress=silence)

    assert str(caught.value) == (
        "mmdebstrap could not build template odd: Unable to locate package no-such-package; "
        "check the suite, the packages and the scripts of the template"
    )
    assert os.listdir(tmp_path) == []


def test_script_that_fails_is_named(tmp_path: Path) -> None:
    spec = TemplateSpec(
        name="odd",
        distribution="debian",
        suite=SUITE,
        packages=[],
        scripts=["#!/bin/sh\nexit 0\n", "#!/bin/sh\necho the cable is out >&2\nexit 3\n"],
    )
    with pytest.raises(Failed) as caught:
        TemplateCache(str(tmp_path)).build(spec, progress=silence)

    assert str(caught.value) == (
        "script 2 of template odd failed: the cable is out; "
        "check the suite, the packages and the scripts of the template"
    )
    assert os.listdir(tmp_path) == []


def test_suite_that_this_machine_has_no_source_for_is_refused(tmp_path: Path) -> None:
    spec = TemplateSpec(name="odd", distribution="ubuntu", suite="noble", packages=[])
    with pytest.raises(Unsupported) as caught:
        TemplateCache(str(tmp_path)).build(spec, progress=silence)

    assert str(caught.value) == (
        "this machine's apt has no source for the suite noble; "
        "add one with its key to /etc/apt/sources.list.d and try again"
    )
    assert os.listdir(tmp_path) == []


def test_suite_that_the_mirrors_do_not_have_fails_with_apts_reason_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    # The machine's own source serves every suite of its distribution that the mirror still has.
    spec = TemplateSpec(name="odd", distribution="debian", suite="potato", packages=[])
    with pytest.raises(Failed) as caught:
        TemplateCache(str(tmp_path)).build(spec, progress=silence)

    assert caught.value.message.startswith(
        "mmdebstrap could not build template odd: The repository"
    )
    assert "potato" in caught.value.message
    assert caught.value.hint == "check the suite, the packages and the scripts of the template"
    assert os.listdir(tmp_path) == []
