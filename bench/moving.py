"""Containers that are kept with their memory, or go to another node with it: ours beside LXC and CRIU by hand.

Both hold the same root, whose init begins one server with 256 MiB of memory; ``server.c`` says what that does. A second node is a
network namespace with a bridge that is joined to the first's by a cable; whoever talks to the server is in a third.
"""

import ctypes
import ipaddress
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ours import Wirt
from peers import BRIDGE, PEER_ADDRESS, SUBNET, PeerMissingError, need
from rows import Bench, Row
from timing import Pair, run, seconds_of

from wirt.approaches.lxc import criu

PORT, MEBIBYTES, CONNECTIONS = 7000, 256, 4
PEER_MAC = "02:00:00:77:00:02"
SERVER = Path(__file__).with_name("server.c")
TEMPLATE = "bench-server"
BUSYBOX = "/bin/busybox"
PATIENCE = 60.0
CLIENT = 200
"""Last number of the address of whoever talks."""
_CLONE_NEWNET = 0x40000000
_INIT = f"""#!/bin/sh
# What LXC opened for it is of the node.
exec </dev/null >/dev/null 2>&1
trap 'exit 0' 37
/server {PORT} {MEBIBYTES} & wait
"""


class Talk:
    """Connections to a server, which is listened to all the time.

    Args:
        address: the server's.
        network: path of the network that it is reached from; None for our own.
    """

    def __init__(self, address: str, network: str | None = None) -> None:
        self._address = address
        self._network = network
        self._connections: list[socket.socket] = []
        self._ending = threading.Event()
        self._heard = threading.Event()
        self._trouble = ""
        self.longest = 0.0
        """The longest time, in seconds, in which nothing was heard on the first connection."""
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> "Talk":
        """Connect."""
        self._thread.start()
        self.hear()
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self._ending.set()
        self._thread.join()

    def hear(self) -> None:
        """Return when the server has answered on every connection.

        Raises:
            RuntimeError: it does not.
        """
        self._heard.clear()
        for connection in self._connections:
            connection.sendall(b"?")
        if not self._heard.wait(PATIENCE) or self._trouble:
            raise RuntimeError(self._trouble or "the server does not answer any more")

    def _listen(self) -> None:
        try:
            self._follow()
        except OSError as error:
            self._trouble = f"a connection was lost: {error}"
            self._heard.set()

    def _follow(self) -> None:
        if self._network is not None:
            # Of this thread alone.
            _enter(self._network)
        self._connections = [self._connect() for _ in range(CONNECTIONS)]
        for connection in self._connections:
            connection.sendall(b"?")
        answered: set[int] = set()
        last = None
        while not self._ending.is_set():
            for number, connection in enumerate(self._connections):
                # The first one sets the pace, the others are looked at.
                connection.settimeout(PATIENCE if number == 0 else 0)
                try:
                    said = connection.recv(4096)
                except BlockingIOError:
                    continue
                if not said:
                    raise ConnectionResetError("it was closed")
                if b"?" in said:
                    answered.add(number)
                if number == 0:
                    now = time.monotonic()
                    self.longest = max(self.longest, now - (last or now))
                    last = now
            if len(answered) == CONNECTIONS:
                answered.clear()
                self._heard.set()
        for connection in self._connections:
            connection.close()

    def _connect(self) -> socket.socket:
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                return socket.create_connection((self._address, PORT), timeout=PATIENCE)
            except OSError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.02)


class Away(Wirt):
    """The command ``wirt`` on a second node: a home in a network of its own."""

    def __init__(self, home: Path, network: str) -> None:
        super().__init__(home)
        self._enter = ["nsenter", f"--net={network}"]
        self.places = [
            *("--home", self.environment["WIRT_HOME"], "--run", self.environment["WIRT_RUN"]),
            *("--netns", network),
        ]
        """What ``wirt node add`` is told of it."""

    def command(self, *arguments: str) -> list[str]:
        """Return a command line."""
        return [*self._enter, *super().command(*arguments)]


