"""The vz command lines of the source that want packages: ``vzyum`` and ``vzpkgcache``, with the template that is shipped."""

import subprocess
import sys
from pathlib import Path

from tests.homes import HomeUnderTest

from wirt.ops.create import DEFAULT_TEMPLATE

PROGRAMS = Path(sys.executable).parent


def run(home: HomeUnderTest, program: str, *arguments: str) -> str:
    done = subprocess.run(
        [PROGRAMS / program, *arguments],
        env=home.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_vzyum_installs_and_vzpkgcache_looks_after_the_template(guest_home: HomeUnderTest) -> None:
    run(guest_home, "vzctl", "create", "101", "--ostemplate", "fedora-core-5-i386-default")
    run(guest_home, "vzctl", "start", "101", "--wait")
    installed = run(guest_home, "vzyum", "101", "-y", "install", "hello")
    again = run(guest_home, "vzyum", "101", "install", "hello")
    greeting = run(guest_home, "vzctl", "exec2", "101", "hello")
    run(guest_home, "vzctl", "stop", "101", "--fast")
    cache = run(guest_home, "vzpkgcache")

    assert (installed, again) == ("Installed: 1 package(s)\n", "Nothing to do\n")
    assert greeting == "Hello, world!\n"
    assert cache.startswith(f"Cache of {DEFAULT_TEMPLATE} ")
