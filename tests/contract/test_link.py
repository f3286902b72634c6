"""The contract of the ways to another node: one suite for the fake, a home in a network of its own, and ssh."""

import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests import fakes, sshd
from tests.homes import HomeUnderTest
from tests.netns import other_network
from tests.sshd import Host

from wirt.errors import InvalidInput
from wirt.model.node import Node
from wirt.ops.moving.protocol import VERSION, Facts
from wirt.transport import local, ssh
from wirt.transport.base import Link, LinkLost

PROGRAM = str(Path(sys.executable).parent / "wirt")


@pytest.fixture(scope="module")
def host(root_user: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with sshd.serving(tmp_path_factory.mktemp("ssh")) as made:
        yield made


def over_ssh(host: Host, home: HomeUnderTest, **changes: object) -> Node:
    fields = {
        "name": "b",
        "home": home.home.data,
        "run": home.home.run,
        "ssh": "root@127.0.0.1",
        "ssh_options": host.options(),
        "program": PROGRAM,
    }
    return Node(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture(params=["fake", "local", "ssh"])
def link(request: pytest.FixtureRequest, home: HomeUnderTest, tmp_path: Path) -> Iterator[Link]:
    match request.param:
        case "fake":
            yield fakes.link_to(tmp_path, Node(name="b"))
        case "local":
            with other_network() as netns:
                yield local.link(
                    Node(name="b", home=home.home.data, run=home.home.run, netns=netns)
                )
        case _:
            yield ssh.link(over_ssh(request.getfixturevalue("host"), home))


def test_session_answers_again_and_again(link: Link) -> None:
    with link.open() as session:
        first = msgspec.json.decode(session.ask("hello"), type=Facts)
        again = msgspec.json.decode(session.ask("hello"), type=Facts)

    assert first == again
    assert (first.version, first.guests) == (VERSION, 0)


def test_socket_over_there_is_reached_again_and_again(link: Link, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(30)
        with link.reach(path) as here:
            for _ in range(2):
                with socket.socket(socket.AF_UNIX) as asking:
                    asking.connect(here)
                    answering, _ = listener.accept()
                    with answering:
                        asking.sendall(b"asked")
                        assert answering.recv(10) == b"asked"
                        answering.sendall(b"answered")
                    assert asking.recv(10) == b"answered"

    assert here == path or not os.path.exists(here)


def test_error_comes_as_what_it_was_there(link: Link) -> None:
    with link.open() as session:
        with pytest.raises(InvalidInput) as caught:
            session.ask("dance")

        assert str(caught.value) == (
            "this node does not know what 'dance' is; install the same version on both"
        )
        assert session.ask("has", b'"web"') == b"false"


def test_tree_arrives_as_it_is_and_what_is_the_same_does_not_go_again(
    link: Link, tmp_path: Path
) -> None:
    source, target = tmp_path / "source tree", tmp_path / "target tree"
    (source / "below").mkdir(parents=True)
    target.mkdir()
    (source / "file").write_bytes(os.urandom(100_000))
    os.link(source / "file", source / "below" / "same")
    os.symlink("nowhere", source / "link")
    os.mknod(source / "gone", 0o20000, 0)
    os.chown(source / "file", 1000, 2000)
    os.setxattr(source / "below", "trusted.overlay.opaque", b"y")
    with open(source / "holes", "wb") as holes:
        holes.truncate(64 << 20)
    (target / "old").touch()
    sent = link.send(f"{source}/", f"{target}/")

    assert sorted(os.listdir(target)) == ["below", "file", "gone", "holes", "link"]
    found = os.stat(target / "file")
    assert (found.st_uid, found.st_gid, found.st_nlink) == (1000, 2000, 2)
    assert found.st_mtime_ns == os.stat(source / "file").st_mtime_ns
    assert os.readlink(target / "link") == "nowhere"
    assert os.stat(target / "gone").st_rdev == 0
    assert os.getxattr(target / "below", "trusted.overlay.opaque") == b"y"
    assert os.stat(target / "holes").st_blocks < 1000
    assert sent > 100_000
    assert link.send(f"{source}/", f"{target}/") < 10_000


def test_file_that_changes_within_a_second_goes_again(link: Link, tmp_path: Path) -> None:
    source, target = tmp_path / "disk", tmp_path / "copy"
    source.write_bytes(b"one")
    link.send(str(source), str(target))
    status = os.stat(source)
    source.write_bytes(b"two")
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns + 1000))
    link.send(str(source), str(target))

    assert target.read_bytes() == b"two"


def test_what_is_given_again_is_what_has_come_since(link: Link, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for directory in (source, target):
        directory.mkdir()
    (source / "one").mkdir(mode=0o711)
    (source / "one/pages").write_bytes(os.urandom(100_000))
    link.give(f"{source}/", f"{target}/")
    given = os.stat(target / "one/pages")
    (source / "two").mkdir()
    (source / "two/pages").write_bytes(b"few")
    (source / "two/parent").symlink_to("../one")
    sent = link.give(f"{source}/", f"{target}/")

    assert sent < 10_000
    assert (target / "one/pages").read_bytes() == (source / "one/pages").read_bytes()
    assert os.stat(target / "one/pages").st_ino == given.st_ino
    assert os.stat(target / "one").st_mode & 0o777 == 0o711
    assert (target / "two/pages").read_bytes() == b"few"
    assert os.readlink(target / "two/parent") == "../one"


def test_what_is_taken_back_is_not_there_any_more(link: Link, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for directory in (source / "one", target):
        directory.mkdir(parents=True)
    (source / "one/pages").write_bytes(b"some")
    (source / "file").touch()
    link.give(f"{source}/", f"{target}/")
    (source / "one/pages").unlink()
    (source / "one").rmdir()
    (source / "file").unlink()
    link.give(f"{source}/", f"{target}/")

    assert os.listdir(target) == []


def test_what_cannot_be_sent_is_said(link: Link, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"^cannot send .*/none/ to node b: rsync: "):
        link.send(f"{tmp_path}/none/", f"{tmp_path}/target/")


def test_host_whose_key_is_another_is_not_talked_to(host: Host, home: HomeUnderTest) -> None:
    known = Path(host.options()[-1].partition("=")[2])
    wrong = known.with_name("wrong")
    other_key = known.with_name("user.pub").read_text()
    wrong.write_text(f"[127.0.0.1]:{host.port} {other_key}")
    link = ssh.link(over_ssh(host, home, ssh_options=host.options("wrong")))
    with link.open() as session, pytest.raises(LinkLost) as caught:
        session.ask("hello")

    assert str(caught.value) == "node b does not answer: Host key verification failed."


def test_host_that_is_not_known_is_not_talked_to(host: Host, home: HomeUnderTest) -> None:
    link = ssh.link(over_ssh(host, home, ssh_options=host.options("nobody")))
    with link.open() as session, pytest.raises(LinkLost) as caught:
        session.ask("hello")

    assert str(caught.value) == "node b does not answer: Host key verification failed."


def test_network_that_is_not_there_is_said(home: HomeUnderTest) -> None:
    link = local.link(Node(name="b", home=home.home.data, netns="/run/netns/none"))
    with link.open() as session, pytest.raises(LinkLost) as caught:
        session.ask("hello")

    assert re.fullmatch(
        r"node b does not answer: nsenter: cannot open /run/netns/none: No such file or directory",
        str(caught.value),
    )


def test_what_a_login_prints_is_no_answer(host: Host, home: HomeUnderTest) -> None:
    link = ssh.link(over_ssh(host, home, program="echo Welcome"))
    with link.open() as session, pytest.raises(LinkLost) as caught:
        session.ask("hello")

    assert str(caught.value) == (
        "node b says what is no answer: b'Welcome serve-node\\n'; what its shell prints at the login "
        "must not go to standard output"
    )
