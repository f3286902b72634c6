"""The lab host: a Debian 12 machine with what the test machine may lack, as an emulated guest of Wirt's own.

cgroup v2 with every controller, systemd as process 1, AppArmor, LVM, and a ``/dev/kvm`` that starts stock kernels (QEMU's
emulated SVM). The project's own tests run in it. Its template is built once and kept in ``WIRT_LAB`` (default
``/var/cache/wirt-lab``); the machine itself is made for each session and gone afterwards. What it shares with the other
lab host (``xenhost``), whose system is the first domain of a Xen hypervisor, is here too.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.homes import WIRT

from wirt import app
from wirt.model.home import Home
from wirt.ops import copy_in
from wirt.storage.templates.store import FORMS, PACKED

ETC = Path(__file__).parent
NAME, TEMPLATE = "lab", "wirt-lab"
PROJECT = "/opt/wirt"
PYTHON = f"{PROJECT}/.venv/bin/python"
PACKAGES = (
    *("click", "msgspec"),
    *("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py", "pytest_timeout"),
    "typing_extensions",
)
"""What the tests of guests import; whatever else the project needs measures or draws."""

_UNPACKED = f"""\
set -e
python3 -m venv --without-pip {PROJECT}/.venv
printf '{PROJECT}/src\\n{PROJECT}/site-packages\\n' > {PROJECT}/.venv/lib/python3.11/site-packages/wirt.pth
printf '#!%s\\nfrom wirt.cli.entry import entry\\nentry()\\n' {PYTHON} > {PROJECT}/.venv/bin/wirt
chmod 755 {PROJECT}/.venv/bin/wirt
modprobe --all kvm_amd overlay btrfs loop
"""


class Host(ABC):
    """A machine that the project is on, whatever runs commands there."""

    @abstractmethod
    def run(self, *argv: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command there and return what it said, whatever its status."""

    def check(self, *argv: str, seconds: float = 300) -> str:
        """Run a command that must succeed and return its output."""
        done = self.run(*argv, seconds=seconds)
        if done.returncode != 0:
            raise AssertionError(f"{argv} ended with {done.returncode} in the lab: {done}")
        return done.stdout

    def wirt_inside(self, *arguments: str, seconds: float = 300) -> str:
        """Run a command of Wirt's there, in its own home, and return its output."""
        return self.check(f"{PROJECT}/.venv/bin/wirt", *arguments, seconds=seconds)

    def pytest(self, *arguments: str, seconds: float = 1800) -> str:
        """Run tests of the project on the lab host, where a skip is a failure too; return pytest's report.

        Raises:
            AssertionError: one failed, or none ran; its text is the report.
        """
        environment = ("env", "WIRT_REQUIRE=1", "PYTHONDONTWRITEBYTECODE=1")
        plugins = ("-p", "no:cacheprovider", "-p", "pytest_timeout")
        argv = (*environment, PYTHON, "-m", "pytest", "-q", *plugins, *arguments)
        done = self.run("/bin/sh", "-c", f'cd {PROJECT} && exec "$@"', "sh", *argv, seconds=seconds)
        if done.returncode != 0:
            raise AssertionError(f"in the lab:\n{done.stdout}\n{done.stderr}")
        return done.stdout


