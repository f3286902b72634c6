"""The rules of the house, executable: layers, what a command imports, that every declared name is there."""

import json
import os
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import click
import grimp
import pytest

from wirt.approaches.registry import APPROACHES
from wirt.cli.main import COMMANDS
from wirt.dialects.vz.vzctl.main import COMMANDS as VZCTL
from wirt.dialects.vz.vzctl.main import find_command
from wirt.dialects.xm.main import find_command as find_xm
from wirt.dialects.xm.usage import ALIASES as XM_ALIASES
from wirt.dialects.xm.usage import COMMANDS as XM
from wirt.storage.registry import POOLS

ROOT = Path(__file__).parents[2]
HEAVY = {"asyncio", "jinja2", "matplotlib", "numpy", "rich", "scipy", "weasyprint"}
SECTION_LINES = 500
PROGRAMS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "scripts"
]


def test_layers_are_as_the_design_draws_them() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )

    assert done.returncode == 0, done.stdout + done.stderr


ABOVE = {"ops", "bench", "cli", "dialects", "console"}
BELOW = {"approaches", "storage", "network", "state", "transport"}
PORTS = {
    "wirt.approaches.base",
    "wirt.approaches.cardpowers",
    "wirt.approaches.loads",
    "wirt.approaches.faults",
    "wirt.approaches.hypervisor",
    "wirt.approaches.registry",
    "wirt.approaches.stalling",
    "wirt.approaches.stillness",
    "wirt.approaches.tracking",
    "wirt.network.base",
    "wirt.state.base",
    "wirt.storage.templates.arriving",
    "wirt.storage.base",
    "wirt.storage.disks.diskimages",
    "wirt.storage.imageroots",
    "wirt.storage.disks.nodedisks",
    "wirt.storage.disks.ova",
    "wirt.storage.templates.ownthings",
    "wirt.storage.powers",
    "wirt.storage.snapshotfile",
    "wirt.storage.templates.rootimage",
    "wirt.storage.templates.specs",
    "wirt.storage.templates.tarread",
    "wirt.storage.ubdlayer",
    "wirt.transport.base",
    "wirt.transport.machine",
    "wirt.transport.wire",
}
"""What verbs, measuring and front ends may know of the adapters' floor: ports and their powers, and formats of files."""


def test_nobody_above_knows_an_adapter() -> None:
    """The contract names adapters; this one finds those that it does not name."""
    graph = grimp.build_graph("wirt", exclude_type_checking_imports=True, cache_dir=None)

    def stands_in(module: str, floors: set[str]) -> bool:
        return bool(floors.intersection(module.split(".")[1:2]))

    wrong = [
        (one, found)
        for one in sorted(graph.modules)
        if stands_in(one, ABOVE)
        for found in sorted(graph.find_modules_directly_imported_by(one))
        if stands_in(found, BELOW) and found not in PORTS
    ]

    assert wrong == []


def test_no_modules_go_round_in_a_circle() -> None:
    """An import within a function, or for types alone, counts too: it is there for speed, never to break a circle."""
    graph = grimp.build_graph("wirt", exclude_type_checking_imports=False, cache_dir=None)
    imports = {one: graph.find_modules_directly_imported_by(one) for one in graph.modules}

    TopologicalSorter(imports).prepare()  # raises CycleError with the circle


@pytest.mark.parametrize("target", [*COMMANDS.values()])
def test_every_declared_command_is_there(target: str) -> None:
    module, _, name = target.partition(":")

    assert isinstance(getattr(import_module(module), name), click.Command)


@pytest.mark.parametrize("target", PROGRAMS.values())
def test_every_program_that_is_installed_is_there(target: str) -> None:
    module, _, name = target.partition(":")

    assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize("command", sorted(VZCTL))
def test_every_subcommand_of_vzctl_is_there(command: str) -> None:
    assert callable(find_command(command))


@pytest.mark.parametrize("command", sorted({*XM, *XM_ALIASES.values()}))
def test_every_subcommand_of_xm_is_there(command: str) -> None:
    assert callable(find_xm(command))


@pytest.mark.parametrize("target", [*APPROACHES.values(), *POOLS.values()])
def test_every_declared_adapter_is_there(target: str) -> None:
    module, _, name = target.partition(":")

    assert isinstance(getattr(import_module(module), name), type)


def modules_after(module: str, *arguments: str, directory: Path) -> set[str]:
    """Return the modules that a command has imported when it is done."""
    program = (
        "import json, sys; from importlib import import_module; name = sys.argv.pop(1); "
        "import_module(name).main(); print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, module, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={
            "PATH": os.environ["PATH"],
            "WIRT_HOME": str(directory / "home"),
            "WIRT_RUN": str(directory / "run"),
        },
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "command",
    [
        ("wirt.cli.main", "list"),
        ("wirt.dialects.vz.vzlist", "-a"),
        ("wirt.dialects.vz.vzctl.main", "status", "101"),
        ("wirt.dialects.vz.vzctl.main", "start", "101"),
        ("wirt.dialects.vz.vzctl.main", "set", "101", "--numproc", "70"),
        ("wirt.dialects.xm.main", "list"),
        ("wirt.dialects.xm.main", "create", "nothing"),
        ("wirt.dialects.xm.main", "mem-set", "web", "256"),
    ],
    ids=" ".join,
)
def test_command_imports_nothing_heavy(tmp_path: Path, command: tuple[str, ...]) -> None:
    modules = modules_after(*command, directory=tmp_path)

    assert {name.partition(".")[0] for name in modules} & HEAVY == set()
    assert not any(name.startswith("wirt.bench") for name in modules)
    adapters = {name for name in modules if name.startswith("wirt.approaches.")}
    powers = {f"wirt.approaches.{name}" for name in ("base", "cardpowers", "hypervisor", "loads")}
    assert adapters <= {*powers, "wirt.approaches.registry"}


def sources() -> list[Path]:
    return [path for top in ("src", "tests", "bench") for path in (ROOT / top).rglob("*.py")]


def test_no_module_is_longer_than_a_person_reads() -> None:
    long = [str(p) for p in sources() if len(p.read_text().splitlines()) > SECTION_LINES]

    assert long == []


def test_nothing_is_left_to_be_done_later() -> None:
    later = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b|NotImpl" + r"ementedError")
    found = [str(path) for path in sources() if later.search(path.read_text())]

    assert found == []


def test_no_module_of_the_package_imports_its_root() -> None:
    # Only the command line says the version.
    root = re.compile(r"^(import wirt$|from wirt import (?!__version__\b)(?!app$))", re.MULTILINE)
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "src").rglob("*.py")
        if root.search(path.read_text())
    }

    assert found == set()
