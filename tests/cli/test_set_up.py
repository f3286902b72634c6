"""``scripts/set-up`` in a checkout of its own: done once, done again after a kill, and told why if it fails.

Nothing is installed on the machine, and nothing is fetched: the checkout's package needs nothing to be built or to run.
"""

import fcntl
import os
import platform
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests import homes

CHECKOUT = Path(__file__).parents[2]
SECONDS = 120.0
VERSION_CODENAME = platform.freedesktop_os_release()["VERSION_CODENAME"]
PROJECT = """\
[project]
name = "small"
version = "1"
[project.optional-dependencies]
dev = []
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """\
import os, zipfile

def get_requires_for_build_editable(settings=None):
    return []

def build_editable(directory, settings=None, metadata=None):
    print("building small")
    if os.path.exists("wait-here"):
        open("wait-here").read()  # a pipe: until somebody writes to it
    if os.path.exists("fail-here"):
        raise SystemExit("no compiler for small")
    name = "small-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        about = "small-1.dist-info/"
        wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\\nName: small\\nVersion: 1\\n")
        wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(about + "RECORD", "")
    return name
"""
WIRT = """\
#!/bin/sh
case "$2" in
show) test -e template-is-built ;;
build) if [ -e others-build ]; then rm others-build; touch template-is-built; echo busy; exit 8; fi
    if [ -e fail-here ]; then echo "the mirror is gone"; exit 7; fi; touch template-is-built ;;
