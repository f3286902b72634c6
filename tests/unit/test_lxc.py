import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from wirt.approaches.lxc import control, exhaustion
from wirt.approaches.lxc.build import build_config, with_files
from wirt.approaches.lxc.driver import tell_seen
from wirt.host import lxcfs, run
from wirt.host.bounds import CONTROLLERS, Setting, build_bounds
from wirt.model.home import Home
from wirt.model.ids import SHARED
from wirt.model.launch import Launch
from wirt.model.limits import Limits
from wirt.model.resources import Nic, NicKind, RootTree
from wirt.units import MIB, UNBOUNDED

GOLDEN = Path(__file__).parents[1] / "golden"
ROOT = RootTree(path="/d/pools/directory/12ab34/root", idmap=SHARED)
LAUNCH = Launch(
    place=Home(data="/d", run="/r").place("12ab34"),
    hostname="web-1",
    limits=Limits(cpus=2, memory=256 * MIB),
    root=ROOT,
    nic=Nic(
        kind=NicKind.VETH,
        interface="wabcd12ab34",
        bridge="wirt-abcd",
        mac="02:0a:bc:12:ab:34",
        address="10.64.16.2",
        prefix=20,
        gateway="10.64.16.1",
    ),
)


def settings(version: int) -> list[Setting]:
    """Return what holds the launched guest to its limits where every controller is of one version."""
    limits = LAUNCH.limits
    return build_bounds(
        dict.fromkeys(CONTROLLERS, version),
        memory=limits.memory,
        cpus=limits.cpus,
        processes=limits.processes,
    )


def test_end_of_a_card_on_the_node_is_named_by_a_script_and_joined_first() -> None:
    card = msgspec.structs.replace(
        LAUNCH.nic, number=1, name="eth1", node_name="veth101.1", node_mac="02:00:5e:00:53:02"
    )
    launch = msgspec.structs.replace(LAUNCH, cards=(card,))
    texts = [
        build_config(
            launch,
            ROOT,
            settings=[],
            init="/sbin/init",
            joined_by=joined_by,
            identified_by="/bin/ip",
        )
        for joined_by in (None, "/bin/ip")
    ]
    own = (
        "/bin/ip link set wabcd12ab34 address 02:00:5e:00:53:02; "
        "/bin/ip link property add dev wabcd12ab34 altname veth101.1; :"
    )
    joining = "/bin/ip link set wabcd12ab34 master wirt-abcd; "
    found = [[line for line in text.splitlines() if "script.up" in line] for text in texts]

    assert found == [
        [f"lxc.net.1.script.up = 2>&1; {own}"],
        [f"lxc.net.0.script.up = {joining}:", f"lxc.net.1.script.up = 2>&1; {joining}{own}"],
    ]


@pytest.mark.parametrize("version", [1, 2])
def test_config_of_an_unprivileged_container_is_the_golden_one(version: int) -> None:
    text = build_config(LAUNCH, ROOT, settings=settings(version), init="/sbin/init")

    assert text == (GOLDEN / f"lxc-cgroup{version}.config").read_text()


def test_config_that_bounds_open_files_has_one_line_for_it_or_none() -> None:
    plain = build_config(LAUNCH, ROOT, settings=[], init="/sbin/init")
    bounded = with_files(with_files(plain, 100), 200)

    assert bounded == f"{plain}lxc.prlimit.nofile = 200\n"
    assert with_files(bounded, UNBOUNDED) == plain


def test_locks_of_containers_that_are_gone_are_swept_and_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        control, "lock_directory", lambda path: f"{tmp_path}/lock/{Path(path).name}"
    )
    for directory in ("lock/aaaaaa/x", "lock/bbbbbb/x", "guests/bbbbbb"):
        (tmp_path / directory).mkdir(parents=True)
    control.sweep_locks(f"{tmp_path}/guests/cccccc")
    left = [path.name for path in (tmp_path / "lock").iterdir()]
    control.sweep_locks(f"{tmp_path}/none/guests/cccccc")

    assert left == ["bbbbbb"]


