"""Port forwards: what can be written, and the verbs over a node of fakes."""

from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.errors import Conflict, Failed, InvalidInput, NotFound
from wirt.host.sockets import parse_sockets, parse_waiting
from wirt.model.forward import Forward, parse_forward
from wirt.ops import reach
from wirt.ops.address import set_addresses
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.destroy import destroy
from wirt.ops.forward import add_forward, remove_forward
from wirt.ops.network import describe, set_outbound
from wirt.ops.start import start
from wirt.ops.stop import stop
from wirt.state.memory import MemoryStore

WEB = parse_forward("8080:80")
EXAMPLES = "such as 8080:80, 5000-5009:5000-5009/udp or 192.0.2.2:8080:80"


@pytest.fixture
def context(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    for name in ("web", "shop"):
        create(context, CreateRequest(name=name, approach="fake", template="tiny"))
    return context


def kernel(base: Path) -> list[str]:
    """Return what leads out and in, by IPv4 and by IPv6 alike."""
    found = [
        path.name
        for pattern in ("gateway-*", "forward-*")
        for path in (base / "kernel/net").glob(pattern)
    ]
    four, six = (
        sorted(name.rpartition(mark)[0] for name in found if mark in name)
        for mark in ("-10.", "-fd")
    )

    assert four == six
    return sorted([*four, *(name for name in found if name.startswith("gateway-"))])


@pytest.mark.parametrize(
    ("text", "forward", "shown"),
    [
        ("8080:80", Forward(port=8080, guest_port=80), "8080:80/tcp"),
        ("53/udp", Forward(protocol="udp", port=53, guest_port=53), "53:53/udp"),
        (
            "192.0.2.2:7000-7009:80-89/tcp",
            Forward(address="192.0.2.2", port=7000, guest_port=80, count=10),
            "192.0.2.2:7000-7009:80-89/tcp",
        ),
        (
            "[2001:DB8::2]:443:8443",
            Forward(address="2001:db8::2", port=443, guest_port=8443),
            "[2001:db8::2]:443:8443/tcp",
        ),
        ("0.0.0.0:1:65535", Forward(port=1, guest_port=65535), "1:65535/tcp"),
    ],
)
def test_forward_is_read_and_shown(text: str, forward: Forward, shown: str) -> None:
    assert parse_forward(text) == forward
    assert str(forward) == shown
    assert parse_forward(shown) == forward


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *(
            (
                text,
                f"{text!r} is not a port forward; write the node's port and the guest's, {EXAMPLES}",
            )
            for text in (
                "",
                "web:80",
                "80:",
                "80:-1",
                "80/",
                "1:2:3:4",
                "+80:80",
                "\uff18\uff10:80",
                "8080:80-",
            )
        ),
        ("0:80", "there is no port 0; ports are 1 to 65535"),
        ("80:65536", "there is no port 65536; ports are 1 to 65535"),
        ("9-8:9-8", "the ports 9-8 run backwards; put the lower one first"),
        ("80-89:80", "10 ports cannot lead to 1; give as many on both sides"),
        ("1-1001:1-1001", "1001 ports are too many for one forward; give at most 1000"),
        ("80:80/sctp", "'sctp' cannot be forwarded; write tcp or udp"),
        (
            "node:80:80",
            "'node' is not an IP address; name one of the node's or leave it out",
        ),
        (
            "127.0.0.1:80:80",
            "ports of 127.0.0.1 cannot be forwarded: nobody outside reaches it; name another "
            "address of the node's or leave it out",
        ),
    ],
)
def test_forward_that_cannot_be_says_why(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_forward(text)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("80", "80", True),
        ("80", "80/udp", False),
        ("80-89:1-10", "89:5", True),
        ("80-89:1-10", "90:5", False),
        ("192.0.2.2:80:80", "80", True),
        ("192.0.2.2:80:80", "192.0.2.3:80:80", False),
    ],
)
def test_forwards_overlap_where_a_port_would_lead_to_two_places(
    one: str, other: str, meet: bool
) -> None:
    first, second = parse_forward(one), parse_forward(other)

    assert first.overlaps(second) is meet
    assert second.overlaps(first) is meet


def test_sockets_that_take_what_comes_from_outside_are_found() -> None:
    line = (
        "  0: {}:{} 00000000:0000 {} 00000000:00000000 00:00000000 00000000 0 0 1 1 x 100 0 0 10 0"
    )
    lines = [
        line.format("00000000", "0016", "0A"),
        line.format("0100007F", "0277", "0A"),
        line.format("020200C0", "0050", "0A"),
        line.format("020200C0", "C000", "01"),
        line.format("0" * 32, "01BB", "0A"),
        line.format("0000000000000000FFFF0000020200C0", "0051", "0A"),
        line.format("000080FE00000000FFFC000001000000", "0052", "0A"),
    ]

    assert parse_sockets(lines, "0A") == [
        (None, 22),
        ("192.0.2.2", 80),
        (None, 443),
        ("192.0.2.2", 81),
    ]


def test_connections_that_nobody_has_accepted_are_counted_where_somebody_listens() -> None:
    line = "  0: 00000000:0050 00000000:0000 {} 00000000:{:08X} 00:00000000 00000000 0 0 1 1 x 100 0 0 10 0"
    lines = [line.format("0A", 2), line.format("0A", 16), line.format("01", 4096)]

    assert parse_waiting(lines) == 18


