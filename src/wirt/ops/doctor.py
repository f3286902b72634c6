"""Says what this node can do: one answer for each approach, pool and network, and what is missing.

Changes nothing and needs no root: what cannot be found out without root is answered with a no that says so.
"""

import functools
from collections.abc import Callable, Sequence

import msgspec

from wirt.approaches.base import Adjustable, Approach, KnowsCheckpoints, TakesDisks
from wirt.approaches.tracking import KnowsTracking
from wirt.errors import Error, NotPermitted
from wirt.host import facts, run
from wirt.model.capability import Capability, no
from wirt.network.base import Network
from wirt.storage.base import Pool
from wirt.storage.powers import CountsUsers


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program of the node that Wirt runs."""

    name: str
    package: str
    """The Debian package that holds it."""
    purpose: str
    path: str | None = None
    """Where it is installed, None if it is not."""


PROGRAMS = (
    Program(name="lxc-start", package="lxc", purpose="containers"),
    Program(name="linux.uml", package="user-mode-linux", purpose="User-Mode Linux guests"),
    Program(
        name="qemu-system-x86_64",
        package="qemu-system-x86",
        purpose="qemu and kvm guests",
    ),
    Program(name="qemu-img", package="qemu-utils", purpose="disks of qemu and kvm guests"),
    Program(name="mmdebstrap", package="mmdebstrap", purpose="building templates"),
    Program(name="mke2fs", package="e2fsprogs", purpose="disk images"),
    Program(name="zstd", package="zstd", purpose="packing templates"),
    Program(name="mkfs.btrfs", package="btrfs-progs", purpose="btrfs pools"),
    Program(name="ip", package="iproute2", purpose="the guests' network"),
    Program(name="nft", package="nftables", purpose="the guests' network"),
    Program(name="rsync", package="rsync", purpose="guests that go to other nodes"),
    Program(name="ssh", package="openssh-client", purpose="other nodes on other machines"),
    Program(name="siege", package="siege", purpose="measuring web servers"),
    Program(name="gcc", package="gcc", purpose="building the workloads"),
    Program(
        name="busybox",
        package="busybox-static",
        purpose="shell workloads, initial ramdisks",
    ),
    Program(name="cpio", package="cpio", purpose="initial ramdisks"),
)


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All that ``wirt doctor`` knows about a node."""

    node: facts.Node
    approaches: list[Capability]
    pools: list[Capability]
    networks: list[Capability]
    programs: list[Program]
    limits: dict[str, list[Capability]] = {}
    """Approach -> what its guests can be held to, beside CPUs, memory and disk."""
    checkpoints: list[Capability] = []
    """Whether the memory of a running guest can be kept, for each approach that knows."""
    tracking: list[Capability] = []
    """Whether only what has changed of a guest's memory is written again, for each approach that could."""
    growing_disks: list[Capability] = []
    """Whether a running guest's further disks can grow, for each approach whose guests have some."""

    user_quotas: list[Capability] = []
    """Whether users of containers can be held to quotas, for each pool that could count what they hold."""

    @property
    def missing_packages(self) -> list[str]:
        """Return the Debian packages to install, each once."""
        return list(dict.fromkeys(p.package for p in self.programs if p.path is None))


def diagnose(
    *, approaches: Sequence[Approach], pools: Sequence[Pool], network: Network
) -> Diagnosis:
    """Ask the node, and everything that would work on it, what is possible here."""
    return Diagnosis(
        node=facts.probe_node(),
        approaches=[_answer(a.name, a.probe_capability) for a in approaches],
        pools=[_answer(p.name, p.probe_capability) for p in pools],
        networks=[_answer("bridge", network.probe_capability)],
        programs=find_programs(PROGRAMS),
        limits={
            a.name: list(a.probe_limits().values()) for a in approaches if isinstance(a, Adjustable)
        },
        checkpoints=[
            msgspec.structs.replace(_answer(a.name, a.probe_checkpoints), name=a.name)
            for a in approaches
            if isinstance(a, KnowsCheckpoints)
        ],
        tracking=[
            msgspec.structs.replace(_answer(a.name, a.probe_tracking), name=a.name)
            for a in approaches
            if isinstance(a, KnowsTracking)
        ],
        growing_disks=[a.grows_disks() for a in approaches if isinstance(a, TakesDisks)],
        user_quotas=[
            msgspec.structs.replace(
                _answer(p.name, functools.partial(p.probe_users, "tree")), name=p.name
            )
            for p in pools
            if isinstance(p, CountsUsers)
        ],
    )


def find_programs(wanted: Sequence[Program]) -> list[Program]:
    """Return the programs with the paths that they have on this node."""
    return [msgspec.structs.replace(p, path=run.find_program(p.name)) for p in wanted]


def _answer(name: str, probe: Callable[[], Capability]) -> Capability:
    """Return what a probe says; one that stumbles is a no as well, so that the others are still heard."""
    try:
        return probe()
    except NotPermitted as error:
        return no(name, error.message, "run wirt doctor as root for an answer")
    except Error as error:
        return no(name, error.message, error.hint)
