"""The lab host: a Debian 12 machine with what the test machine may lack, as an emulated guest of Wirt's own.

cgroup v2 with every controller, systemd as process 1, AppArmor, LVM, and a ``/dev/kvm`` that starts stock kernels (QEMU's
emulated SVM). The project's own tests run in it. Its template is built once and kept in ``WIRT_LAB`` (default
``/var/cache/wirt-lab``); the machine itself is made for each session and gone afterwards. There is a second one, whose
system is the first domain of a Xen hypervisor.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.homes import WIRT

from wirt import app
from wirt.model.home import Home
from wirt.ops import copy_in
from wirt.storage.templates.store import FORMS

ETC = Path(__file__).parent
NAME, XEN_NAME = "lab", "lab-xen"
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

_KERNEL_FILES = "/boot/wirt"
_INTO_XEN = f"""\
set -e
zcat /boot/xen-*-amd64.gz >/run/xen
told=$(sed 's/ttyS0/hvc0/g; s/wirt_grow=1//' /proc/cmdline)
# The firmware is not asked again: it has given its devices away. And Xen does not start with these two of QEMU's processor.
wanted='no-real-mode edd=off smap=off cpuid=no-rdtscp'
kexec -l /run/xen --command-line="xen $wanted dom0_mem=1536M,max:1536M console=com1 com1=115200,8n1 noreboot" \\
    --module="{_KERNEL_FILES}/vmlinuz $told" --module={_KERNEL_FILES}/initrd.img
sync
(sleep 1; exec kexec -e) </dev/null >/dev/null 2>&1 &
"""
_XEN_SECONDS = 600.0
_XEN_IS_UP = "systemctl -q is-active xen && xl list && modprobe --all overlay btrfs loop"


class LabHost:
    """A running lab host with the project in it."""

    def __init__(self, home: Home, name: str = NAME) -> None:
        """Describe the lab host of a home; ``open_lab`` makes it."""
        self._home = home
        self.name = name
        self._environment = {
            **os.environ,
            "WIRT_HOME": home.data,
            "WIRT_RUN": home.run,
            "WIRT_ETC": home.etc,
        }

    def wirt(self, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
        """Run a command of Wirt's on the node, about the lab host."""
        return subprocess.run(
            [WIRT, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def run(self, *argv: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command on the lab host and return what it said, whatever its status."""
        return self.wirt("exec", self.name, "--", *argv, seconds=seconds)

    def check(self, *argv: str, seconds: float = 300) -> str:
        """Run a command that must succeed and return its output."""
        done = self.run(*argv, seconds=seconds)
        if done.returncode != 0:
            raise AssertionError(f"{argv} ended with {done.returncode} in the lab: {done}")
        return done.stdout

    def wirt_inside(self, *arguments: str, seconds: float = 300) -> str:
        """Run a command of Wirt's on the lab host, in its own home, and return its output."""
        return self.check(f"{PROJECT}/.venv/bin/wirt", *arguments, seconds=seconds)

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
                _copy(built / part, Path(staging, part))
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

    def start_xen(self) -> None:
        """Have Xen take the place of the lab host's kernel, which becomes that of its first domain.

        Raises:
            AssertionError: it did not start up.
        """
        with app.open_context(self._home) as context:
            template = context.store.find(self.name).template
            self.put(context.templates.path_of_form(template, "boot"), _KERNEL_FILES)
        self.check("/bin/sh", "-c", _INTO_XEN)
        deadline = time.monotonic() + _XEN_SECONDS
        while (done := self.run("/bin/sh", "-c", _XEN_IS_UP)).returncode != 0:
            if time.monotonic() > deadline:
                raise AssertionError(f"Xen did not start up: {done.stderr}")

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


@contextmanager
def open_lab(name: str = NAME, memory: str = "3G") -> Iterator[LabHost]:
    """Make and start the lab host of a name, of the template ``wirt-NAME``; put the project into it, and take it away.

    Raises:
        AssertionError: it did not start; says what its console said last.
    """
    base = Path(os.environ.get("WIRT_LAB", "/var/cache/wirt-lab"))
    base.mkdir(mode=0o711, parents=True, exist_ok=True)
    home = Home(data=f"{base}/home", run=f"{base}/run", etc=str(ETC))
    lab = LabHost(home, name)
    template = f"wirt-{name}"
    _ensure_template(lab, template, base / f"{template}.made-from")
    lab.wirt("destroy", "--force", name, seconds=60)  # of a session that was killed
    try:
        size = ("--cpus", "2", "--memory", memory, "--disk", "8G")
        _must(lab.wirt("create", name, "-t", template, "-a", "qemu", *size, seconds=60))
        try:
            _must(lab.wirt("start", name, seconds=180))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{_console(home)}") from error
        _put_project(lab)
        yield lab
    finally:
        _must(lab.wirt("destroy", "--force", name, seconds=60))


def _ensure_template(lab: LabHost, template: str, stamp: Path) -> None:
    """Build the template unless it is there as its files describe it."""
    described = [
        ETC / f"templates.d/{template}.toml",
        *sorted((ETC / "templates.d/wirt-lab").iterdir()),
    ]
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in described)).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    lab.wirt("destroy", "--force", lab.name, seconds=60)
    lab.wirt("template", "remove", template, seconds=60)
    _must(lab.wirt("template", "build", template, seconds=600))
    stamp.write_text(wanted)


def _put_project(lab: LabHost) -> None:
    checkout = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory(prefix="wirt-lab-") as staging:
        for name in ("src", "tests", "docs", "pyproject.toml"):
            _copy(checkout / name, Path(staging, name))
        # Where the set-up has made one: Debian 12's own is too old.
        if (criu := checkout / "build/criu").exists():
            _copy(criu, Path(staging, "build/criu"))
        for name in PACKAGES:
            place = _place_of(name)
            _copy(place, Path(staging, "site-packages", place.name))
        lab.put(staging, PROJECT)
    lab.check("/bin/sh", "-c", _UNPACKED)


def _place_of(package: str) -> Path:
    """Return the directory of a package, or the file of one that is a single module."""
    found = importlib.util.find_spec(package)
    assert found is not None
    # A package's directory; a module's file.
    places: list[str | None] = [*(found.submodule_search_locations or []), found.origin]
    return Path(next(place for place in places if place))


def _console(home: Home) -> str:
    """Return what the lab host's console said last."""
    logs = [
        path.read_text(errors="replace") for path in Path(home.data, "guests").glob("*/console.log")
    ]
    return "\n".join(line for log in logs for line in log.splitlines()[-40:])


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _must(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(done.args)} ended with {done.returncode}:\n{done.stderr}")