def test_config_without_an_idmap_maps_nothing() -> None:
    plain = msgspec.structs.replace(ROOT, idmap=None)

    assert "idmap" not in build_config(LAUNCH, plain, settings=settings(2), init="/sbin/init")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", None),
        ("oom_kill 0\nChild <7> ended on signal Killed(9)\n", None),
        ("oom_kill 1\nChild <7> ended on signal Killed(9)\n", "a process"),
        ("oom_kill 1\noom_kill 2\nChild <7> ended on signal (9)\n", "3 processes"),
        ("oom_kill 1\nChild <7> ended on error (2)\n", "a process"),
        ("oom_kill 1\nended unseen\n", "a process"),
        ("oom_kill 1\nChild <7> ended on signal Interrupt(2)\n", None),
        ("oom_kill 1\nChild <7> ended on signal (2)\n", None),
        ("oom_kill 1\n", None),
    ],
    ids=[
        *("running", "unharmed", "killed", "many", "failed", "restored"),
        *("powered-off", "powered-off-by-lxc-6", "returned"),
    ],
)
def test_container_has_run_out_of_memory_if_it_did_not_end_in_good_order(
    tmp_path: Path, said: str, told: str | None
) -> None:
    place = Home(data=f"{tmp_path}/d", run=f"{tmp_path}/r").place("12ab34")
    Path(place.run_dir).mkdir(parents=True)
    Path(place.run_dir, "oom-kills").write_text(said)
    found = exhaustion.find(place)

    if told is None:
        assert found is None
    else:
        assert found == f"it had run out of memory, for which the kernel ended {told} of it"


@pytest.fixture
def ended(tmp_path: Path) -> Callable[[str], str]:
    """Give what is written down when a life of a container ends of which LXC has logged something."""
    log, written, counts = tmp_path / "lxc.log", tmp_path / "oom-kills", tmp_path / "counts"
    counts.write_text("oom_kill 1\nunder_oom 0\n")
    script = exhaustion.build_script(str(counts), str(written), str(log))

    def end(logged: str) -> str:
        with open(log, "a") as lines:
            lines.write(logged)
        subprocess.run(["sh", "-c", script], check=True)
        return written.read_text()

    return end


def test_end_of_a_container_is_that_of_its_last_life(ended: Callable[[str], str]) -> None:
    killed = ended("INFO begins\nNOTICE Child <7> ended on signal Killed(9)\n")
    returned = ended("INFO begins\n")
    rebooted = ended("NOTICE Child <8> ended on signal Hangup(1)\n")

    assert killed == "oom_kill 1\nChild <7> ended on signal Killed(9)\n"
    assert returned == "oom_kill 1\n"
    assert rebooted == "oom_kill 1\nChild <8> ended on signal Hangup(1)\n"


def test_what_lxc_logged_of_a_life_is_still_there_at_its_end(
    tmp_path: Path, ended: Callable[[str], str]
) -> None:
    ended("lxc-start web ERROR no such program\n")
    kept = control.keep_complaints(str(tmp_path), 0, str(tmp_path / "log"))

    assert kept == ["lxc-start web ERROR no such program\n"]


def test_log_of_a_container_that_begins_again_and_again_does_not_grow_for_ever(
    tmp_path: Path, ended: Callable[[str], str]
) -> None:
    for _ in range(3):
        ended("x" * (control.LARGEST_LOG // 2 + 1))

    assert (tmp_path / "lxc.log").stat().st_size < control.LARGEST_LOG


@pytest.mark.parametrize(
    ("is_served", "program", "told"),
    [
        (True, "/usr/bin/lxcfs", "lxcfs shows it its own"),
        (False, None, "without lxcfs it sees the node's (apt-get install lxcfs)"),
        (
            False,
            "/usr/bin/lxcfs",
            "it sees the node's, for lxcfs does not run "
            "(systemctl start lxcfs, or lxcfs /var/lib/lxcfs)",
        ),
    ],
    ids=["served", "missing", "installed"],
)
def test_probe_tells_whose_memory_a_container_sees(
    monkeypatch: pytest.MonkeyPatch, is_served: bool, program: str | None, told: str
) -> None:
    monkeypatch.delenv("WIRT_LXCFS", raising=False)
    monkeypatch.setattr(lxcfs, "find_files", lambda: ["proc/meminfo"] if is_served else [])
    monkeypatch.setattr(run, "find_program", lambda name: program)

    assert tell_seen() == told
