"""The budgets as rows: what of ours is set beside what of whom, and how large the ratio may be."""

import ctypes
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ours import INTERPRETER, VZLIST, Wirt, make_archive
from peers import (
    PEER_ADDRESS,
    answers_http,
    boot_qemu,
    boot_uml,
    open_incus,
    open_lxc,
    open_podman,
)
from timing import Pair, Summary, seconds_of, seconds_until

MIB = 1024**2
PR_SET_CHILD_SUBREAPER = 36
MEMORY = 512
"""MiB of a guest with its own kernel, ours and by hand."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the rows share."""

    wirt: Wirt
    template: str
    unixbench: Path | None = None
    """Where a user's own copy of UnixBench is."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One budget: what is compared, how, and how large the ratio may be."""

    key: str
    what: str
    peer: str
    limit: float | None
    """The largest ratio that will do; None if any will."""
    pairs: int
    open: Callable[[Bench], AbstractContextManager[Pair]]
    unit: str = "s"
    least: float | None = None
    """The smallest ratio that will do."""
    points: float | None = None
    """How many hundredths the two sides, themselves shares of something, may lie apart."""

    @property
    def budget(self) -> str:
        """Return what is allowed, in words."""
        if self.points is not None:
            return f"within {self.points:g} points"
        if self.limit is None:
            return "-"
        if self.least is not None:
            return f"{self.least:g} - {self.limit:g}"
        return f"<= {self.limit:g} x"

    def verdict(self, summary: Summary) -> str:
        """Say whether the budget is met."""
        if self.points is not None:
            met = abs(summary.ours - summary.peer) * 100 <= self.points
        elif self.limit is None:
            return "no budget"
        else:
            met = (self.least or 0) <= summary.ratio <= self.limit
        return "met" if met else "**missed**"


def _run_true(bench: Bench) -> list[str]:
    return ["run", *_container(bench), "--", "true"]


def _container(bench: Bench) -> list[str]:
    """Return the definition of a container that is held to no CPU limit, as the peers' are not."""
    return ["--template", bench.template, "--approach", "lxc", "--cpus", str(os.cpu_count())]


def _whole_life(bench: Bench) -> float:
    """Return the seconds of a container's life in separate commands."""
    return bench.wirt.seconds(
        ["create", "bench-life", *_container(bench)],
        ["start", "bench-life"],
        ["exec", "bench-life", "--", "true"],
        ["destroy", "--force", "bench-life"],
    )


def _first_command(bench: Bench, name: str) -> float:
    """Return the seconds from a guest's start until its first command is answered, and end it, untimed."""
    seconds = bench.wirt.seconds(["start", name], ["exec", name, "--", "true"])
    bench.wirt.call("stop", "--force", name)
    return seconds


@contextmanager
def guest(bench: Bench, approach: str, *options: str) -> Iterator[str]:
    """Make a stopped guest, and take it away."""
    name = f"bench-{approach}"
    bench.wirt.create(name, bench.template, approach, *options)
    try:
        yield name
    finally:
        bench.wirt.destroy(name)


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Become the parent of whatever daemons our commands leave behind, so that they can be found."""
    _set_subreaper(1)
    try:
        yield
    finally:
        _set_subreaper(0)
        _reap()


def held_outside() -> float:
    """Return the memory, in MiB, of what our commands left running outside of containers.

    Pages that several processes share are counted in parts (PSS). What is in a container is in another PID namespace.
    """
    _reap()
    here = os.stat("/proc/self/ns/pid").st_ino
    held = 0
    for pid in _descendants(os.getpid()):
        try:
            if os.stat(f"/proc/{pid}/ns/pid").st_ino == here:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                held += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue  # ended meanwhile
    return held / 1024


def _descendants(ancestor: int) -> list[int]:
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            parents[int(name)] = int(stat.rpartition(")")[2].split()[1])
    found = [ancestor]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def _set_subreaper(on: int) -> None:
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, on, 0, 0, 0) != 0:
        raise RuntimeError("cannot become the parent of orphans")


def _reap() -> None:
    """Collect the orphans that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


@contextmanager
def container_run(bench: Bench) -> Iterator[Pair]:
    """One container for one command, against the five LXC tools.

    The home has a guest already, so its bridge stands as LXC's does.
    """
    # The first run makes the template's tree, which LXC then takes its root from as well.
    bench.wirt.call(*_run_true(bench))
    with guest(bench, "lxc"), open_lxc(bench.wirt.form(bench.template, "tree")) as lxc:
        yield Pair(
            ours=lambda: bench.wirt.seconds(_run_true(bench)),
            peer=lambda: lxc.run_once("once"),
        )