class LabHost(Host):
    """A running lab host with the project in it."""

    def __init__(self, home: Home, name: str = NAME) -> None:
        """Describe the lab host of a home; ``open_lab`` makes it."""
        self._home = home
        self.name = name

    def wirt(self, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
        """Run a command of Wirt's on the node, about the lab host."""
        return _wirt(self._home, *arguments, seconds=seconds)

    def run(self, *argv: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command on the lab host and return what it said, whatever its status."""
        return self.wirt("exec", self.name, "--", *argv, seconds=seconds)

    def put(self, source: Path | str, target: str) -> None:
        """Copy what the directory ``source`` holds into the directory ``target`` of the lab host."""
        with app.open_context(self._home) as context:
            copy_in.copy_in(context, context.store.find(self.name), str(source), target)

    def put_template(self, name: str) -> None:
        """Give the lab host's own home a template of this node's, as guests with their own kernel need it."""
        built = Path(Home().templates, name)
        with app.open_context(Home()) as context:
            context.templates.path_of_form(name, "boot")
        with tempfile.TemporaryDirectory(prefix="wirt-lab-") as staging:
            for part in ("template.json", FORMS["boot"]):
                copy(built / part, Path(staging, part))
            # The image is mostly holes, which no archive of ours keeps.
            packed = [
                "zstd",
                "-q",
                "-T0",
                "-1",
                str(built / "root.img"),
                "-o",
                f"{staging}/root.img.zst",
            ]
            subprocess.run(packed, check=True)
            self.put(staging, f"{Home().templates}/{name}")
        self.check("zstd", "-q", "-d", "--rm", f"{Home().templates}/{name}/root.img.zst")

    def put_packed(self, name: str) -> None:
        """Give the lab host's own home a template of this node's as containers need it: what they rest on is made of it there."""
        with tempfile.TemporaryDirectory(prefix="wirt-lab-") as staging:
            for part in ("template.json", PACKED):
                copy(Path(Home().templates, name, part), Path(staging, part))
            self.put(staging, f"{Home().templates}/{name}")


@contextmanager
def open_lab() -> Iterator[LabHost]:
    """Make and start the lab host; put the project into it, and take it away.

    Raises:
        AssertionError: it did not start; says what its console said last.
    """
    home = cache()
    lab = LabHost(home)
    lab.wirt("destroy", "--force", NAME, seconds=60)  # of a session that was killed
    ensure_template(home, TEMPLATE)
    try:
        size = ("--cpus", "2", "--memory", "3G", "--disk", "8G")
        must(lab.wirt("create", NAME, "-t", TEMPLATE, "-a", "qemu", *size, seconds=60))
        try:
            must(lab.wirt("start", NAME, seconds=180))
        except AssertionError as error:
            logs = Path(home.data, "guests").glob("*/console.log")
            raise AssertionError(f"{error}\n{last_said(logs)}") from error
        with tempfile.TemporaryDirectory(prefix="wirt-lab-") as staging:
            copy_project(staging)
            lab.put(staging, PROJECT)
        lab.check("/bin/sh", "-c", _UNPACKED)
        yield lab
    finally:
        must(lab.wirt("destroy", "--force", NAME, seconds=60))


def cache() -> Home:
    """Return the home that the templates of lab hosts are kept in."""
    base = Path(os.environ.get("WIRT_LAB", "/var/cache/wirt-lab"))
    base.mkdir(mode=0o711, parents=True, exist_ok=True)
    return Home(data=f"{base}/home", run=f"{base}/run", etc=str(ETC))


def ensure_template(home: Home, template: str) -> None:
    """Build a template of a lab host's unless it is there as its files describe it; no guest may rest on it."""
    described = [
        ETC / f"templates.d/{template}.toml",
        *sorted((ETC / f"templates.d/{template}").iterdir()),
    ]
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in described)).hexdigest()
    stamp = Path(home.data).parent / f"{template}.made-from"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    _wirt(home, "template", "remove", template, seconds=60)
    must(_wirt(home, "template", "build", template, seconds=600))
    stamp.write_text(wanted)


def copy_project(directory: Path | str) -> None:
    """Copy what of the checkout and of Python's packages tests on a lab host need into a directory."""
    checkout = Path(__file__).parents[2]
    for name in ("src", "tests", "docs", "pyproject.toml"):
        copy(checkout / name, Path(directory, name))
    # Where the set-up has made one: Debian 12's own is too old.
    if (criu := checkout / "build/criu").exists():
        copy(criu, Path(directory, "build/criu"))
    for name in PACKAGES:
        place = _place_of(name)
        copy(place, Path(directory, "site-packages", place.name))


def last_said(logs: Iterable[Path]) -> str:
    """Return what consoles have said last."""
    texts = [path.read_text(errors="replace") for path in logs if path.exists()]
    return "\n".join(line for text in texts for line in text.splitlines()[-40:])


def _place_of(package: str) -> Path:
    """Return the directory of a package, or the file of one that is a single module."""
    found = importlib.util.find_spec(package)
    assert found is not None
    # A package's directory; a module's file.
    places: list[str | None] = [*(found.submodule_search_locations or []), found.origin]
    return Path(next(place for place in places if place))


def _wirt(home: Home, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    where = {"WIRT_HOME": home.data, "WIRT_RUN": home.run, "WIRT_ETC": home.etc}
    return subprocess.run(
        [WIRT, *arguments],
        env={**os.environ, **where},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def must(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(done.args)} ended with {done.returncode}:\n{done.stderr}")
