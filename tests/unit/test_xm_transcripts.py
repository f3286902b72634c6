"""``xm`` on a node of fakes: each subcommand told by a transcript, with what it says and what it ends with.

``WIRT_GOLDEN=write`` writes what the command says now. What is the node's own (memory, processors, time) is written as words.
"""

import io
import os
import re
import shlex
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import msgspec
import pytest
from tests.fakes import home_in, open_context

from wirt import app
from wirt.approaches.fake import FakeApproach
from wirt.approaches.registry import APPROACHES
from wirt.dialects.xm.main import main
from wirt.dialects.xm.usage import ALIASES, COMMANDS
from wirt.errors import Failed
from wirt.model import node as model
from wirt.model.capability import Capability, no, yes
from wirt.model.home import Home
from wirt.model.launch import Place
from wirt.ops.context import Context
from wirt.ops.networks import add_network
from wirt.state.sqlite import SqliteStore
from wirt.transport.base import Link
from wirt.units import MIB

GOLDEN = Path(__file__).parents[1] / "golden" / "xm"
TRANSCRIPTS = sorted(GOLDEN.glob("*.txt"))


class FakeKernel(FakeApproach):
    """A fake whose guests have a kernel of their own."""

    needs = msgspec.structs.replace(FakeApproach.needs, own_kernel=True)

    def __init__(self, directory: str, name: str) -> None:
        super().__init__(directory)
        self.name = name
        self.fixed = frozenset({"cpus", "memory_max"})
        is_machine = name in ("qemu", "kvm")
        self.needs = msgspec.structs.replace(
            type(self).needs, firmware=is_machine, balloon=is_machine
        )

    def screen_socket(self, place: Place) -> str:
        return "nowhere"

    def open_console(self, place: Place) -> int:
        raise Failed("nobody types here")

    def probe_capability(self) -> Capability:
        is_here = self.name in os.environ["APPROACHES_HERE"].split()
        return yes(self.name, "") if is_here else no(self.name, f"there is no {self.name} here")


def _no_link(node: model.Node) -> Link:
    raise Failed(f"node {node.name} does not answer")


class Node:
    """A node of fakes that ``xm`` is typed on."""

    def __init__(self, base: Path) -> None:
        self._base = base
        (base / "template" / "etc").mkdir(parents=True)
        files = base / "files"
        files.mkdir()
        for source in (GOLDEN / "files").iterdir():
            (files / source.name).write_text(source.read_text())
        (files / "kernel").touch()
        for name in ("one.img", "two.img"):
            with (files / name).open("wb") as image:
                image.truncate(MIB)

    @contextmanager
    def open(self, home: Home | None = None) -> Iterator[Context]:
        with closing(SqliteStore(home_in(self._base).database)) as store:
            context = open_context(self._base, store)
            directory = f"{self._base}/kernel/guests"
            yield msgspec.structs.replace(
                context,
                home=msgspec.structs.replace(context.home, etc=f"{self._base}/etc"),
                approach=lambda name: FakeKernel(directory, name),
                link=_no_link,
            )

    def type(self, line: str) -> tuple[str, int]:
        """Run a command line, and return what a terminal would show and the status."""
        screen = io.StringIO()
        with redirect_stdout(screen), redirect_stderr(screen):
            status = main(shlex.split(line)[1:])
        return self._plain(screen.getvalue()), status

    def kept_files(self) -> list[Path]:
        """Return the files that definitions are kept in."""
        return sorted(Path(home_in(self._base).data).glob("guests/*/domain.sxp"))

    def _plain(self, said: str) -> str:
        said = re.sub(r" +$", "", said.replace(str(self._base), "BASE"), flags=re.MULTILINE)
        said = re.sub(r"(?<=wirt-)[a-z]{4}\b", "TAG", said)
        said = re.sub(r"\bw[a-z]{4}[0-9a-f]{6}\b", "CARD", said)
        said = re.sub(r"\b0[26ae]:[0-9a-f:]{14}\b", "02:MAC-OF-THE-GUEST", said)
        said = re.sub(r"^(Domain-0 +0) +[\d-].*$", r"\1 NODE", said, flags=re.MULTILINE)
        said = re.sub(r"^( +Domain-0 [-r]{6}) .*$", r"\1 NODE", said, flags=re.MULTILINE)
        said = re.sub(r"(?<= 262144) +\d+\.\d", " SHARE", said)
        if "(name Domain-0)" in said:
            said = re.sub(r"(memory|vcpus|cpu_time) [\d.]+", r"\1 NODE", said)
        said = re.sub(r"(^Domain-0 .*\n)(Domain-0 .*\n)+", r"\1", said, flags=re.MULTILINE)
        said = re.sub(
            r"^((?!xen|platform)[a-z_]+ +|xen_\w+ +): (?!\(none\)$).*$|^(cpu_mhz|hw_caps|cc_\w+) .*$",
            lambda match: f"{(match[1] or match[2]):<23}: NODE",
            said,
            flags=re.MULTILINE,
        )
        said = re.sub(r"(no CPU 1000; it has) .*", r"\1 NODE", said)
        return re.sub(r"\d\d:\d\d:\d\d up .*, Domain-0", "NOW up NODE, Domain-0", said)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    umask = os.umask(0o022)
    os.makedirs(home_in(tmp_path).data)
    monkeypatch.setenv("APPROACHES_HERE", "uml qemu kvm")
    made = Node(tmp_path)
    monkeypatch.setattr(app, "open_context", made.open)
    home = msgspec.structs.replace(home_in(tmp_path), etc=str(tmp_path / "etc"))
    monkeypatch.setattr(app, "find_home", lambda: home)
    monkeypatch.chdir(tmp_path / "files")
    with made.open() as context:
        add_network(context, "back", "192.168.7.0/24")
    yield made
    os.umask(umask)
    for number, handler in kept.items():
        signal.signal(number, handler)


