import json
import re
from pathlib import Path

import pytest

from wirt import __version__
from wirt.bench import caveats
from wirt.bench import environment as module
from wirt.bench.environment import describe_environment, describe_program
from wirt.host import run
from wirt.model.capability import no, yes


def test_describe_environment_is_json_with_the_keys_of_the_format() -> None:
    environment = describe_environment("/", approaches=[yes("lxc", "works"), no("kvm", "no CPU")])

    assert json.loads(json.dumps(environment)) == environment
    assert {
        "cpu",
        "load_before",
        "node_is_guest",
        "memory_bytes",
        "swap_bytes",
        "kernel",
        "kernel_cmdline",
        "distribution",
        "programs",
        "mitigations",
        "clocksource",
        "filesystem",
        "cgroup",
        "temperature_c",
        "ksm",
        "transparent_hugepages",
        "aslr",
        "cgroup_limits",
        "wirt",
    } <= environment.keys()
    assert environment["cpu"]["count"] >= 1
    assert environment["approaches"]["kvm"] == {"available": False, "reason": "no CPU"}


def test_describe_environment_names_the_host_only_when_asked() -> None:
    assert "hostname" not in describe_environment("/")
    assert describe_environment("/", hostname=True)["hostname"]


def test_describe_environment_is_understood_by_the_caveats() -> None:
    environment = describe_environment("/") | {"load_before": 99.0, "node_is_guest": "firecracker"}

    lines = caveats.of_environment(environment)

    assert any("load 99.00" in line for line in lines)
    assert any("firecracker" in line for line in lines)


def make_checkout(directory: Path) -> Path:
    """Make a git checkout with a package in src, and return the package's own file."""
    program = directory / "src" / "wirt" / "bench" / "environment.py"
    program.parent.mkdir(parents=True)
    program.write_text("first\n")
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for argv in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "first"]):
        run.check(["git", "-C", str(directory), *argv])
    return program


def test_program_in_a_checkout_is_named_by_its_commit_and_whether_files_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = make_checkout(tmp_path)
    monkeypatch.setattr(module, "__file__", str(program))
    clean = describe_program()
    program.write_text("second\n")
    dirty = describe_program()

    assert re.fullmatch(r"[0-9a-f]{40}", clean["commit"])
    assert (clean["version"], clean["dirty"]) == (__version__, False)
    assert dirty == {**clean, "dirty": True}


def test_program_that_is_installed_has_a_version_and_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "lib" / "site-packages" / "wirt" / "bench" / "environment.py"
    monkeypatch.setattr(module, "__file__", str(place))

    assert describe_program() == {"version": __version__, "commit": None, "dirty": None}
