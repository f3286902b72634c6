"""The contract of approaches, asked of the fake and of those that share the node's kernel, with a tiny guest."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from tests import homes
from tests.conftest import TINY
from tests.contract.approach_contract import (
    ApproachContract,
    Prepare,
    Prepared,
    Started,
    all_cpus,
    ended,
)

from wirt.approaches.base import Approach
from wirt.approaches.fake import FakeApproach
from wirt.approaches.registry import APPROACHES, load_approach
from wirt.errors import Failed
from wirt.host import links
from wirt.host.run import SILENT
from wirt.model.card import Card
from wirt.model.guest import Handle
from wirt.model.home import Home
from wirt.model.ids import SHARED
from wirt.model.launch import Launch
from wirt.model.limits import Limits
from wirt.model.names import new_guest_id
from wirt.model.presence import Presence
from wirt.network import addresses
from wirt.network.bridge import BridgeNetwork
from wirt.storage.directory import DirectoryPool
from wirt.storage.templates.store import TemplateCache
from wirt.units import GIB, MIB

OWN_KERNEL = {"uml", "qemu", "kvm", "xen", "xen-pvh"}
"""Asked in tests/guest: they boot a whole template."""
SHARED_KERNEL = [name for name in APPROACHES if name not in OWN_KERNEL]


def load(name: str, base: Path) -> Approach:
    return FakeApproach(f"{base}/kernel") if name == "fake" else load_approach(name)


@contextmanager
def prepared_guest(name: str, templates: Path) -> Iterator[Prepared]:
    """Give a tiny guest with a real root and a real bridge, ready to be started."""
    with homes.open_base() as base, ExitStack() as stack:
        home = Home(data=f"{base}/home", run=f"{base}/run")
        approach = load(name, base)
        guest_id = new_guest_id()
        place = home.place(guest_id)
        os.makedirs(place.run_dir, mode=0o711)
        os.makedirs(os.path.dirname(place.log))
        pool = DirectoryPool(home.pool("directory"))
        form_path = TemplateCache(str(templates)).path_of_form(TINY, "tree")
        pool.clone(form_path, guest_id, root="tree", size=GIB)
        stack.callback(pool.remove, guest_id)
        root = pool.attach(
            form_path, guest_id, root="tree", idmap=SHARED if approach.needs.shifted else None
        )
        subnet: IPv4Network = addresses.choose_subnet(home.tag, links.routed_networks())
        network = BridgeNetwork(home.tag, subnet)
        network.ensure_up()
        stack.callback(network.remove)
        address = network.choose_address(None, set(), "000000")
        card = Card(mac=network.mac(guest_id), addresses=(address,))
        nic = network.nic(guest_id, card, approach.needs.nic)
        network.attach(nic, list)
        stack.callback(network.detach, nic)
        launch = Launch(
            place=place,
            hostname="web-1",
            limits=Limits(memory=64 * MIB),
            root=root,
            nic=nic,
        )
        with ended(Prepared(approach=approach, launch=launch, mark=f"w{home.tag}")) as prepared:
            yield prepared


class TestTinyGuest(ApproachContract):
    @pytest.fixture(scope="class", params=["fake", *SHARED_KERNEL])
    @classmethod
    def prepare(cls, request: pytest.FixtureRequest, tiny_templates: Path) -> Prepare:
        return partial(prepared_guest, request.param, tiny_templates)

    def test_exec_bound_to_one_cpu_runs_on_that_cpu(self, started: Started) -> None:
        cpu = max(all_cpus())

        said = started.exec("grep", "Cpus_allowed_list", "/proc/self/status", cpus=frozenset({cpu}))

        assert said[1].split() == ["Cpus_allowed_list:", str(cpu)]

    def test_hostname_and_root_are_the_guests(self, started: Started) -> None:
        name = started.prepared.approach.name

        if name == "lxc":
            assert started.exec("hostname")[1] == "web-1\n"
        if name != "fake":
            assert started.exec("ls", "/bin/busybox")[1] == "/bin/busybox\n"
            assert started.exec("cat", "/proc/self/mountinfo")[1].count(" / /proc ") == 1


def test_exec_told_to_fail_fails(tmp_path: Path) -> None:
    approach = FakeApproach(str(tmp_path), fail_at=1)
    place = Home(data="/x", run="/y").place("0000aa")
    (tmp_path / place.name).mkdir()
    half = approach.probe(place)
    (tmp_path / place.name / "init").touch()
    with pytest.raises(Failed, match="exec was told to fail"):
        approach.exec(place, Handle(), ["true"], streams=SILENT, environment={})

    assert half is Presence.PARTIAL
    assert approach.exec(place, Handle(), ["true"], streams=SILENT, environment={}) == 0
