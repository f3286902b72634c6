"""What tests of all kinds share: a home of their own, a tiny template, and no skip where none is wanted."""

import os
import signal
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests import homes
from tests.homes import HomeUnderTest
from wirt.storage.templates.store import TemplateCache
from wirt.units import MIB

TINY = "tiny"
"""Name of the busybox template."""

_REQUIRED = os.environ.get("WIRT_REQUIRE") == "1"
"""Set to 1 by ``make test``: a test that cannot run here has failed, because nobody would miss it otherwise."""


def pytest_configure() -> None:
    """Let Ctrl-C come as Python has it: a suite started in a shell's background inherits that it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _REQUIRED and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but WIRT_REQUIRE is set: {_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if _REQUIRED and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"skipped, but WIRT_REQUIRE is set: {_reason(report.longrepr)}"
    return report


def _reason(said: object) -> str:
    return str(said[2]) if isinstance(said, tuple) else str(said)


@pytest.fixture(scope="session")
def root_user() -> None:
    """Ask for root: kernel objects are made."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture(scope="session")
def shared_base(root_user: None) -> Iterator[Path]:
    """Give a directory for what many tests only read."""
    with homes.open_base() as base:
        yield base


@pytest.fixture(scope="session")
def busybox_tar(shared_base: Path) -> Path:
    """Give a root file system of a few megabytes."""
    path = shared_base / "tiny.tar"
    homes.build_busybox_tar(path)
    return path


@pytest.fixture(scope="session")
def tiny_templates(shared_base: Path, busybox_tar: Path) -> Path:
    """Give a directory of templates with ``TINY``, its tree unpacked."""
    directory = shared_base / "templates"
    cache = TemplateCache(str(directory))
    cache.import_root(str(busybox_tar), TINY)
    cache.path_of_form(TINY, "tree")
    return directory


@pytest.fixture(scope="session")
def btrfs_templates(busybox_tar: Path) -> Iterator[Path]:
    """Give the same templates on a btrfs file system of their own, on a loop file, where there is room for homes beside."""
    with homes.open_base() as base:
        volume = base / "volume"
        volume.mkdir()
        with (base / "disk").open("wb") as disk:
            disk.truncate(512 * MIB)
        subprocess.run(["mkfs.btrfs", "--quiet", base / "disk"], check=True)
        subprocess.run(["mount", "-o", "loop", base / "disk", volume], check=True)
        subprocess.run(["btrfs", "quota", "enable", volume], check=True)
        volume.chmod(0o711)
        cache = TemplateCache(str(volume / "templates"))
        cache.import_root(str(busybox_tar), TINY)
        cache.path_of_form(TINY, "btrfs")
        yield volume / "templates"
        # Not the lazy way: the loop device must be free when this returns.
        subprocess.run(["umount", volume], check=True)


@pytest.fixture
def home(tiny_templates: Path) -> Iterator[HomeUnderTest]:
    """Give a home of this test's own with the tiny template."""
    with homes.open_home(tiny_templates) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def module_home(tiny_templates: Path) -> Iterator[HomeUnderTest]:
    """Give a home that the tests of a module share."""
    with homes.open_home(tiny_templates) as fresh:
        yield fresh