def commands_of(transcript: str) -> Iterator[str]:
    yield from (line[2:] for line in transcript.splitlines() if line.startswith("$ "))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript_is_what_the_command_says(node: Node, path: Path) -> None:
    told = path.read_text()
    typed = []
    for command in commands_of(told):
        said, status = node.type(command)
        typed.append(f"$ {command}\n{said}" + (f"[{status}]\n" if status else ""))
    found = "".join(typed)
    if os.environ.get("WIRT_GOLDEN") == "write":
        path.write_text(found)

    assert found == told


def test_every_subcommand_and_every_old_name_has_a_transcript() -> None:
    typed = {
        shlex.split(command)[1]
        for path in TRANSCRIPTS
        for command in commands_of(path.read_text())
        if len(shlex.split(command)) > 1
    }

    assert COMMANDS.keys() | ALIASES.keys() <= typed


def test_domain_whose_making_was_broken_off_is_made_whole_by_the_next_create(node: Node) -> None:
    node.type("xm new plain")
    os.unlink(node.kept_files()[0])
    between = node.type("xm list --state=halted")[0].split()
    again = node.type("xm create plain -q")

    assert between[-5:] == ["xenu-1", "256", "1", "------", "0.0"]
    assert again == ("Started domain xenU_1\n", 0)
    assert node.type("xm domid xenU_1") == ("1\n", 0)


def test_definition_that_cannot_be_read_any_more_counts_as_none(node: Node) -> None:
    node.type("xm new plain")
    node.kept_files()[0].write_text("(vm (memory much))")

    assert "xenu-1" in node.type("xm list --state=halted")[0]


def test_ids_that_were_cut_short_begin_anew(node: Node, tmp_path: Path) -> None:
    node.type("xm create plain")
    (tmp_path / "run" / "xm-ids.json").write_text('{"last": 7, "ru')

    assert node.type("xm domid xenU_1") == ("1\n", 0)


@pytest.mark.parametrize(
    ("here", "builder", "chosen"),
    [
        ("xen uml qemu kvm", "linux", "uml"),
        ("uml qemu kvm", "linux", "uml"),
        ("uml qemu kvm", "hvm", "kvm"),
        ("uml qemu", "hvm", "qemu"),
    ],
)
def test_builder_and_node_choose_the_approach(
    node: Node, monkeypatch: pytest.MonkeyPatch, here: str, builder: str, chosen: str
) -> None:
    monkeypatch.setenv("APPROACHES_HERE", here)
    node.type(f"xm new plain builder={builder}")
    with node.open() as context:
        found = [guest.approach for guest in context.store.guests()]

    # Where Xen is behind a domain, the approach of that name is, once there is one.
    assert found == ["xen" if "xen" in here and "xen" in APPROACHES else chosen]


def test_node_without_any_of_them_says_which_and_why(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPROACHES_HERE", "lxc")
    said, status = node.type("xm create plain -q builder=hvm")

    assert status == 1
    assert said.startswith("Error: no domain can be built by hvm here: ")
    assert said.endswith(
        "kvm: there is no kvm here; qemu: there is no qemu here; see wirt doctor\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(network-script 'network-bridge bridge=br7 netdev=eth0')", "Started domain xenU_1\n"),
        (
            "(network-script network-bridge",
            "Error: BASE/etc/xm/xend-config.sxp: a bracket is not closed\n",
        ),
    ],
)
def test_bridge_may_be_called_as_xend_is_configured(
    node: Node, tmp_path: Path, text: str, said: str
) -> None:
    etc = tmp_path / "etc" / "xm"
    etc.mkdir(parents=True)
    (etc / "xend-config.sxp").write_text(text)

    assert node.type("xm create plain -q vif=bridge=br7")[0] == said


def test_xend_config_that_is_no_text_is_refused(node: Node, tmp_path: Path) -> None:
    etc = tmp_path / "etc" / "xm"
    etc.mkdir(parents=True)
    (etc / "xend-config.sxp").write_bytes(b"\xff")

    said, _ = node.type("xm create plain -q vif=bridge=br7")

    assert said == "Error: BASE/etc/xm/xend-config.sxp is no text; write it anew\n"
