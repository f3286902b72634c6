"""Containers that are kept with their memory and go on: what ran in them runs on, and who talks to them notices nothing."""

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.guest.test_every_approach import page_of
from tests.homes import WIRT, HomeUnderTest

from wirt import app
from wirt.ops.steps.ladder import Ladder

PORT = 7000
SECONDS = 60.0
PATIENT = (
    "echo KeepAliveTimeout 300 >/etc/apache2/conf-enabled/patient.conf && systemctl reload apache2"
)
"""Has Apache wait on a busy node for who keeps a connection; it gives up after 5 s otherwise."""


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the server of ``counts.c``, which needs nothing of the guest."""
    program = tmp_path_factory.mktemp("counts") / "counts"
    source = Path(__file__).with_name("counts.c")
    subprocess.run(["gcc", "-static", "-O2", "-o", program, source], check=True)
    return program


@pytest.fixture
def running(home: HomeUnderTest) -> HomeUnderTest:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    return home


def begin(home: HomeUnderTest, *command: str) -> None:
    """Run a command in the guest that goes on by itself, as one that an init would have begun."""
    home.wirt(
        "exec",
        "web",
        "--",
        "setsid",
        "sh",
        "-c",
        '"$@" </dev/null >/dev/null 2>&1 &',
        "sh",
        *command,
    )


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@contextmanager
def connected(home: HomeUnderTest, server: Path, mebibytes: int) -> Iterator[socket.SocketIO]:
    """Give a connection to a server in the guest that holds so much memory."""
    home.wirt("copy", str(server), "web:/counts", status=0)
    begin(home, "/counts", str(PORT), str(mebibytes))
    address = home.guests()[0].address
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            connection = socket.create_connection((address, PORT), timeout=SECONDS)
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    with connection, connection.makefile("rwb", buffering=0) as lines:
        yield lines


def ask(lines: socket.SocketIO) -> bytes:
    lines.write(b"?\n")
    return lines.readline()


def test_counter_goes_on_where_it_was_and_the_guest_can_write(running: HomeUnderTest) -> None:
    begin(
        running,
        "sh",
        "-c",
        "i=0; while :; do i=$((i+1)); echo $i >/root/new; mv /root/new /root/count; usleep 10000; done",
    )

    def count() -> int:
        said = running.wirt("exec", "web", "--", "cat", "/root/count").stdout
        return int(said) if said.strip() else 0

    until(lambda: count() > 20, "it does not count")
    running.wirt("checkpoint", "web", "one", status=0)
    listed = running.wirt("list", status=0).stdout.splitlines()[1].split()[1]
    kept = running.guests()[0].snapshots[0]
    running.wirt("resume", "web", status=0)
    first = count()
    until(lambda: count() > first, "it does not count on")
    running.wirt("exec", "web", "--", "touch", "/written", status=0)

    assert listed == "suspended"
    assert kept.memory
    assert first > 20


@pytest.mark.parametrize("keep_running", [True, False])
def test_connection_lives_on(running: HomeUnderTest, counts: Path, *, keep_running: bool) -> None:
    with connected(running, counts, 18) as lines:
        before = ask(lines)
        if keep_running:
            running.wirt("checkpoint", "web", "--keep-running", status=0)
        else:
            running.wirt("checkpoint", "web", status=0)
            # It is on its way while there is nobody.
            lines.write(b"?\n")
            running.wirt("resume", "web", status=0)
            assert lines.readline() == b"2 whole\n"
        after = ask(lines)

    assert before == b"1 whole\n"
    assert after == (b"2 whole\n" if keep_running else b"3 whole\n")


def test_connection_lives_on_through_a_file(
    running: HomeUnderTest, counts: Path, tmp_path: Path
) -> None:
    file = str(tmp_path / "web.wirt")
    with connected(running, counts, 18) as lines:
        ask(lines)
        running.wirt("checkpoint", "web", "one", status=0)
        running.wirt("snapshot", "export", "web", "one", file, status=0)
        running.wirt("destroy", "web", status=0)
        running.wirt("snapshot", "import", file, status=0)
        running.wirt("resume", "web", status=0)

        assert ask(lines) == b"2 whole\n"


@pytest.mark.long
@pytest.mark.parametrize("mebibytes", [256, 1024])
def test_connection_to_a_large_server_lives_on(
    running: HomeUnderTest, counts: Path, mebibytes: int
) -> None:
    running.wirt("set", "web", "--memory", "2G", status=0)
    with connected(running, counts, mebibytes) as lines:
        ask(lines)
        running.wirt("checkpoint", "web", status=0)
        running.wirt("resume", "web", status=0)

        assert ask(lines) == b"2 whole\n"


def test_nothing_comes_to_a_guest_that_is_cut_off(
    running: HomeUnderTest, counts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WIRT_HOME", "WIRT_RUN", "WIRT_ETC"):
        monkeypatch.setenv(name, running.environment[name])
    with connected(running, counts, 1) as lines, app.open_context() as context:
        nic = Ladder(context, context.store.find("web")).nic()
        context.network.cut(nic, list)
        with pytest.raises(TimeoutError):
            socket.create_connection((nic.address, PORT), timeout=0.3)
        context.network.join(nic)
        socket.create_connection((nic.address, PORT), timeout=SECONDS).close()

        assert ask(lines) == b"1 whole\n"


def test_altered_and_truncated_memory_is_refused_in_one_line(running: HomeUnderTest) -> None:
    running.wirt("checkpoint", "web", "one", status=0)
    guest = running.guests()[0]
    images = Path(running.home.checkpoint(guest.id, "one"), "images")
    pages = next(path for path in sorted(images.iterdir()) if path.name.startswith("pages-"))
    whole = pages.read_bytes()
    pages.write_bytes(whole[:-4096])
    truncated = running.wirt("resume", "web", status=9)
    pages.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    altered = running.wirt("resume", "web", status=9)
    pages.write_bytes(whole)
    running.wirt("resume", "web", status=0)

    assert truncated.stderr == altered.stderr
    assert altered.stderr == (
        f"wirt: checkpoint one of guest web is damaged: images/{pages.name} is not what was written; "
        "it cannot be resumed; go back to its disk alone: wirt snapshot restore\n"
    )


def test_loopback_that_is_down_is_named_and_not_criu(root_user: None) -> None:
    with subprocess.Popen(["unshare", "--net", "sleep", "1000"]) as keeper:
        path = f"/proc/{keeper.pid}/ns/net"
        until(lambda: os.readlink(path) != os.readlink("/proc/self/ns/net"), "there is no network")
        doctor = ["nsenter", f"--net={path}", WIRT, "doctor"]
        said = [subprocess.run(doctor, capture_output=True, text=True).stdout]
        subprocess.run([*doctor[:2], "ip", "link", "set", "lo", "up"], check=True)
        said.append(subprocess.run(doctor, capture_output=True, text=True).stdout)
        keeper.kill()

    assert "CRIU asks the kernel by way of the loopback, which is down" in said[0]
    assert "ip link set lo up" in said[0]
    assert "loopback" not in said[1]


def test_what_stands_in_the_way_is_named_and_nothing_is_changed(running: HomeUnderTest) -> None:
    can = running.wirt("checkpoint", "--check", "web", status=0)
    check = ("checkpoint", "--check", "web")
    with running.spawn("exec", "web", "--", "sleep", "1000") as held:
        until(lambda: running.wirt(*check).returncode == 1, "it is not seen")
        named = running.wirt(*check)
        refused = running.wirt("checkpoint", "web", status=5)
        held.terminate()
    running.wirt("exec", "web", "--", "pkill", "sleep")
    until(lambda: running.wirt(*check).returncode == 0, "it is still seen")
    running.wirt("exec", "web", "--", "ip", "link", "add", "br0", "type", "bridge")
    made = running.wirt(*check)

    assert can.stdout == "guest web can be checkpointed\n"
    assert (
        "(sleep) was started from outside by wirt exec or enter and still runs; wait until it ends\n"
        in named.stdout
    )
    assert "cannot be checkpointed: process" in refused.stderr
    assert running.guests()[0].snapshots == ()
    assert made.stdout == (
        "device br0 was made in the guest and would not be there again; "
        "remove it: ip link delete br0\n"
    )


def test_shipped_web_server_serves_on_with_open_connections(guest_home: HomeUnderTest) -> None:
    home = guest_home
    home.wirt("create", "web", status=0)
    home.wirt("start", "web", status=0)
    address = home.guests()[0].address
    page = page_of(address)
    home.wirt("exec", "web", "--", "sh", "-c", PATIENT, status=0)
    home.wirt("exec", "web", "--", "systemctl", "is-system-running", "--wait")
    as_built = home.wirt("checkpoint", "--check", "web")
    with socket.create_connection((address, 80), timeout=SECONDS) as connection:
        # One that has said nothing yet the kernel has not handed to Apache (TCP_DEFER_ACCEPT), and CRIU does not see it.
        answers = [_request(connection)]
        for number in range(2):
            home.wirt("checkpoint", "web", f"n{number}", status=0)
            home.wirt("resume", "web", status=0)
            answers.append(_request(connection))
    state = home.wirt("exec", "web", "--", "systemctl", "is-system-running")
    home.wirt("exec", "web", "--", "systemctl", "restart", "apache2", status=0)

    assert as_built.stdout == "guest web can be checkpointed\n"
    assert answers == [page] * 3
    assert state.stdout == "running\n"
    assert page_of(address) == page


def test_sandboxed_unit_is_prepared_and_the_guest_checkpointed(guest_home: HomeUnderTest) -> None:
    home = guest_home
    unit = "[Service]\\nExecStart=sleep infinity\\nPrivateTmp=yes\\nProtectSystem=strict\\n"
    home.wirt("create", "web", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("exec", "web", "--", "systemctl", "is-system-running", "--wait")
    script = f"printf '{unit}' >/etc/systemd/system/boxed.service && systemctl start boxed"
    home.wirt("exec", "web", "--", "sh", "-c", script, status=0)
    named = home.wirt("checkpoint", "--check", "web", status=1)
    prepared = home.wirt("checkpoint", "--prepare", "web", status=0)
    home.wirt("checkpoint", "web", status=0)
    home.wirt("resume", "web", status=0)
    active = home.wirt("exec", "web", "--", "systemctl", "is-active", "boxed")

    assert named.stdout == (
        "unit boxed.service has a view of its own of mounts; "
        "switch its sandboxing off: wirt checkpoint --prepare\n"
    )
    assert prepared.stdout == (
        "sandboxing of boxed.service switched off: "
        "/etc/systemd/system/boxed.service.d/wirt-checkpoint.conf\n"
        "guest web can be checkpointed\n"
    )
    assert active.stdout == "active\n"


def _request(connection: socket.socket) -> str:
    """Return the front page, asked for on a connection that is kept."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.read().decode()


@pytest.mark.long
def test_web_server_is_checkpointed_again_and_again(guest_home: HomeUnderTest) -> None:
    home = guest_home
    home.wirt("create", "web", status=0)
    home.wirt("start", "web", status=0)
    address = home.guests()[0].address
    page = page_of(address)
    home.wirt("exec", "web", "--", "systemctl", "is-system-running", "--wait")
    for number in range(50):
        home.wirt("checkpoint", "web", f"n{number}", status=0)
        home.wirt("resume", "web", status=0)
        assert page_of(address) == page
        home.wirt("snapshot", "delete", "web", f"n{number}", status=0)
