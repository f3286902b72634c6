"""The peers: the same work done with the engines' own tools, as a person would do it by hand.

Each peer makes what it needs below a directory of its own and takes it away again.
"""

import http
import http.client
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from timing import run, seconds_of, seconds_until_line

BRIDGE = "wbench0"
SUBNET = "10.213.77"
"""Outside the space that Wirt takes its own subnets from."""
PEER_ADDRESS = f"{SUBNET}.2"
STARTED_UP = "Startup finished in"
"""What systemd says at the end of a start-up."""


class PeerMissingError(Exception):
    """A peer is not installed, or cannot run here."""


def need(*programs: str) -> None:
    """Raise ``PeerMissingError`` unless all programs are installed."""
    for program in programs:
        if shutil.which(program) is None:
            raise PeerMissingError(f"{program} is not installed")


class Lxc:
    """The LXC tools on a base container whose root is the template's tree."""

    def __init__(self, directory: Path, tree: str) -> None:
        self.directory = directory
        self._tree = tree

    def define_base(self) -> None:
        """Write down the base container; LXC's configuration is all that there is to it."""
        root = self.directory / "base" / "rootfs"
        self._write(
            "base",
            f"lxc.rootfs.path = dir:{root}\n"
            "lxc.net.0.type = veth\n"
            f"lxc.net.0.link = {BRIDGE}\n"
            "lxc.net.0.flags = up\n",
        )
        # lxc-copy insists on the container's name in the path of its root. A link is safe to delete.
        root.symlink_to(self._tree)

    def define_web(self, name: str, address: str) -> None:
        """Make a container of the base that starts with this address."""
        self.copy(name)
        config = self.directory / name / "config"
        config.write_text(f"{config.read_text()}lxc.net.0.ipv4.address = {address}/24\n")
        # The container before had the same address on another card; the node must not look for that one.
        run(["ip", "neighbour", "flush", "dev", BRIDGE])

    def copy(self, name: str) -> None:
        """Make a copy-on-write container of the base."""
        run(self._copy(name))

    def run_once(self, name: str) -> float:
        """Return the seconds of the five tools: copy, start, first command, stop, destroy."""
        return seconds_of(
            self._copy(name),
            self.start(name),
            self.tool("lxc-attach", name, "--", "true"),
            self.stop(name),
            self.destroy(name),
        )

    def start(self, name: str) -> list[str]:
        """Return the command that starts a container in the background."""
        return self.tool("lxc-start", name, "-d")

    def stop(self, name: str) -> list[str]:
        """Return the command that ends a container at once."""
        return self.tool("lxc-stop", name, "-k")

    def destroy(self, name: str) -> list[str]:
        """Return the command that deletes a container."""
        return self.tool("lxc-destroy", name)

    def tool(self, program: str, name: str, *arguments: str) -> list[str]:
        """Return the command line of one of the tools."""
        return [program, "-P", str(self.directory), "-n", name, *arguments]

    def _copy(self, name: str) -> list[str]:
        return self.tool("lxc-copy", "base", "-N", name, "-B", "overlay", "-s")

    def _write(self, name: str, text: str) -> None:
        place = self.directory / name
        place.mkdir(parents=True)
        place.joinpath("config").write_text(
            f"lxc.uts.name = {name}\n"
            f"{text}"
            "lxc.tty.max = 0\n"
            "lxc.pty.max = 1024\n"
            "lxc.console.path = none\n"
            "lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed\n"
            "lxc.apparmor.profile = unconfined\n"
            "lxc.init.cmd = /sbin/init\n"
        )


@contextmanager
def open_lxc(tree: str) -> Iterator[Lxc]:
    """Give the LXC tools a base container and a bridge, and take both away."""
    need("lxc-copy", "lxc-start", "lxc-attach", "lxc-stop", "lxc-destroy", "ip")
    directory = Path(tempfile.mkdtemp(prefix="wirt-bench-lxc-"))
    run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    try:
        run(["ip", "address", "add", f"{SUBNET}.1/24", "dev", BRIDGE])
        run(["ip", "link", "set", BRIDGE, "up"])
        lxc = Lxc(directory, tree)
        lxc.define_base()
        yield lxc
    finally:
        _end_lxc(directory)
        run(["ip", "link", "delete", BRIDGE])
        shutil.rmtree(directory)


def _end_lxc(directory: Path) -> None:
    """Stop and destroy what a failed measurement left; the base is only a file, and its root is not ours."""
    lxc = Lxc(directory, "")
    for name in sorted(entry.name for entry in directory.iterdir() if entry.name != "base"):
        for command in (lxc.stop(name), lxc.destroy(name)):
            try:
                run(command)
            except RuntimeError:
                continue  # not running, or gone already


