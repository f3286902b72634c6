"""A stopped guest defined anew, and what a definition may say of its card and its name inside, over a node of fakes."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.errors import Conflict, Error, InvalidInput, Unsupported, WrongState
from wirt.model.limits import Limits
from wirt.model.macs import check_mac
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.redefine import redefine
from wirt.ops.start import start
from wirt.state.memory import MemoryStore
from wirt.units import GIB, MIB

WEB = CreateRequest(name="web", approach="fake", template="tiny", limits=Limits(disk=2 * GIB))


@pytest.fixture
def stopped(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, WEB)
    return context


def test_guest_has_its_new_definition_and_its_old_root_and_address(stopped: Context) -> None:
    before = stopped.store.find("web")
    request = msgspec.structs.replace(
        WEB,
        limits=Limits(memory=256 * MIB, cpus=2),
        mac="00:16:3E:00:00:01",
        hostname="www.example.org",
    )
    after = redefine(stopped, "web", request)

    assert after == stopped.store.find("web")
    assert after.limits == Limits(memory=256 * MIB, cpus=2, disk=2 * GIB)
    assert (after.mac, after.naming.hostname) == ("00:16:3e:00:00:01", "www.example.org")
    assert (after.id, after.address, after.created) == (before.id, before.address, before.created)


def test_definition_that_says_nothing_new_changes_nothing(stopped: Context) -> None:
    before = stopped.store.find("web")

    assert redefine(stopped, "web", WEB) == before


def test_address_that_is_asked_for_is_taken(stopped: Context) -> None:
    after = redefine(stopped, "web", msgspec.structs.replace(WEB, address="10.64.0.9"))

    assert after.address == "10.64.0.9"


def test_running_guest_is_not_defined_anew(stopped: Context) -> None:
    start(stopped, "web")
    with pytest.raises(WrongState) as caught:
        redefine(stopped, "web", WEB)

    assert str(caught.value) == "guest web is running; stop it first"


def test_guest_of_another_template_is_not_defined_anew(stopped: Context) -> None:
    with pytest.raises(Conflict) as caught:
        redefine(stopped, "web", msgspec.structs.replace(WEB, template="other", approach="lxc"))

    assert str(caught.value) == (
        "guest web has a root of template tiny under fake, not a root of template other under lxc; "
        "choose another name, or destroy it first"
    )


def test_mac_of_another_guest_is_refused(stopped: Context) -> None:
    mac = stopped.store.find("web").mac
    with pytest.raises(Conflict) as caught:
        create(stopped, msgspec.structs.replace(WEB, name="other", mac=mac))

    assert str(caught.value) == f"MAC {mac} is that of guest web; choose another or leave it out"


def _mac(text: str) -> Callable[[], object]:
    return lambda: check_mac(text)


@pytest.mark.parametrize(
    ("do", "kind", "message"),
    [
        (_mac("web"), InvalidInput, "'web' is not a MAC address; such as 02:00:00:12:34:56"),
        (
            _mac("01:00:5E:00:00:01"),
            InvalidInput,
            "MAC 01:00:5e:00:00:01 is not that of one card; its first byte must be even, such as 02",
        ),
    ],
)
def test_mac_that_no_card_has_is_refused(
    do: Callable[[], object], kind: type[Error], message: str
) -> None:
    with pytest.raises(kind) as caught:
        do()

    assert str(caught.value) == message


def test_host_name_where_there_is_none_of_its_own_is_refused(stopped: Context) -> None:
    approach = stopped.approach("fake")
    approach.needs = msgspec.structs.replace(approach.needs, own_hostname=False)
    with pytest.raises(Unsupported) as caught:
        create(stopped, msgspec.structs.replace(WEB, name="other", hostname="www"))

    assert str(caught.value) == (
        "guest other cannot be given a host name: approach fake has the node's; leave it out"
    )
