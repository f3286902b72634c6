"""Names for a guest: which there can be, and the verb over a node of fakes."""

from pathlib import Path

import msgspec
import pytest
from tests import fakes

from wirt.errors import Failed, InvalidInput, Unsupported
from wirt.model.naming import Naming, check_naming, with_own_line
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.ops.naming import NamesRequest
from wirt.ops.set import SetRequest, set_limits
from wirt.ops.start import start
from wirt.state.memory import MemoryStore
from wirt.units import MIB

HOSTNAME_RULE = "use a-z, 0-9, inner hyphens and dots, at most 64"
SERVERS = SetRequest(names=NamesRequest(dns=("192.0.2.53",)))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    context = fakes.open_context(tmp_path, MemoryStore())
    create(context, CreateRequest(name="web", approach="fake", template="tiny"))
    return context


def written(context: Context, name: str = "resolv.conf") -> str | None:
    """Return what the guest's root holds."""
    guest = context.store.find("web")
    path = Path(context.home.pool("fake"), guest.id, "root/etc", name)
    return path.read_text() if path.exists() else None


def hostname_of(context: Context) -> str:
    """Return what the guest's kernel says: a fake one has it in a file."""
    base = Path(context.home.data).parent
    (init,) = Path(base, "kernel", "guests").rglob("init")
    return init.read_text()


def with_etc(context: Context) -> Context:
    Path(context.home.pool("fake"), context.store.find("web").id, "root/etc").mkdir()
    return context


@pytest.mark.parametrize(
    ("naming", "message"),
    [
        *(
            (Naming(hostname=name), f"{name!r} is not a host name; {HOSTNAME_RULE}")
            for name in ("a b", "-a", "a..b", "web\n", "../x", "a" * 64, f"{'a' * 40}.{'b' * 40}")
        ),
        *(
            (
                Naming(dns=(server,)),
                f"{server!r} is not the address of a name server; such as 192.0.2.53",
            )
            for server in (
                "",
                "dns",
                "192.0.2",
                "192.0.2.1/24",
                "fe80::1%eth0",
                "224.0.0.1",
                "1\n2",
            )
        ),
        (Naming(search=("a b",)), "'a b' is not a domain; such as example.org"),
        (
            Naming(search=("x\nnameserver 1",)),
            "'x\\nnameserver 1' is not a domain; such as example.org",
        ),
        (Naming(dns=("192.0.2.1",) * 4), "4 name servers are too many; a guest looks at 3 of them"),
        (Naming(search=("a",) * 7), "7 domains are too many; a guest looks at 6 of them"),
    ],
)
def test_names_that_cannot_be_say_why(naming: Naming, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_naming(naming)

    assert str(caught.value) == message


def test_names_that_can_be_are_written_as_the_guest_reads_them() -> None:
    naming = Naming(hostname="www.example.org", dns=("192.0.2.1", "::1"), search=("a", "b.c"))
    check_naming(naming)

    assert naming.files() == {
        "/etc/hostname": "www.example.org\n",
        "/etc/resolv.conf": "nameserver 192.0.2.1\nnameserver ::1\nsearch a b.c\n",
    }
    assert Naming().files() == {}


@pytest.mark.parametrize(
    ("had", "kept"),
    [
        (None, "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"),
        ("", ""),
        ("127.0.1.1 own", "127.0.1.1 own\n"),
        ("::1 localhost\n\n# mine\n", "::1 localhost\n\n# mine\n"),
        ("127.0.1.1 old.org old # set by Wirt\n::1 \x0cx\n", "::1 \x0cx\n"),
    ],
)
def test_own_name_in_etc_hosts_is_one_marked_line_and_others_stay(
    had: str | None, kept: str
) -> None:
    fresh = with_own_line(had, "a.example.org")

    assert fresh == f"{kept}127.0.1.1 a.example.org a # set by Wirt\n"
    assert with_own_line(fresh, "web") == f"{kept}127.0.1.1 web # set by Wirt\n"


def test_names_of_a_stopped_guest_are_written_when_it_starts(context: Context) -> None:
    set_limits(with_etc(context), "web", SERVERS)
    before = written(context)
    start(context, "web")

    assert before is None
    assert written(context) == "nameserver 192.0.2.53\n"


def test_names_of_a_running_guest_are_written_at_once(context: Context) -> None:
    start(with_etc(context), "web")
    set_limits(context, "web", SERVERS)
    only_search = SetRequest(names=NamesRequest(search=("example.org",)))
    set_limits(context, "web", only_search)

    assert written(context) == "nameserver 192.0.2.53\nsearch example.org\n"
    assert context.store.intents() == []


def test_host_name_of_a_running_guest_is_its_own_at_once_and_again_if_it_is_taken_back(
    context: Context,
) -> None:
    start(with_etc(context), "web")
    said = []
    for hostname in ("www.example.org", ""):
        set_limits(context, "web", SetRequest(names=NamesRequest(hostname=hostname)))
        said.append(hostname_of(context))

    assert said == ["www.example.org", "web"]
    assert written(context, "hostname") == "www.example.org\n"
    assert context.store.intents() == []


def test_host_name_that_cannot_be_given_stays_what_it_was(tmp_path: Path) -> None:
    context = fakes.open_context(tmp_path, MemoryStore(), fail="approach", fail_at=2)
    create(context, CreateRequest(name="web", approach="fake", template="tiny"))
    start(with_etc(context), "web")
    with pytest.raises(Failed, match="give_hostname was told to fail"):
        set_limits(context, "web", SetRequest(names=NamesRequest(hostname="www")))

    assert hostname_of(context) == "web"
    assert context.store.find("web").naming == Naming()
    assert context.store.intents() == []


def test_names_that_cannot_be_written_stay_as_they_were(context: Context) -> None:
    start(context, "web")  # its root has no etc
    with pytest.raises(Failed, match=r"cannot write /etc/resolv\.conf of guest web"):
        set_limits(context, "web", SERVERS)

    assert context.store.find("web").naming == Naming()
    assert context.store.intents() == []


def test_names_beside_limits_that_cannot_be_are_not_given(context: Context) -> None:
    request = msgspec.structs.replace(SERVERS, memory=MIB // 2, cpus=99)
    with pytest.raises(InvalidInput):
        set_limits(context, "web", request)

    assert context.store.find("web").naming == Naming()


@pytest.mark.parametrize(
    ("needs", "request_", "message"),
    [
        (
            {"own_hostname": False},
            NamesRequest(hostname="www"),
            "guest web cannot be given a host name: approach fake has the node's; leave --hostname "
            "out",
        ),
        (
            {"root": "qcow2"},
            NamesRequest(dns=("192.0.2.53",)),
            "name servers of guest web cannot be set: its disk is its own kernel's; set them inside",
        ),
    ],
)
def test_names_that_an_approach_cannot_give_are_refused(
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    needs: dict[str, object],
    request_: NamesRequest,
    message: str,
) -> None:
    approach = context.approach("fake")
    monkeypatch.setattr(approach, "needs", msgspec.structs.replace(approach.needs, **needs))
    with pytest.raises(Unsupported) as caught:
        set_limits(context, "web", SetRequest(names=request_))

    assert str(caught.value) == message
    assert context.store.find("web").naming == Naming()
