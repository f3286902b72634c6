"""The one place that names concrete classes and wires them: a home becomes a context for the verbs.

Every command comes through here, so what only some of them need is imported where it is used.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from wirt.approaches.registry import APPROACHES, load_approach
from wirt.host import files, interrupts, links, lock
from wirt.model.guest import Guest
from wirt.model.home import Home
from wirt.model.node import Node
from wirt.model.pool import Phase, StoragePool
from wirt.network import addresses
from wirt.network.bridge import BridgeNetwork
from wirt.ops.cleanup import clean_up
from wirt.ops.context import LOCK_SECONDS, Context
from wirt.state.base import Store
from wirt.state.sqlite import SqliteStore
from wirt.storage.registry import POOLS, load_lvm, load_made, load_pool
from wirt.storage.templates.store import TemplateCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from wirt.model.template import TemplateSpec
    from wirt.network.base import Gateway, Network, Shaper
    from wirt.ops.doctor import Diagnosis
    from wirt.ops.security import Finding
    from wirt.storage.base import Ground, Packages, Pool
    from wirt.transport.base import Link

_CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def find_home() -> Home:
    """Return the home that the environment names; see ``Home`` for the defaults.

    Links on the way are followed here once: the kernel names mounts by their real paths, and two names of one home
    must be the same home.
    """
    default = Home()
    return Home(
        data=os.path.realpath(os.environ.get("WIRT_HOME") or default.data),
        run=os.path.realpath(os.environ.get("WIRT_RUN") or default.run),
        etc=os.path.abspath(os.environ.get("WIRT_ETC") or default.etc),
    )


@contextmanager
def open_context(home: Home | None = None) -> Iterator[Context]:
    """Open a home for one command, repaired from whatever a dead one left.

    Raises:
        NotPermitted, OutOfSpace, Corrupt: the home cannot be opened.
    """
    place = home or find_home()
    with files.translated(f"open the home {place.data}"):
        # Others may pass through: the root user of an unprivileged guest is nobody here, and must reach its root.
        for directory in (place.data, place.run):
            os.makedirs(directory, mode=0o711, exist_ok=True)
        os.makedirs(os.path.dirname(place.lock("any")), mode=0o700, exist_ok=True)
    store = SqliteStore(place.database)
    try:
        subnet = _subnet(place, store)
        network = BridgeNetwork(place.tag, subnet)
        context = Context(
            home=place,
            store=store,
            network=network,
            private=cache(
                lambda one: BridgeNetwork(place.tag, IPv4Network(one.subnet), private=one.number)
            ),
            routed=cache(lambda: _routed(place.tag, subnet, network)),
            gateway=lambda: _gateway(place.tag, subnet),
            shaper=_shaper,
            templates=TemplateCache(place.templates, metadata=_own_metadata(place)),
            approach=cache(lambda name: load_approach(name, place.run)),
            pool=cache(lambda name: _open_pool(place, store, name)),
            pools=tuple(POOLS),
            ground=_ground_of,
            link=_link_to,
            recover=_recover,
            boot_id=_boot_id(),
            cpus=len(os.sched_getaffinity(0)),
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        )
        clean_up(context)
        yield context
    finally:
        store.close()


def _ground_of(pool: StoragePool) -> "Ground":
    from wirt.storage.ground import ground_of

    return ground_of(pool)


def _recover(context: Context, guest: Guest) -> Guest | None:
    # Loaded here: there is seldom anything to recover.
    from wirt.ops.recovery import recover

    return recover(context, guest)


def _link_to(node: Node) -> "Link":
    from wirt.transport import local, ssh

    return local.link(node) if node.ssh is None else ssh.link(node)


def _open_pool(place: Home, store: Store, name: str) -> "Pool":
    """Return a pool: one that every home has, or one that was made, which is mounted if it is not."""
    if name in POOLS:
        return load_pool(name, place.pool(name))
    made = next((pool for pool in store.pools() if pool.name == name), None)
    if made is None or made.phase is not Phase.READY:
        return load_pool(name, "")
    ground = _ground_of(made)
    if not ground.is_open():
        with (
            interrupts.held_back(),
            lock.hold(place.lock("pools"), "the pools", wait=LOCK_SECONDS),
        ):
            ground.open()
    return load_made(made)


def open_packages(home: Home) -> "Packages":
    """Return the packages that this node's apt can fetch for guests of a home."""
    from wirt.storage.templates.packages import PackageCache

    return PackageCache(os.path.join(home.data, "packages"))