class ByHand:
    """A container of LXC's tools, set up so that CRIU can dump it."""

    def __init__(self, directory: Path, enter: Sequence[str] = ()) -> None:
        self._directory = directory
        self._enter = enter
        self._name = "server"

    @property
    def root(self) -> Path:
        """Return the container's root."""
        return self._directory / self._name / "rootfs"

    @property
    def images(self) -> Path:
        """Return where it is dumped to."""
        return self._directory / "images"

    def define(self, tree: str | None, bridge: str) -> None:
        """Write down the container; its root is a copy of a tree, or comes from elsewhere."""
        self.root.parent.mkdir(parents=True)
        if tree is not None:
            run(["cp", "--archive", tree, str(self.root)])
        (self.root.parent / "config").write_text(
            f"lxc.uts.name = {self._name}\n"
            f"lxc.rootfs.path = dir:{self.root}\n"
            "lxc.net.0.type = veth\n"
            f"lxc.net.0.link = {bridge}\n"
            f"lxc.net.0.veth.pair = {bridge}p\n"
            f"lxc.net.0.hwaddr = {PEER_MAC}\n"
            f"lxc.net.0.ipv4.address = {PEER_ADDRESS}/24\n"
            "lxc.net.0.flags = up\n"
            "lxc.tty.max = 0\n"
            "lxc.console.path = none\n"
            "lxc.mount.auto = proc:rw sys:rw\n"
            "lxc.init.cmd = /sbin/init\n"
        )

    def tool(self, program: str, *arguments: str) -> list[str]:
        """Return the command line of one of the tools."""
        return [*self._enter, program, "-P", str(self._directory), "-n", self._name, *arguments]

    def dump(self) -> list[str]:
        """Return the command that dumps and ends the container."""
        return self.tool("lxc-checkpoint", "-s", "-D", str(self.images))

    def restore(self, images: Path | None = None) -> list[str]:
        """Return the command that restores it."""
        return self.tool("lxc-checkpoint", "-r", "-D", str(images or self.images))

    def end(self) -> None:
        """End the container if it runs."""
        with suppress(RuntimeError):
            run(self.tool("lxc-stop", "-k"))


@contextmanager
def checkpoint(bench: Bench) -> Iterator[Pair]:
    """Checkpoint and resume of a server with connections, against ``lxc-checkpoint``."""
    _give_template(bench.wirt)
    with (
        _bridge(BRIDGE),
        _by_hand(bench) as (hand, environment),
        _guest(bench.wirt, "bench-kept") as name,
        Talk(bench.wirt.address(name)) as own,
    ):
        run(hand.tool("lxc-start", "-d"))
        with Talk(PEER_ADDRESS) as other:

            def ours() -> float:
                seconds = bench.wirt.seconds(["checkpoint", name, "one"], ["resume", name, "one"])
                own.hear()
                bench.wirt.call("snapshot", "delete", name, "one")
                return seconds

            def peer() -> float:
                seconds = seconds_of(hand.dump(), hand.restore(), environment=environment)
                other.hear()
                shutil.rmtree(hand.images)
                return seconds

            yield Pair(ours=ours, peer=peer)


@contextmanager
def migration(bench: Bench) -> Iterator[Pair]:
    """The longest silence that a client hears when its server goes to another node, against rsync and ``lxc-checkpoint``.

    On either side the images of memory stay on this machine's disk, where both nodes see them.
    """
    need("rsync", "nsenter")
    with ExitStack() as held:
        there = held.enter_context(own_network())
        away = Away(bench.wirt.home / "b", there)
        for side in (bench.wirt, away):
            _give_template(side)
        bench.wirt.call("node", "add", "b", *away.places)
        held.callback(bench.wirt.call, "node", "remove", "b")
        # The bridges stand as long as there are guests.
        stays = [held.enter_context(_guest(side, "bench-stays")) for side in (bench.wirt, away)]
        subnet = ipaddress.ip_interface(f"{bench.wirt.address(stays[0])}/20").network
        bridges = (bench.wirt.bridge, away.bridge)
        client = held.enter_context(_joined("w", bridges, there, f"{subnet[-2]}/20"))
        held.enter_context(_bridge(BRIDGE))
        _make_bridge(BRIDGE, there)
        bystander = f"{SUBNET}.{CLIENT}/24"
        other_client = held.enter_context(_joined("l", (BRIDGE, BRIDGE), there, bystander))
        hand, environment = held.enter_context(_by_hand(bench))
        place = held.enter_context(tempfile.TemporaryDirectory(prefix="wirt-bench-b-"))
        far = ByHand(Path(place), ["nsenter", f"--net={there}"])
        far.define(None, BRIDGE)

        def ours() -> float:
            with (
                _guest(bench.wirt, "bench-goes", away) as name,
                Talk(bench.wirt.address(name), client) as talk,
            ):
                bench.wirt.call("migrate", name, "b", "--mode", "live")
                talk.hear()
                return talk.longest

        def peer() -> float:
            copy = ["rsync", "-aHAX", "--delete", f"{hand.root}/", str(far.root)]
            run(hand.tool("lxc-start", "-d"))
            try:
                with Talk(PEER_ADDRESS, other_client) as talk:
                    run(copy)
                    run(hand.dump(), environment)
                    run(copy)
                    run(far.restore(hand.images), environment)
                    talk.hear()
                    return talk.longest
            finally:
                shutil.rmtree(hand.images, ignore_errors=True)
                hand.end()
                far.end()

        yield Pair(ours=ours, peer=peer)


def destroy(wirt: Wirt, name: str) -> None:
    """End and delete a guest if it is there."""
    with suppress(RuntimeError):
        wirt.destroy(name)


