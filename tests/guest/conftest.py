"""The template that is shipped, built once by ``make test`` and only read here."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests import homes
from tests.homes import BUSYBOX, HomeUnderTest

from wirt.app import find_home
from wirt.errors import NotFound
from wirt.ops.create import DEFAULT_TEMPLATE
from wirt.storage.templates.forms import KERNEL, RAMDISK
from wirt.storage.templates.store import TemplateCache

MakeTiny = Callable[[str, str], None]
"""Makes the guest "web" under an approach, which boots a program alone."""


class ShippedTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """The forms of the shipped template: paths."""

    name: str
    directory: str
    """Where this template and the others are."""
    tree: str
    image: str
    kernel: str
    initrd: str


@pytest.fixture(scope="session")
def shared_templates() -> Path:
    """Give the directory of the templates that ``make test`` has built, or the one that the environment names."""
    directory = Path(os.environ.get("WIRT_TEST_TEMPLATES") or find_home().templates)
    try:
        # One that was updated is another version, elsewhere in that directory.
        TemplateCache(str(directory)).get(DEFAULT_TEMPLATE)
    except NotFound:
        pytest.skip(f"there is no template {DEFAULT_TEMPLATE} in {directory}; run make set-up")
    return directory


@pytest.fixture(scope="session")
def template(root_user: None, shared_templates: Path) -> ShippedTemplate:
    """Give the shipped template in every form that a root is made from."""
    cache = TemplateCache(str(shared_templates))
    boot = cache.path_of_form(DEFAULT_TEMPLATE, "boot")
    return ShippedTemplate(
        name=DEFAULT_TEMPLATE,
        directory=str(shared_templates),
        tree=cache.path_of_form(DEFAULT_TEMPLATE, "tree"),
        image=cache.path_of_form(DEFAULT_TEMPLATE, "image"),
        kernel=f"{boot}/{KERNEL}",
        initrd=f"{boot}/{RAMDISK}",
    )


@pytest.fixture
def guest_home(template: ShippedTemplate) -> Iterator[HomeUnderTest]:
    """Give a home of this test's own with the shipped template."""
    with homes.open_home(Path(template.directory)) as fresh:
        yield fresh


@pytest.fixture
def make_tiny(guest_home: HomeUnderTest, template: ShippedTemplate) -> MakeTiny:
    """Give what makes the guest "web" that boots a ramdisk of one program, of which there is no agent."""

    def create(approach: str, init: str) -> None:
        tree = guest_home.base / "ramdisk.d"
        for name in ("bin", "dev"):
            (tree / name).mkdir(parents=True)
        shutil.copy(BUSYBOX, tree / "bin/busybox")
        (tree / "init").write_text(init)
        (tree / "init").chmod(0o755)
        ramdisk = guest_home.base / "ramdisk"
        pack = "find . | cpio --quiet -o -H newc"
        with ramdisk.open("wb") as out:
            subprocess.run(["sh", "-c", pack], cwd=tree, stdout=out, check=True)
        kernel = template.kernel if approach == "qemu" else shutil.which("linux.uml")
        given = ["--kernel", str(kernel), "--ramdisk", str(ramdisk)]
        guest_home.wirt("create", "web", "-a", approach, "--memory", "128M", *given, status=0)

    return create
