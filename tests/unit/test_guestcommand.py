"""Commands through the channel of an own-kernel guest: real pipes and files, an agent that runs them on the node."""

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.fake_agent import FakeAgent

from wirt.approaches import guestcommand, ownkernel
from wirt.errors import Failed, InvalidInput, TimedOut
from wirt.host import process
from wirt.host.run import Streams
from wirt.model.guest import Handle
from wirt.model.launch import Place

PATH = {"PATH": "/usr/bin:/bin"}


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """A guest whose engine is a process that sleeps."""

    place: Place
    handle: Handle
    agent: FakeAgent
    line: guestcommand.Line

    def run(
        self,
        *argv: str,
        stdin: int | None = None,
        environment: dict[str, str] | None = None,
        longest: int = 100_000,
    ) -> tuple[int, str, str]:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            status = guestcommand.run_command(
                self.place,
                self.handle,
                list(argv),
                line=msgspec.structs.replace(self.line, longest_request=longest),
                streams=Streams(stdin=stdin, stdout=out.fileno(), stderr=err.fileno()),
                environment={**PATH, **(environment or {})},
            )
            for file in (out, err):
                file.seek(0)
            return status, out.read().decode(), err.read().decode()

    def log(self, text: str) -> None:
        Path(self.place.log).write_text(text)


@contextmanager
def engine(place: Place) -> Iterator[Handle]:
    """Give a process that stands for the engine."""
    sleeping = subprocess.Popen(["/bin/sleep", "60"])
    try:
        yield Handle(pid=sleeping.pid, started=process.start_time(sleeping.pid))
    finally:
        sleeping.kill()
        sleeping.wait()


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[Guest]:
    place = Place(name="wtest-123456", run_dir=str(tmp_path), log=f"{tmp_path}/console.log")
    directory = ownkernel.make_channel(place)
    line = guestcommand.Line(signal_device=f">{directory}/signals", longest_request=0)
    with engine(place) as handle, ownkernel.open_channel(directory) as ends:
        agent = FakeAgent(ends.to_agent, ends.from_agent)
        with agent.serving():
            yield Guest(place=place, handle=handle, agent=agent, line=line)


@pytest.fixture
def dumb_guest(tmp_path: Path) -> Iterator[tuple[Place, Handle]]:
    """Give a guest whose agent never answers."""
    place = Place(name="wtest-123456", run_dir=str(tmp_path), log=f"{tmp_path}/console.log")
    ownkernel.make_channel(place)
    with engine(place) as handle:
        yield place, handle


def test_command_passes_status_output_and_errors(guest: Guest) -> None:
    assert guest.run("sh", "-c", "echo out; echo err >&2; exit 7") == (7, "out\n", "err\n")


def test_command_that_is_killed_is_128_and_the_signal(guest: Guest) -> None:
    assert guest.run("sh", "-c", "kill -9 $$")[0] == 137


def test_command_that_is_unknown_is_127(guest: Guest) -> None:
    assert guest.run("no-such-command")[0] == 127


def test_command_is_not_asked_about_while_it_runs(guest: Guest) -> None:
    guest.run("sleep", "0.3")

    assert guest.agent.asked.count("guest-exec-status") == 1


@pytest.mark.parametrize("longest", [100_000, 500])
def test_command_gets_arguments_environment_and_input_however_they_travel(
    guest: Guest, longest: int
) -> None:
    argv = ["sh", "-c", 'cat; for a; do echo "[$a]"; done; echo "$A|${HOME-none}"']
    arguments = ["", "a b", "$HOME", "'", '"', "é", "x\ny"]
    with tempfile.TemporaryFile() as given:
        given.write(b"line\n" * 1000)
        given.seek(0)
        status, said, _ = guest.run(
            *argv,
            "sh",
            *arguments,
            stdin=given.fileno(),
            environment={"A": "it's $A"},
            longest=longest,
        )

    expected = "line\n" * 1000 + "".join(f"[{argument}]\n" for argument in arguments)
    assert status == 0
    assert said == f"{expected}it's $A|none\n"
    assert guest.agent.longest <= longest


