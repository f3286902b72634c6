"""A home of Wirt's own for one test, beside whatever else runs on the node, and the command line on it."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.leaks import World, snapshot_world
from wirt.host import files, mount
from wirt.model.guest import Guest
from wirt.model.home import Home

PROGRAMS = Path(sys.executable).parent
WIRT = str(PROGRAMS / "wirt")
BUSYBOX = "/bin/busybox"
LXC_LOCKS = "/run/lxc/lock"
"""Where liblxc keeps a lock for every path that a container was ever in."""

_INIT = b"""#!/bin/sh
# Ends when LXC asks init to shut down: SIGRTMIN+3.
trap 'exit 0' 37
sleep 2147483647 & wait $!
"""


class HomeUnderTest:
    """One home: its directories, its environment, its command line."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.home = Home(data=f"{base}/home", run=f"{base}/run", etc=f"{base}/etc")
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ},
            "WIRT_HOME": self.home.data,
            "WIRT_RUN": self.home.run,
            "WIRT_ETC": self.home.etc,
        }

    def wirt(
        self,
        *arguments: str,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        status: int | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end; with ``status``, fail unless it ends so."""
        done = subprocess.run(
            [WIRT, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env={**self.environment, **(environment or {})},
            timeout=120,
        )
        if status is not None and done.returncode != status:
            raise AssertionError(f"wirt {' '.join(arguments)} ended {done.returncode}: {done}")
        return done

    def shell(
        self,
        line: str,
        *,
        stdin: str = "",
        directory: Path | str | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a line as a person types it who finds all commands by their names; errors are part of its output."""
        path = f"{PROGRAMS}:{os.environ['PATH']}:/usr/sbin"
        return subprocess.run(
            line,
            shell=True,
            cwd=directory,
            env={**self.environment, "PATH": path, **(environment or {})},
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )

    def type(
        self,
        line: str,
        *,
        stdin: str = "",
        directory: Path | str | None = None,
        timeout: float = 60,
        status: int = 0,
    ) -> str:
        """Run a line that must end with a status, and return what it prints."""
        done = self.shell(line, stdin=stdin, directory=directory, timeout=timeout)
        assert done.returncode == status, done.stdout
        return done.stdout

    def spawn(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start the command line in a session of its own and return at once."""
        return subprocess.Popen(
            [WIRT, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **(environment or {})},
            start_new_session=True,
        )

    def guests(self) -> list[Guest]:
        """Return the guests as ``wirt list`` sees them."""
        said = self.wirt("list", "--json", status=0).stdout
        return msgspec.json.decode(said, type=list[Guest])

    def world(self) -> World:
        """Return everything on the node that is of this home: its guests' things, its bridge, what lies below it."""
        tag = self.home.tag
        places = [self.home.data, self.home.run, f"{LXC_LOCKS}{self.home.run}"]
        return snapshot_world(f"w{tag}", f"wirt-{tag}", homes=places)

    def give_templates(self, directory: Path) -> None:
        """Use the templates in ``directory`` as this home's own."""
        os.makedirs(self.home.data, mode=0o711, exist_ok=True)
        os.symlink(directory, self.home.templates)


@contextmanager
def open_base(where: str = "/var/tmp") -> Iterator[Path]:
    """Give a directory that the root user of an unprivileged guest can pass through, which pytest's is not."""
    base = Path(tempfile.mkdtemp(prefix="wirt-test-", dir=where))
    base.chmod(0o711)
    try:
        yield base
    finally:
        mount.unmount_below(str(base))
        shutil.rmtree(base)
        shutil.rmtree(f"{LXC_LOCKS}{base}", ignore_errors=True)


@contextmanager
def open_home(templates: Path | None = None, *, where: str = "/var/tmp") -> Iterator[HomeUnderTest]:
    """Give a new home, and fail if anything of it is on the node when its guests have been destroyed."""
    with open_base(where) as base:
        home = HomeUnderTest(base)
        if templates is not None:
            home.give_templates(templates)
        yield home
        for guest in home.guests():
            home.wirt("destroy", "--force", guest.name, status=0)
        files.remove_tree(f"{home.home.data}/pools")
        left = home.world().difference(World.empty())
        kernel = [line for line in left if not line.startswith("files:")]
        if kernel:
            raise AssertionError(f"the home left behind: {kernel}")


def build_busybox_tar(path: Path) -> None:
    """Write a root file system of one static program: enough for a container, small enough for every test."""
    links = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout
    with tarfile.open(path, "w") as tar:
        for name in ("bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr"):
            _add(tar, name, tarfile.DIRTYPE, mode=0o1777 if name == "tmp" else 0o755)
        for name in ("usr/bin", "usr/sbin"):
            _add(tar, name, tarfile.DIRTYPE)
        _add(tar, "bin/busybox", tarfile.REGTYPE, content=Path(BUSYBOX).read_bytes())
        for name in sorted(set(links.split()) - {"busybox"}):
            _add(tar, f"bin/{name}", tarfile.SYMTYPE, target="busybox")
        _add(tar, "sbin/init", tarfile.REGTYPE, content=_INIT)
        # Looks like a kernel to who looks from outside, and fails whoever boots it.
        for name in ("boot", "lib", "lib/modules", "lib/modules/0"):
            _add(tar, name, tarfile.DIRTYPE)
        _add(tar, "boot/vmlinuz-0", tarfile.REGTYPE, content=b"no kernel\n")
        _add(tar, "lib/modules/0/modules.dep", tarfile.REGTYPE)
        _add(tar, "etc/passwd", tarfile.REGTYPE, content=b"root:x:0:0::/root:/bin/sh\n")


def _add(
    tar: tarfile.TarFile,
    name: str,
    kind: bytes,
    *,
    mode: int = 0o755,
    content: bytes = b"",
    target: str = "",
) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size, member.linkname = kind, mode, len(content), target
    tar.addfile(member, io.BytesIO(content))
