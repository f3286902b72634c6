"""Rights and devices of a guest: how they are read, and the verb over a node of fakes."""

from pathlib import Path

import msgspec
import pytest
from tests import fakes
from tests.unit.test_lxc import LAUNCH, ROOT, settings

from wirt.approaches.lxc.build import build_config
from wirt.errors import InvalidInput, NotFound, Unsupported
from wirt.host.devices import find_number, find_path
from wirt.model.launch import GivenDevice
from wirt.model.privileges import Device, Privileges, parse_device, parse_right, with_rights
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.privileges import PrivilegesRequest
from wirt.ops.set import SetRequest, set_limits
from wirt.state.memory import MemoryStore

DEVICE_RULE = "write its path and, if it is not to be rw, what it may be used for: /dev/fuse:r"


@pytest.fixture
def context(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, CreateRequest(name="web", approach="fake", template="tiny"))
    return context


def give(context: Context, **changes: object) -> Privileges:
    request = PrivilegesRequest(**changes)  # type: ignore[arg-type]
    return set_limits(context, "web", SetRequest(privileges=request)).privileges


@pytest.mark.parametrize(
    ("text", "path", "access"),
    [
        ("/dev/fuse", "/dev/fuse", "rw"),
        ("net/tun:r", "/dev/net/tun", "r"),
        ("/dev/disk/by-id/a.b_c+d:w", "/dev/disk/by-id/a.b_c+d", "w"),
    ],
)
def test_device_is_read(text: str, path: str, access: str) -> None:
    assert parse_device(text) == Device(path=path, access=access)


@pytest.mark.parametrize(
    "text", ["", "/etc/passwd", "/dev/", "/dev/../etc/passwd", "fuse:x", "fuse:", "a b", "fuse\n"]
)
def test_device_that_cannot_be_read_says_what_one_is(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_device(text)

    assert str(caught.value) == f"{text!r} is no device; {DEVICE_RULE}"


@pytest.mark.parametrize("text", ["", "sys_time", "sys_time:yes", "fly:on", "sys_time:on:off"])
def test_right_that_cannot_be_read_says_what_one_is(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_right(text)

    assert str(caught.value) == (
        f"{text!r} is no right of a guest; write a capability and on or off: sys_time:on"
    )


def test_right_is_on_or_off_and_never_both() -> None:
    first = with_rights(Privileges(), {"sys_time": True, "net_raw": False})
    second = with_rights(first, dict([parse_right("CAP_SYS_TIME:off"), parse_right("net_raw:on")]))

    assert (first.kept, first.dropped) == (("sys_time",), ("net_raw",))
    assert (second.kept, second.dropped) == (("net_raw",), ("sys_time",))


def test_devices_are_those_that_were_named_last_and_rights_are_added(context: Context) -> None:
    give(context, rights={"sys_time": True}, devices=(Device(path="/dev/null"),))
    after = give(context, rights={"net_raw": False}, devices=(Device(path="/dev/zero"),))
    none = give(context, devices=())

    assert after == Privileges(
        kept=("sys_time",), dropped=("net_raw",), devices=(Device(path="/dev/zero"),)
    )
    assert none.devices == ()


@pytest.mark.parametrize(
    ("devices", "kind", "message"),
    [
        (
            ["/dev/null", "/dev/null:r"],
            InvalidInput,
            "device /dev/null is named twice; name it once",
        ),
        (
            [f"/dev/d{number}" for number in range(33)],
            InvalidInput,
            "a guest has at most 32 devices of the node",
        ),
        (["/dev/none"], NotFound, "the node has no device /dev/none; look for it in /dev"),
    ],
)
def test_devices_that_cannot_be_given_are_refused(
    context: Context, devices: list[str], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        give(context, devices=tuple(map(parse_device, devices)))

    assert str(caught.value) == message
    assert context.store.find("web").privileges == Privileges()


def test_guest_of_another_approach_is_given_none(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    approach = context.approach("fake")
    without = msgspec.structs.replace(approach.needs, takes_privileges=False)
    monkeypatch.setattr(approach, "needs", without)
    with pytest.raises(Unsupported) as caught:
        give(context, rights={"sys_time": True})

    assert str(caught.value) == (
        "guest web cannot be given rights or devices: approach fake has none to give; containers "
        "(approach lxc) can"
    )


def test_device_files_are_known_by_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotFound) as caught:
        find_number(str(tmp_path / "file"))

    assert str(caught.value) == f"{tmp_path}/file is no device; look for one in /dev"
    assert str(find_number("/dev/null")) == "c 1:3"
    assert find_path("c", 1, 3) == "/dev/null"
    assert find_path("b", 4095, 77) is None


@pytest.mark.parametrize(("version", "suffix"), [(1, ""), (2, "2")])
def test_container_is_shown_its_devices_and_held_to_how_it_may_use_them(
    version: int, suffix: str
) -> None:
    given = [
        GivenDevice(device=parse_device(text), number=number, node=f"/d/devices/12ab34/{place}")
        for place, (text, number) in enumerate([("fuse", "c 10:229"), ("sdb:r", "b 8:16")])
    ]
    launch = msgspec.structs.replace(
        LAUNCH,
        devices=tuple(given),
        privileges=Privileges(kept=("sys_time",), dropped=("net_raw",)),
    )
    plain = build_config(LAUNCH, ROOT, settings=settings(2), init="/sbin/init").splitlines()
    text = build_config(
        launch, ROOT, settings=settings(2), init="/sbin/init", device_version=version
    )
    allowed = ["lxc.cgroup2.devices.allow = a"] if version == 2 else []

    assert [line for line in text.splitlines() if line not in plain] == [
        "lxc.cap.drop = mac_admin mac_override net_raw sys_module sys_rawio",
        "lxc.mount.entry = /d/devices/12ab34/0 dev/fuse none bind,create=file 0 0",
        "lxc.mount.entry = /d/devices/12ab34/1 dev/sdb none bind,create=file 0 0",
        *allowed,
        f"lxc.cgroup{suffix}.devices.deny = b 8:16 w",
    ]