@contextmanager
def separate_commands_podman(bench: Bench) -> Iterator[Pair]:
    """A container's life in separate commands, against podman."""
    bench.wirt.call(*_run_true(bench))
    with open_podman(bench.wirt.form(bench.template, "tree")) as podman:
        yield Pair(ours=lambda: _whole_life(bench), peer=lambda: podman.run_once("once"))


@contextmanager
def separate_commands_incus(bench: Bench) -> Iterator[Pair]:
    """A container's life in separate commands, against Incus."""
    bench.wirt.call(*_run_true(bench))
    with open_incus(bench.wirt.form(bench.template, "tree")) as incus:
        yield Pair(ours=lambda: _whole_life(bench), peer=lambda: incus.run_once("wirt-bench-once"))


@contextmanager
def existing_container(bench: Bench) -> Iterator[Pair]:
    """Start, first command and stop of a container that exists, against Incus."""
    bench.wirt.call(*_run_true(bench))
    with open_incus(bench.wirt.form(bench.template, "tree")) as incus, guest(bench, "lxc") as name:
        incus.make("wirt-bench-again")
        commands = (["start", name], ["exec", name, "--", "true"], ["stop", "--force", name])
        yield Pair(
            ours=lambda: bench.wirt.seconds(*commands),
            peer=lambda: incus.start_once("wirt-bench-again"),
        )


@contextmanager
def clone(bench: Bench) -> Iterator[Pair]:
    """A guest made from a template of 1 GiB, against one of 100 MiB."""
    sizes = {"bench-large": 1024 * MIB, "bench-small": 100 * MIB}
    for name, size in sizes.items():
        if name not in bench.wirt.templates():
            archive = bench.wirt.home / f"{name}.tar"
            make_archive(archive, size)
            bench.wirt.call("template", "import", str(archive), name)
            archive.unlink()

    def create(template: str) -> float:
        seconds = bench.wirt.seconds(
            ["create", "bench-clone", "--template", template, "--approach", "chroot"]
        )
        bench.wirt.destroy("bench-clone")
        return seconds

    yield Pair(ours=lambda: create("bench-large"), peer=lambda: create("bench-small"))


@contextmanager
def list_empty(bench: Bench) -> Iterator[Pair]:
    """``wirt list`` with nothing to list, against the bare interpreter."""
    wirt = Wirt(bench.wirt.home / "empty")
    wirt.call("list")
    yield Pair(
        ours=lambda: wirt.seconds(["list"]), peer=lambda: seconds_of([INTERPRETER, "-c", "pass"])
    )


@contextmanager
def list_many(bench: Bench) -> Iterator[Pair]:
    """``wirt list`` with 1,000 guests, against 10."""
    many, few = Wirt(bench.wirt.home / "many"), Wirt(bench.wirt.home / "few")
    many.invent_guests(1000)
    few.invent_guests(10)
    yield Pair(ours=lambda: many.seconds(["list"]), peer=lambda: few.seconds(["list"]))


@contextmanager
def vzlist_many(bench: Bench) -> Iterator[Pair]:
    """``vzlist -a`` with 1,000 guests, against ``wirt list``."""
    many = Wirt(bench.wirt.home / "vzlist")
    many.invent_guests(1000)
    yield Pair(
        ours=lambda: seconds_of([VZLIST, "-a"], environment=many.environment),
        peer=lambda: many.seconds(["list"]),
    )


@contextmanager
def set_running(bench: Bench) -> Iterator[Pair]:
    """``wirt set`` of a running container, to other memory each time, against ``wirt show``."""
    with guest(bench, "lxc", "--memory", f"{MEMORY}M") as name:
        bench.wirt.call("start", name)
        sizes = itertools.cycle([f"{MEMORY + 64}M", f"{MEMORY}M"])
        yield Pair(
            ours=lambda: bench.wirt.seconds(["set", name, "--memory", next(sizes)]),
            peer=lambda: bench.wirt.seconds(["show", name]),
        )


@contextmanager
def uml_start(bench: Bench) -> Iterator[Pair]:
    """Start of a User-Mode Linux guest to its first command, against the image booted by hand."""
    with guest(bench, "uml", "--memory", f"{MEMORY}M") as name:
        image = bench.wirt.form(bench.template, "image")
        yield Pair(ours=lambda: _first_command(bench, name), peer=lambda: boot_uml(image, MEMORY))


@contextmanager
def qemu_start(bench: Bench) -> Iterator[Pair]:
    """Start of an emulated guest to its first command, against the image booted by hand."""
    with guest(bench, "qemu", "--memory", f"{MEMORY}M") as name:
        # Only a guest that starts needs the kernel.
        _first_command(bench, name)
        image = bench.wirt.form(bench.template, "image")
        boot = bench.wirt.form(bench.template, "boot")
        yield Pair(
            ours=lambda: _first_command(bench, name), peer=lambda: boot_qemu(image, boot, MEMORY)
        )