class Podman:
    """Podman with a store of its own."""

    image = "localhost/wirt-bench"

    def __init__(self, directory: Path) -> None:
        # crun, which podman prefers, refuses nodes that have control groups of both versions.
        runtime = ["--runtime=runc"] if shutil.which("runc") else []
        places = ["--root", f"{directory}/root", "--runroot", f"{directory}/run"]
        self._base = ["podman", *runtime, *places]

    def load(self, tree: str) -> None:
        """Make an image of the template's tree."""
        archive = f"{tempfile.gettempdir()}/wirt-bench-{os.getpid()}.tar"
        try:
            run(["tar", "-C", tree, "--numeric-owner", "-cf", archive, "."])
            run([*self._base, "import", "--quiet", archive, self.image])
        finally:
            Path(archive).unlink(missing_ok=True)

    def run_once(self, name: str) -> float:
        """Return the seconds of ``run -d``, ``exec``, ``rm -f``."""
        # By itself podman raises the limits on files and processes, which not every root may.
        options = ["-d", "--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096", "--name", name]
        started = [*self._base, "run", *options, self.image, "sleep", "infinity"]
        return seconds_of(
            started,
            [*self._base, "exec", name, "true"],
            [*self._base, "rm", "-f", "-t", "0", name],
        )

    def end(self) -> None:
        """Remove every container and image of the store."""
        run([*self._base, "rm", "-f", "-a", "-t", "0"])
        run([*self._base, "rmi", "-f", "-a"])


@contextmanager
def open_podman(tree: str) -> Iterator[Podman]:
    """Give podman an image of the template, and take its store away."""
    need("podman")
    directory = Path(tempfile.mkdtemp(prefix="wirt-bench-podman-"))
    podman = Podman(directory)
    try:
        podman.load(tree)
        yield podman
        podman.end()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Incus:
    """Incus on whatever pool its default profile names (btrfs, for the budget)."""

    image = "wirt-bench"

    def load(self, tree: str) -> None:
        """Make an image of the template's tree."""
        with tempfile.TemporaryDirectory(prefix="wirt-bench-incus-") as directory:
            metadata = Path(directory, "metadata.yaml")
            metadata.write_text(f"architecture: x86_64\ncreation_date: {int(time.time())}\n")
            run(["tar", "-C", directory, "-cf", f"{directory}/meta.tar", metadata.name])
            run(["tar", "-C", tree, "--numeric-owner", "-cf", f"{directory}/root.tar", "."])
            files = [f"{directory}/meta.tar", f"{directory}/root.tar"]
            run(["incus", "image", "import", *files, "--alias", self.image])

    def run_once(self, name: str) -> float:
        """Return the seconds of ``launch``, ``exec``, ``delete -f``."""
        return seconds_of(
            ["incus", "launch", self.image, name],
            ["incus", "exec", name, "--", "true"],
            ["incus", "delete", "-f", name],
        )

    def make(self, name: str) -> None:
        """Make a stopped container."""
        run(["incus", "create", self.image, name])

    def start_once(self, name: str) -> float:
        """Return the seconds of ``start``, ``exec``, ``stop -f`` of a container that exists."""
        return seconds_of(
            ["incus", "start", name],
            ["incus", "exec", name, "--", "true"],
            ["incus", "stop", "-f", name],
        )


@contextmanager
def open_incus(tree: str) -> Iterator[Incus]:
    """Give Incus an image of the template, and take it and its containers away."""
    need("incus")
    incus = Incus()
    incus.load(tree)
    try:
        yield incus
    finally:
        for container in json.loads(run(["incus", "list", "wirt-bench", "--format", "json"])):
            run(["incus", "delete", "-f", container["name"]])
        run(["incus", "image", "delete", incus.image])


def boot_uml(image: str, memory: int) -> float:
    """Return the seconds until the image has started up under User-Mode Linux, started by hand.

    Args:
        image: raw ext4 image; it is not written to.
        memory: MiB.
    """
    need("linux.uml")
    with tempfile.TemporaryDirectory(prefix="wirt-bench-uml-") as directory:
        argv = [
            "linux.uml",
            f"mem={memory}M",
            f"uml_dir={directory}",
            "umid=bench",
            f"ubd0={directory}/cow,{image}",
            "root=/dev/ubda",
            "rw",
            "con=null",
            "con0=null,fd:1",
            "systemd.log_target=console",
        ]
        return seconds_until_line(argv, STARTED_UP)


def boot_qemu(image: str, boot: str, memory: int) -> float:
    """Return the seconds until the image has started up under QEMU's TCG, started by hand.

    Args:
        image: raw ext4 image; it is not written to.
        boot: directory with ``vmlinuz`` and ``initrd.img``.
        memory: MiB.
    """
    need("qemu-system-x86_64", "qemu-img")
    with tempfile.TemporaryDirectory(prefix="wirt-bench-qemu-") as directory:
        disk = f"{directory}/disk.qcow2"
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, disk])
        argv = [
            *("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi"),
            *("-cpu", "max", "-smp", "1", "-m", str(memory), "-nographic", "-no-reboot"),
            *("-kernel", f"{boot}/vmlinuz", "-initrd", f"{boot}/initrd.img"),
            *("-drive", f"file={disk},if=virtio,cache=unsafe"),
            "-append",
            "root=/dev/vda rw console=ttyS0 quiet mitigations=off systemd.log_target=console",
        ]
        return seconds_until_line(argv, STARTED_UP)


def answers_http(address: str) -> bool:
    """Return whether a web server answers at this address now."""
    connection = http.client.HTTPConnection(address, timeout=0.2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