def test_input_of_an_idle_pipe_is_none(guest: Guest) -> None:
    reader, writer = os.pipe()

    said = guest.run("cat", stdin=reader)
    os.close(reader)
    os.close(writer)

    assert said == (0, "", "")


def test_input_that_comes_after_the_start_is_an_error_and_not_lost_in_silence(guest: Guest) -> None:
    reader, writer = os.pipe()
    late = subprocess.Popen(["/bin/sh", "-c", "sleep 0.5; echo late"], stdout=writer)
    os.close(writer)
    try:
        with pytest.raises(Failed) as caught:
            guest.run("/bin/sh", "-c", "sleep 1.5", stdin=reader)
    finally:
        late.wait()
        os.close(reader)

    assert str(caught.value) == (
        "/bin/sh ran without the input that came after its start; put the input into a file and "
        "pass that: wirt exec ... <FILE"
    )


def test_input_larger_than_allowed_is_refused_before_anything_runs(guest: Guest) -> None:
    with tempfile.TemporaryFile() as given:
        given.truncate(guestcommand.MOST_INPUT + 1)

        with pytest.raises(InvalidInput) as caught:
            guest.run("cat", stdin=given.fileno())

    assert str(caught.value) == (
        "a guest with its own kernel takes at most 1 MiB of input; "
        "give it in pieces, or fetch it from within the guest over the network"
    )
    assert guest.agent.asked == []


def test_wait_ready_returns_when_the_agent_answers(guest: Guest) -> None:
    ownkernel.wait_ready(guest.place, guest.handle, 10)

    assert guest.agent.asked == ["guest-sync-delimited", "guest-ping"]


def test_wait_ready_with_an_agent_that_is_silent_names_the_log_and_shows_its_end(
    dumb_guest: tuple[Place, Handle],
) -> None:
    place, handle = dumb_guest
    Path(place.log).write_text("\x1b[0;32m  OK  \x1b[0m started\nlast words\n")

    with pytest.raises(TimedOut) as caught:
        ownkernel.wait_ready(place, handle, 0.1)

    assert str(caught.value) == f"the guest was not ready within 0.1 s; see {place.log}"
    assert caught.value.detail == "  OK   started\nlast words"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            "[1.0] Kernel panic - not syncing: no init\n[1.1] more\n",
            "Kernel panic - not syncing: no init",
        ),
        ("one\nQEMU: no space\n", "its last words were: QEMU: no space"),
        ("", "its log does not say why"),
    ],
)
def test_wait_ready_of_a_guest_that_ended_says_why(
    dumb_guest: tuple[Place, Handle], log: str, reason: str
) -> None:
    place, handle = dumb_guest
    Path(place.log).write_text(log)
    assert handle.pid is not None
    os.kill(handle.pid, 9)

    with pytest.raises(Failed) as caught:
        ownkernel.wait_ready(place, handle, 10)

    assert str(caught.value) == f"the guest ended while it started: {reason}; see {place.log}"


def test_panic_of_an_earlier_start_is_not_why_a_guest_ended(
    dumb_guest: tuple[Place, Handle],
) -> None:
    place, handle = dumb_guest
    Path(place.log).write_text("[1.0] Kernel panic - not syncing: no init\n")
    ownkernel.make_channel(place)
    with open(place.log, "a") as log:
        log.write("bye\n")
    assert handle.pid is not None
    os.kill(handle.pid, 9)

    with pytest.raises(Failed) as caught:
        ownkernel.wait_ready(place, handle, 10)

    assert str(caught.value) == (
        f"the guest ended while it started: its last words were: bye; see {place.log}"
    )
    assert caught.value.detail == "bye"