def test_forward_of_a_stopped_guest_is_kept_and_comes_with_its_start(
    context: Context, tmp_path: Path
) -> None:
    add_forward(context, "web", WEB)
    before = kernel(tmp_path)
    start(context, "web")
    running = kernel(tmp_path)
    stop(context, "web", force=True)

    assert before == []
    assert running == ["forward-8080:80-tcp", "gateway-closed"]
    assert kernel(tmp_path) == []
    assert context.store.find("web").forwards == (WEB,)


def test_forward_of_a_running_guest_comes_and_goes_at_once(
    context: Context, tmp_path: Path
) -> None:
    start(context, "web")
    add_forward(context, "web", WEB)
    added = kernel(tmp_path)
    remove_forward(context, "web", WEB)

    assert added == ["forward-8080:80-tcp", "gateway-closed"]
    assert kernel(tmp_path) == []
    assert context.store.find("web").forwards == ()
    assert context.store.intents() == []


@pytest.mark.parametrize("name", ["web", "shop"])
def test_port_that_leads_somewhere_already_is_refused(context: Context, name: str) -> None:
    add_forward(context, "web", WEB)
    with pytest.raises(Conflict, match="8080:80/tcp leads to guest web already"):
        add_forward(context, name, parse_forward("8000-8100:1-101"))

    assert [guest.forwards for guest in context.store.guests()] == [(), (WEB,)]
    assert context.store.intents() == []


def test_port_of_a_program_is_refused(context: Context) -> None:
    with pytest.raises(Conflict, match=f"port {fakes.TAKEN_PORT} of this node is in use"):
        add_forward(context, "web", parse_forward(str(fakes.TAKEN_PORT)))

    assert context.store.find("web").forwards == ()


def test_guest_without_an_address_has_no_port_led_to_it(context: Context) -> None:
    create(
        context,
        CreateRequest(name="bare", template="tiny", approach="fake", is_routed=True),
    )
    set_addresses(context, "bare", [], may_be_bare=True)
    with pytest.raises(Conflict) as caught:
        add_forward(context, "bare", parse_forward("8088:80"))

    assert str(caught.value) == (
        "guest bare has no address that ports could lead to; "
        "give it one: wirt set bare --ip-add ADDRESS"
    )
    assert context.store.find("bare").forwards == ()


def test_removing_what_is_not_forwarded_is_refused(context: Context) -> None:
    with pytest.raises(NotFound, match="nothing is forwarded as 8080:80/tcp to guest web"):
        remove_forward(context, "web", WEB)

    assert context.store.intents() == []


def test_forward_that_the_kernel_refuses_changes_nothing(context: Context, tmp_path: Path) -> None:
    start(context, "web")
    failing = fakes.open_context(tmp_path, context.store, fail="gateway", fail_at=1)
    with pytest.raises(Failed):
        add_forward(failing, "web", WEB)

    assert context.store.find("web").forwards == ()
    assert context.store.intents() == []
    assert kernel(tmp_path) == []


def test_start_whose_forward_the_kernel_refuses_leaves_it_stopped(
    context: Context, tmp_path: Path
) -> None:
    add_forward(context, "web", WEB)
    failing = fakes.open_context(tmp_path, context.store, fail="gateway", fail_at=1)
    with pytest.raises(Failed):
        start(failing, "web")

    assert context.store.find("web").handle is None
    assert kernel(tmp_path) == []


def test_nat_is_there_while_it_is_on_and_a_guest_is(context: Context, tmp_path: Path) -> None:
    set_outbound(context, wanted=True)
    without = kernel(tmp_path)
    start(context, "web")
    with_one = kernel(tmp_path)
    for name in ("web", "shop"):
        destroy(context, name, force=True)

    assert without == []
    assert with_one == ["gateway-outbound"]
    assert kernel(tmp_path) == []
    assert describe(context).outbound is reach.Outbound.OPEN


def test_nat_switched_off_leaves_the_forwards(context: Context, tmp_path: Path) -> None:
    add_forward(context, "web", WEB)
    start(context, "web")
    set_outbound(context, wanted=True)
    opened = kernel(tmp_path)
    set_outbound(context, wanted=False)

    assert opened == ["forward-8080:80-tcp", "gateway-outbound"]
    assert kernel(tmp_path) == ["forward-8080:80-tcp", "gateway-closed"]


def test_nat_that_the_kernel_refuses_stays_as_it_was(context: Context, tmp_path: Path) -> None:
    start(context, "web")
    failing = fakes.open_context(tmp_path, context.store, fail="gateway", fail_at=1)
    with pytest.raises(Failed):
        set_outbound(failing, wanted=True)

    assert reach.outbound(context) is reach.Outbound.CLOSED
    assert kernel(tmp_path) == []


def test_guest_without_forwards_asks_the_gateway_for_nothing(
    context: Context, tmp_path: Path
) -> None:
    def never() -> None:
        raise AssertionError

    strict = msgspec.structs.replace(context, gateway=never)
    start(strict, "web")
    stop(strict, "web", force=True)
    destroy(strict, "web")

    assert kernel(tmp_path) == []