def _give_template(wirt: Wirt) -> None:
    """Give a home the template whose init begins the server."""
    need("gcc")
    if not Path(BUSYBOX).exists():
        raise PeerMissingError(f"{BUSYBOX} is not installed")
    if TEMPLATE in wirt.templates():
        return
    with tempfile.TemporaryDirectory(prefix="wirt-bench-") as directory:
        root = Path(directory, "root")
        for name in ("bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr/bin"):
            (root / name).mkdir(parents=True)
        shutil.copy(BUSYBOX, root / "bin")
        for name in ("sh", "true", "sleep"):
            (root / "bin" / name).symlink_to("busybox")
        (root / "sbin/init").write_text(_INIT)
        (root / "sbin/init").chmod(0o755)
        (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        run(["gcc", "-static", "-O2", "-o", str(root / "server"), str(SERVER)])
        archive = f"{directory}/root.tar"
        run(["tar", "-C", str(root), "-cf", archive, "."])
        wirt.call("template", "import", archive, TEMPLATE)


@contextmanager
def _guest(wirt: Wirt, name: str, goes_to: Wirt | None = None) -> Iterator[str]:
    """Give a running guest, and destroy it where it is then."""
    wirt.create(name, TEMPLATE, "lxc", "--cpus", str(os.cpu_count()), "--memory", "1G")
    try:
        wirt.call("start", name)
        yield name
    finally:
        for side in (wirt, goes_to):
            if side is not None:
                destroy(side, name)


@contextmanager
def _by_hand(bench: Bench) -> Iterator[tuple[ByHand, dict[str, str]]]:
    """Give a container of LXC's tools of the same root, and what has them find the CRIU that works here."""
    # By which CRIU locks the network, if it is left to itself.
    need("lxc-checkpoint", "lxc-start", "lxc-stop", "iptables-restore")
    program = criu.find()
    if program is None:
        raise PeerMissingError("CRIU is not installed")
    # Only a guest that has run has had the template's tree made.
    with _guest(bench.wirt, "bench-tree"):
        tree = bench.wirt.form(TEMPLATE, "tree")
    with tempfile.TemporaryDirectory(prefix="wirt-bench-lxc-") as directory:
        hand = ByHand(Path(directory))
        hand.define(tree, BRIDGE)
        try:
            yield hand, {"PATH": f"{os.path.dirname(program)}:{os.environ['PATH']}"}
        finally:
            hand.end()


@contextmanager
def _bridge(name: str) -> Iterator[None]:
    _make_bridge(name)
    try:
        yield
    finally:
        run(["ip", "link", "delete", name])


def _make_bridge(name: str, network: str | None = None) -> None:
    enter = ["nsenter", f"--net={network}"] if network else []
    run([*enter, "ip", "link", "add", name, "type", "bridge"])
    run([*enter, "ip", "address", "add", f"{SUBNET}.1/24", "dev", name])
    run([*enter, "ip", "link", "set", name, "up"])


@contextmanager
def own_network() -> Iterator[str]:
    """Give the path of a new network, which is there as long as the block lasts."""
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "ip link set lo up; echo ready; exec sleep 2147483647"],
        stdout=subprocess.PIPE,
    ) as keeper:
        try:
            assert keeper.stdout is not None
            keeper.stdout.readline()
            yield f"/proc/{keeper.pid}/ns/net"
        finally:
            keeper.kill()


@contextmanager
def _joined(letter: str, bridges: tuple[str, str], there: str, address: str) -> Iterator[str]:
    """Join a bridge here with one over there, and give the path of a third network with a card, and an address, on the first."""
    with own_network() as client:
        cables = ((f"wb{letter}far", there, "far" + letter), (f"wb{letter}near", client, "eth0"))
        for port, network, end in cables:
            number = network.split("/")[2]
            run(["ip", "link", "add", port, "type", "veth", "peer", end, "netns", number])
            run(["ip", "link", "set", port, "master", bridges[0], "up"])
        enter = ["nsenter", f"--net={there}"]
        run([*enter, "ip", "link", "set", "far" + letter, "master", bridges[1], "up"])
        enter = ["nsenter", f"--net={client}"]
        run([*enter, "ip", "address", "add", address, "dev", "eth0"])
        run([*enter, "ip", "link", "set", "eth0", "up"])
        try:
            yield client
        finally:
            for port, _, _ in cables:
                run(["ip", "link", "delete", port])


def _enter(network: str) -> None:
    """Have the calling thread be in a network."""
    with open(network) as there:
        if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "cannot enter a network")


ROWS = (
    Row(
        key="checkpoint",
        what="container: `wirt checkpoint` and `resume` of a 256 MiB server with open TCP connections",
        peer="`lxc-checkpoint -s` and `-r`",
        limit=0.7,
        pairs=10,
        open=checkpoint,
    ),
    Row(
        key="migration",
        what="live migration of that server: the longest silence that a TCP client hears",
        peer="rsync and `lxc-checkpoint` by hand",
        limit=0.3,
        pairs=10,
        open=migration,
    ),
)