def test_panic_is_known_as_long_as_it_is_known_where_the_start_began(
    dumb_guest: tuple[Place, Handle],
) -> None:
    place, _ = dumb_guest
    before = ownkernel.find_panic(place)
    Path(place.log).write_text("[1.0] Kernel panic - not syncing: no init\n[1.1] more\n")
    panicked = ownkernel.find_panic(place)
    Path(ownkernel.private_directory(place), ownkernel.LOG_BEGIN).unlink()

    assert before is None
    assert panicked == "Kernel panic - not syncing: no init"
    assert ownkernel.find_panic(place) is None


def test_agent_that_does_not_answer_is_told_with_the_log(
    dumb_guest: tuple[Place, Handle],
) -> None:
    place, handle = dumb_guest

    with pytest.raises(TimedOut) as caught, ownkernel.open_agent(place, handle, 0.1):
        pass

    assert str(caught.value) == (
        f"the guest's agent did not answer in time; see what the guest said last: {place.log}"
    )


def test_option_that_an_engine_complains_of_is_named_without_its_value(tmp_path: Path) -> None:
    log = f"{tmp_path}/log"
    said = "echo engine: -disk /a/b,c: no such disk"

    with pytest.raises(Failed) as caught:
        ownkernel.start_engine(
            ["/bin/sh", "-c", said, "-disk", "/a/b,c"],
            "name=none",
            lambda: False,
            what="The engine",
            directory=str(tmp_path),
            log=log,
            environment={},
            entrances=(),
        )

    assert str(caught.value) == f"The engine did not start: engine: -disk: no such disk; see {log}"


def test_command_in_a_guest_that_was_taken_away_says_that_it_ended(guest: Guest) -> None:
    gone = msgspec.structs.replace(guest.place, run_dir=f"{guest.place.run_dir}/nowhere")

    with pytest.raises(Failed, match="the guest ended while it ran true"):
        guestcommand.run_command(
            gone, guest.handle, ["true"], line=guest.line, streams=Streams(), environment=PATH
        )


def test_stop_with_a_silent_agent_asks_in_the_other_way_and_times_out(
    dumb_guest: tuple[Place, Handle],
) -> None:
    place, handle = dumb_guest
    asked = []

    with pytest.raises(TimedOut) as caught:
        ownkernel.stop(place, handle, 0.1, otherwise=lambda: asked.append("button"))

    assert str(caught.value) == "the guest did not shut down within 0.1 s; pass --force to end it"
    assert asked == ["button"]


def test_stop_of_a_guest_that_ended_returns(dumb_guest: tuple[Place, Handle]) -> None:
    place, handle = dumb_guest
    assert handle.pid is not None
    os.kill(handle.pid, 9)

    ownkernel.stop(place, handle, 0.1)


def test_channel_is_for_its_owner_alone(tmp_path: Path) -> None:
    place = Place(name="w", run_dir=str(tmp_path), log=f"{tmp_path}/log")

    directory = Path(ownkernel.make_channel(place))

    made = [path for path in [directory, *directory.iterdir()] if not path.is_symlink()]
    assert {path.name: path.stat().st_mode & 0o777 for path in made} == {
        "engine": 0o700,
        **dict.fromkeys(("agent.in", "agent.out", "console.in", "signals", "log-begin"), 0o600),
    }
    assert os.readlink(directory / "console.out") == "/dev/null"


def test_tar_of_a_directory_unpacks_as_the_target(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("content")

    assert pack(source, "/opt/target", tmp_path) == [".", "./file"]
    assert guestcommand.tar_directory(str(source), "/opt/target") == "/opt/target"


def test_tar_of_a_file_unpacks_beside_the_target_under_its_name(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("content")

    assert pack(source, "/opt/target", tmp_path) == ["target"]
    assert guestcommand.tar_directory(str(source), "/opt/target") == "/opt"
    assert guestcommand.tar_directory(str(source), "/target") == "/"


def pack(source: Path, target: str, aside: Path) -> list[str]:
    path = aside / "packed.tar"
    with tarfile.open(path, "w") as archive:
        guestcommand.write_tar(str(source), target, archive)
    with tarfile.open(path) as archive:
        assert {(member.uid, member.uname) for member in archive} == {(0, "root")}
        return archive.getnames()