esac
"""


class Checkout:
    """A small checkout with the real script and the real programs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("scripts", "workloads"):
            shutil.copytree(CHECKOUT / name, path / name)
        (path / "src").mkdir()
        (path / "src" / "small.py").write_text("")
        (path / "scripts" / "packages-debian.txt").write_text("bash  # is there\ncoreutils\n")
        (path / "pyproject.toml").write_text(PROJECT)
        (path / "constraints.txt").write_text("")
        (path / "backend.py").write_text(BACKEND)

    def set_up(self, *steps: str, tools: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.path / "scripts" / "set-up", *steps],
            env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )

    def begin(self, *steps: str) -> subprocess.Popen[bytes]:
        """Begin set-up in a session of its own, so that all of it can be killed."""
        return subprocess.Popen(
            [self.path / "scripts" / "set-up", *steps],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def log(self, step: str) -> str:
        path = self.path / "build" / "log" / f"{step}.log"
        return path.read_text() if path.exists() else ""

    def timed(self) -> list[str]:
        """Return the steps that were timed, in the order they were done."""
        path = self.path / "build" / "log" / "seconds"
        lines = path.read_text().splitlines() if path.exists() else []
        assert all(float(line.split()[1]) >= 0 for line in lines)
        return [line.split()[0] for line in lines]

    def fake_wirt(self) -> None:
        """Put a program in the place of Wirt that remembers whether the template is built."""
        place = self.path / ".venv" / "bin" / "wirt"
        place.parent.mkdir(parents=True)
        place.write_text(WIRT)
        place.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


def test_step_is_done_once_and_then_takes_no_time(checkout: Checkout) -> None:
    first = checkout.set_up("packages", "venv", "bytecode", "workloads")
    made = (checkout.path / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    began = time.monotonic()
    second = checkout.set_up("packages", "venv", "bytecode", "workloads")
    again = time.monotonic() - began

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == "set-up: making the virtual environment .venv\n"
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert checkout.timed() == ["venv", "workloads"]
    assert (checkout.path / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == made
    assert (checkout.path / "build" / "workloads" / "manifest.json").exists()
    assert again < 10


def test_step_that_is_killed_is_done_again(checkout: Checkout) -> None:
    os.mkfifo(checkout.path / "wait-here")
    process = checkout.begin("venv")
    deadline = time.monotonic() + SECONDS
    # Opening for writing without waiting succeeds once somebody reads: then the step is in the middle.
    while time.monotonic() < deadline:
        try:
            os.close(os.open(checkout.path / "wait-here", os.O_WRONLY | os.O_NONBLOCK))
            break
        except OSError:
            time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(SECONDS)
    (checkout.path / "wait-here").unlink()
    half = sorted(path.name for path in (checkout.path / ".venv").iterdir())
    done = checkout.set_up("venv")

    assert "made-from" not in half
    assert done.stdout == "set-up: making the virtual environment .venv\n"
    assert (done.returncode, checkout.timed()) == (0, ["venv"])
    assert checkout.set_up("venv").stdout == ""


def test_step_that_fails_shows_the_end_of_its_log_and_is_done_again(checkout: Checkout) -> None:
    checkout.fake_wirt()
    (checkout.path / "fail-here").touch()
    failed = checkout.set_up("template")
    (checkout.path / "fail-here").unlink()
    done = checkout.set_up("template")

    assert failed.returncode == 1
    assert failed.stderr == (
        "the mirror is gone\n"
        "set-up: waiting_for_others .venv/bin/wirt template build debian-12-web failed with status 7; "
        "all it said is in build/log/template.log\n"
    )
    assert done.returncode == 0
    assert checkout.set_up("template").stdout == ""


def test_node_whose_mirror_has_no_newer_criu_goes_without(
    checkout: Checkout, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, lines in {
        "criu": "exit 1",
        "apt-get": f"echo {VERSION_CODENAME} http://mirror.example/debian/",
        "mmdebstrap": 'echo "asked $*"; echo "E: no sid there"; exit 1',
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{lines}\n")
        (tools / name).chmod(0o755)
    done = checkout.set_up("criu", tools=str(tools))

    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "set-up: unpacking a newer CRIU into build/criu",
        "set-up: without CRIU: no checkpoints of containers, and none goes live to another node (see wirt doctor)",
    ]
    assert "E: no sid there" in done.stderr
    assert "http://mirror.example/debian/\n" in checkout.log("criu")


def test_template_that_another_checkout_builds_is_waited_for(checkout: Checkout) -> None:
    checkout.fake_wirt()
    (checkout.path / "others-build").touch()
    done = checkout.set_up("template")

    assert (done.returncode, done.stderr) == (0, "")
    assert (checkout.path / "build/log/template.log").read_text() == "busy\n"


def test_environment_that_cannot_be_made_leaves_no_stamp(checkout: Checkout) -> None:
    (checkout.path / "fail-here").touch()
    failed = checkout.set_up("venv", "workloads")

    assert failed.returncode == 1
    assert "no compiler for small" in failed.stderr
    assert failed.stderr.splitlines()[-1].startswith("set-up: make_venv failed with status ")
    assert not (checkout.path / ".venv" / "made-from").exists()
    assert checkout.timed() == []
    assert checkout.log("workloads") == ""


def test_packages_that_are_missing_are_named_to_who_cannot_install_them() -> None:
    nobody = 65534
    # The tests' own directories are closed to nobody.
    with homes.open_base() as base:
        checkout = Checkout(base / "checkout")
        (checkout.path / "scripts" / "packages-debian.txt").write_text("bash\nno-such-package\n")
        for place in (checkout.path, *checkout.path.rglob("*")):
            os.chown(place, nobody, nobody)
        done = subprocess.run(
            [checkout.path / "scripts" / "set-up", "packages"],
            capture_output=True,
            text=True,
            user=nobody,
            group=nobody,
            extra_groups=[],
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr == (
        "set-up: Debian packages are missing: no-such-package; run this as root\n"
    )


def test_packages_of_one_approach_are_installed_and_timed_by_themselves(
    checkout: Checkout, tmp_path: Path
) -> None:
    wanted = "bash\nengine-a lxc  # for it alone\nengine-b uml\nengine-c lxc\nsiege\n"
    (checkout.path / "scripts" / "packages-debian.txt").write_text(wanted)
    installed, called = tmp_path / "installed", tmp_path / "called"
    installed.write_text("bash\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, script in (
        ("dpkg-query", f"sed 's/$/ installed/' {installed}"),
        ("apt-get", f'echo "$*" >>{called}; printf "%s\\n" "$@" >>{installed}'),
    ):
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    first = checkout.set_up("packages", tools=str(tools))
    second = checkout.set_up("packages", tools=str(tools))

    assert first.stdout == "set-up: installing Debian packages: engine-a engine-b engine-c siege\n"
    assert (second.returncode, second.stdout) == (0, "")
    assert checkout.timed() == ["packages", "packages-lxc", "packages-uml"]
    asked = [line.split("=300 ")[1] for line in called.read_text().splitlines()]
    install = "install --no-install-recommends"
    assert asked == [
        "update",
        f"{install} siege",
        f"{install} engine-a engine-c",
        f"{install} engine-b",
    ]


def test_second_set_up_waits_for_the_first(checkout: Checkout) -> None:
    checkout.fake_wirt()
    (checkout.path / "build").mkdir()
    lock = checkout.path / "build" / "set-up.lock"
    lock.touch()
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = checkout.begin("template")
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)

    assert waiting.wait(SECONDS) == 0
    assert (checkout.path / "template-is-built").exists()