@contextmanager
def web_start(bench: Bench) -> Iterator[Pair]:
    """Start of a fresh container to the first HTTP answer, against LXC on the same root.

    The home has a guest already, so its bridge stands as LXC's does.
    """
    bench.wirt.call(*_run_true(bench))
    with open_lxc(bench.wirt.form(bench.template, "tree")) as lxc, guest(bench, "chroot"):

        def ours() -> float:
            with guest(bench, "lxc", "--cpus", str(os.cpu_count())) as name:
                address = bench.wirt.address(name)
                command = bench.wirt.command("start", name)
                return seconds_until(
                    command, partial(answers_http, address), bench.wirt.environment
                )

        def peer() -> float:
            lxc.define_web("web", PEER_ADDRESS)
            try:
                return seconds_until(lxc.start("web"), partial(answers_http, PEER_ADDRESS))
            finally:
                seconds_of(lxc.stop("web"), lxc.destroy("web"))

        yield Pair(ours=ours, peer=peer)


@contextmanager
def container_memory(bench: Bench) -> Iterator[Pair]:
    """Memory of the processes outside that a running container needs, against ``lxc-start -d``."""
    bench.wirt.call(*_run_true(bench))
    with (
        open_lxc(bench.wirt.form(bench.template, "tree")) as lxc,
        guest(bench, "lxc") as name,
        adopting_orphans(),
    ):
        lxc.copy("held")

        def ours() -> float:
            bench.wirt.call("start", name)
            held = held_outside()
            bench.wirt.call("stop", "--force", name)
            return held

        def peer() -> float:
            seconds_of(lxc.start("held"))
            held = held_outside()
            seconds_of(lxc.stop("held"))
            return held

        yield Pair(ours=ours, peer=peer)


ROWS = (
    Row(
        key="run",
        what="container: create, start, first command, stop, destroy in one `wirt run`",
        peer="the five LXC tools",
        limit=1.0,
        pairs=20,
        open=container_run,
    ),
    Row(
        key="commands-incus",
        what="the same as separate commands",
        peer="Incus: launch, exec, delete -f",
        limit=0.5,
        pairs=10,
        open=separate_commands_incus,
    ),
    Row(
        key="commands-podman",
        what="the same as separate commands",
        peer="podman: run -d, exec, rm -f",
        limit=0.3,
        pairs=10,
        open=separate_commands_podman,
    ),
    Row(
        key="existing-incus",
        what="start, exec, stop of an existing container",
        peer="Incus: start, exec, stop -f",
        limit=0.4,
        pairs=10,
        open=existing_container,
    ),
    Row(
        key="clone",
        what="`wirt create` from a 1 GiB template",
        peer="from a 100 MiB template",
        limit=1.2,
        pairs=20,
        open=clone,
    ),
    Row(
        key="list-empty",
        what="`wirt list` on an empty home",
        peer="`python -c pass`, same interpreter",
        limit=5.0,
        pairs=30,
        open=list_empty,
    ),
    Row(
        key="list-many",
        what="`wirt list` with 1,000 guests",
        peer="with 10 guests",
        limit=4.0,
        pairs=20,
        open=list_many,
    ),
    Row(
        key="vzlist-many",
        what="`vzlist -a` with 1,000 guests",
        peer="`wirt list` with the same",
        limit=1.5,
        pairs=20,
        open=vzlist_many,
    ),
    Row(
        key="set-running",
        what="`wirt set` of a running container",
        peer="`wirt show` of it",
        limit=1.5,
        pairs=30,
        open=set_running,
    ),
    Row(
        key="uml",
        what="UML guest: `wirt start` to first command answered",
        peer="same image by hand (`linux.uml`) to the end of its start-up",
        limit=1.15,
        pairs=5,
        open=uml_start,
    ),
    Row(
        key="qemu",
        what="QEMU guest (TCG): `wirt start` to first command answered",
        peer="same image by hand to the end of its start-up",
        limit=1.15,
        pairs=5,
        open=qemu_start,
    ),
    Row(
        key="web",
        what="web guest: `wirt start` to first HTTP answer",
        peer="lxc-start of the same root",
        limit=1.15,
        pairs=10,
        open=web_start,
    ),
    Row(
        key="memory",
        what="memory of a running container beyond its own processes",
        peer="`lxc-start -d`",
        limit=1.05,
        pairs=10,
        open=container_memory,
        unit="MiB",
    ),
)