def find_specs(home: Home) -> "dict[str, TemplateSpec]":
    """Return the templates that can be built: those that are shipped, and a person's own, which win.

    Raises:
        InvalidInput: a file cannot be read as a template.
    """
    from wirt.storage.templates.specs import SHIPPED, load_specs

    return load_specs([SHIPPED, _own_metadata(home)])


def _own_metadata(home: Home) -> str:
    """Return the directory of a person's own metadata of templates."""
    return os.path.join(home.etc, "templates.d")


def boot_preparation(
    context: Context,
) -> "tuple[Callable[[Guest], bool], Callable[[Guest], None]]":
    """Return what is done about a guest that is started with the node.

    The one brings it to its configuration file before, and says whether it may be started; the other runs its own script then.

    Only the vz commands keep such files. They stand above this module, so theirs is named as text.
    """
    if not os.path.isdir(os.path.join(context.home.data, "vz", "conf")):
        return lambda _guest: True, lambda _guest: None
    booting = import_module("wirt.dialects.vz.vzctl.booting")
    return partial(booting.prepare, context), partial(booting.run_script, context)


def put_configuration_aside(context: Context, guest: Guest) -> None:
    """Keep the configuration file of a guest that was destroyed, as vzctl keeps it; only the vz commands write such files."""
    if os.path.isdir(os.path.join(context.home.data, "vz", "conf")):
        import_module("wirt.dialects.vz.conf").put_aside_of(context.home, guest)


def diagnose_node(home: Home) -> "Diagnosis":
    """Ask the node what it can do; needs neither root nor a home."""
    from wirt.ops.doctor import diagnose

    return diagnose(
        approaches=[load_approach(name, home.run) for name in APPROACHES],
        pools=[
            *(load_pool(name, home.pool(name)) for name in POOLS),
            load_lvm("", thin_pool="", templates=""),
        ],
        network=BridgeNetwork(home.tag, addresses.choose_subnet(home.tag, [])),
    )


def examine_security(home: Home) -> "list[Finding]":
    """Ask the node how well it keeps guests apart and away from it; needs neither root nor a home."""
    from wirt.approaches.lxc.build import DROPPED
    from wirt.host.security import probe_security
    from wirt.model.ids import ALL
    from wirt.ops.security import judge

    return judge(
        probe_security(data=home.data, run=home.run, etc=home.etc),
        idmap=ALL,
        dropped=DROPPED,
        unbounded=_unbounded_guests(home),
    )


def _unbounded_guests(home: Home) -> list[str] | None:
    """Return the guests of a home that nothing holds to the size of their disks, None if the caller may not look.

    The home is not opened for it, which would repair it, and no pool is mounted: one that was made has a bound of its kind.
    """
    from wirt.storage.powers import BoundsTrees

    if os.geteuid() != 0:
        return None
    if not os.path.exists(home.database):
        return []
    store = SqliteStore(home.database)
    try:
        trees = [
            guest
            for guest in store.guests()
            if load_approach(guest.approach, home.run).needs.root == "tree"
        ]
    finally:
        store.close()
    pools = {
        name: load_pool(name, home.pool(name)) for name in {one.pool for one in trees} & {*POOLS}
    }
    bounding = {
        name
        for name, pool in pools.items()
        if isinstance(pool, BoundsTrees) and pool.probe_bound().available
    }
    return [guest.name for guest in trees if guest.pool in pools.keys() - bounding]


def _subnet(home: Home, store: Store) -> IPv4Network:
    """Return the home's subnet: chosen once, from what was free on the node then."""
    kept = store.setting("subnet")
    if kept is None:
        chosen = addresses.choose_subnet(home.tag, links.routed_networks())
        kept = store.keep("subnet", str(chosen))
    return IPv4Network(kept)


def _routed(tag: str, subnet: IPv4Network, home: BridgeNetwork) -> "Network":
    # Loaded here: few guests have a routed card.
    from wirt.network.routed import RoutedNetwork

    return RoutedNetwork(tag, subnet, home)


def _gateway(tag: str, subnet: IPv4Network) -> "Gateway":
    from wirt.network.gateway import NftGateway

    return NftGateway(tag, subnet)


def _shaper() -> "Shaper":
    from wirt.network.shaper import CardShaper

    return CardShaper()


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def find_workloads() -> str:
    """Return the directory of the built workloads: WIRT_WORKLOADS, or where ``make`` in a checkout puts them."""
    return os.environ.get("WIRT_WORKLOADS") or os.path.join(_CHECKOUT, "build", "workloads")


def find_set_up_times() -> str:
    """Return the file in which a checkout's ``scripts/set-up`` writes how long its steps took."""
    return os.path.join(_CHECKOUT, "build", "log", "seconds")
