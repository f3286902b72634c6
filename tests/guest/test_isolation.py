"""What a hostile root in a container can do to the node and to its neighbour: nothing.

``attack.c`` does it, from inside; each test says what must be refused or where it must end, and compares the node before and
after. A full disk is in ``tests/cli/test_disks.py``, a forged sender in ``test_filter.py``, a planted link under a password in
``test_password.py``.
"""

import base64
import ctypes
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import WIRT, HomeUnderTest
from tests.terminal import open_terminal

from wirt import app
from wirt.host.cgroup import Cgroup
from wirt.host.cgroupusage import cpu_seconds
from wirt.model.guest import Guest
from wirt.model.ids import ALL
from wirt.ops.copy_in import copy_in
from wirt.units import MIB

PROCESSES = 64
MEMORY = 64
"""Of each guest, MiB."""
SECONDS = 10.0
"""That anything here may take on a busy machine."""

ADD_KEY, KEYCTL = 248, 250
"""Numbers of system calls that the C library does not know."""
KEYCTL_UNLINK, USERS_KEYS = 9, -4

OWN_SYSCTLS = ("/proc/sys/net/", "/proc/sys/user/", "/proc/sys/fs/mqueue/", "/proc/sys/kernel/")
"""Where sysctls of a guest's own namespaces are; whether they are its own alone is seen on the node."""
RESTLESS = (
    *("-nr", "-state", "/quota/", "/random/", "ns_last_pid", "pty/nr", "_count"),
    *("/conf/", "/neigh/", "/route/", "ip_forward", "nf_hooks"),
)
"""In the names of sysctls that change by themselves, or where other guests come and go."""


NAMES = ("evil", "good")

FIGHTS = {
    "bomb": ["/root/attack", "bomb"],
    "hogs": ["sh", "-c", "while :; do /root/attack hog pages; done"],
    "files": ["sh", "-c", "while :; do seq 500 | xargs touch; rm -f [0-9]*; done"],
}
"""What ``evil`` does over and over while its neighbour works."""


class Pair:
    """Two running containers, ``evil`` and ``good``, with equal limits, and the attacks in both."""

    def __init__(self, home: HomeUnderTest, program: Path) -> None:
        self.home = home
        text = base64.encodebytes(program.read_bytes()).decode()
        for name in NAMES:
            home.wirt("create", "-t", TINY, "--memory", f"{MEMORY}M", name, status=0)
            home.wirt("set", name, "--processes", str(PROCESSES), status=0)
            home.wirt("start", name, status=0)
            put = "base64 -d > /root/attack && chmod 755 /root/attack"
            home.wirt("exec", name, "--", "sh", "-c", put, stdin=text, status=0)

    def guest(self, name: str) -> Guest:
        return next(guest for guest in self.home.guests() if guest.name == name)

    def group(self, name: str) -> Cgroup:
        """Return the control group of a guest's processes."""
        place = self.home.home.place(self.guest(name).id)
        return Cgroup(f"{place.name}/lxc.payload.{place.name}")

    def revive(self) -> None:
        """Start ``evil`` again, should it have ended itself."""
        if self.guest("evil").state != "running":
            self.home.wirt("start", "evil", status=0)

    def attack(self, *arguments: str, by: str = "evil") -> list[str]:
        """Return the lines that an attack says."""
        done = self.home.wirt("exec", by, "--", "/root/attack", *arguments, status=0)
        return done.stdout.splitlines()

    def shell(self, script: str, by: str = "evil") -> list[str]:
        """Return the lines that a script of a guest's root says."""
        return self.home.wirt("exec", by, "--", "sh", "-c", script).stdout.splitlines()

    @contextmanager
    def taking(self, what: str) -> Iterator[tuple[int, str]]:
        """Have ``evil`` hold all that it gets of something: how many, and why there were no more."""
        with subprocess.Popen(
            [WIRT, "exec", "evil", "--", "/root/attack", "take", what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.home.environment,
        ) as running:
            assert running.stdin is not None
            assert running.stdout is not None
            count, reason = running.stdout.readline().split()
            yield int(count), reason
            running.stdin.close()

    def answers(self, name: str) -> bool:
        """Return whether a command runs in a guest."""
        return self.home.wirt("exec", name, "--", "true").returncode == 0


@pytest.fixture(scope="module")
def program(shared_base: Path) -> Path:
    path = shared_base / "attack"
    source = Path(__file__).with_name("attack.c")
    subprocess.run(
        ["gcc", "-D_GNU_SOURCE", "-O1", "-Wall", "-Werror", "-static", "-o", path, source],
        check=True,
    )
    return path


@pytest.fixture(scope="module")
def pair(module_home: HomeUnderTest, program: Path) -> Pair:
    return Pair(module_home, program)


@pytest.fixture
def secret(shared_base: Path) -> Iterator[Path]:
    """Give a directory of the node that everybody may write to, with a file: what an attack may not find."""
    directory = shared_base / "node"
    directory.mkdir()
    directory.chmod(0o777)
    (directory / "secret").write_text("of the node\n")
    yield directory
    assert [path.name for path in directory.iterdir()] == ["secret"]
    assert (directory / "secret").read_text() == "of the node\n"
    (directory / "secret").unlink()
    directory.rmdir()


def read_sysctls() -> dict[str, str]:
    """Return what the node's sysctls are, but for those that never rest."""
    found = {}
    for directory, _, names in os.walk("/proc/sys"):
        for name in names:
            path = os.path.join(directory, name)
            if not any(word in path for word in RESTLESS):
                try:
                    found[path] = Path(path).read_text()
                except OSError:
                    continue
    return found


def devices() -> dict[str, tuple[int, int, int]]:
    found = {entry.path: entry.stat(follow_symlinks=False) for entry in os.scandir("/dev")}
    return {path: (one.st_mode, one.st_rdev, one.st_uid) for path, one in found.items()}


@contextmanager
def key_of_the_node(name: str) -> Iterator[int]:
    """Add a key to those of the node's root, and give its number."""
    kernel = ctypes.CDLL(None, use_errno=True)
    number = kernel.syscall(ADD_KEY, b"user", name.encode(), b"x", ctypes.c_size_t(1), USERS_KEYS)
    assert number > 0
    yield number
    assert kernel.syscall(KEYCTL, KEYCTL_UNLINK, number, USERS_KEYS) == 0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_calls_that_are_the_nodes_alone_are_refused(pair: Pair) -> None:
    before = devices()
    said = dict(line.split() for line in pair.attack("call"))

    # ENOSYS: this kernel has none of that. EACCES: it asks for a limit or a setting of the node.
    assert len(said) == 31
    assert {name: s for name, s in said.items() if s not in ("EPERM", "EACCES", "ENOSYS")} == {}
    for name in ("mknod-disk", "mknod-memory", "mount-ext4", "set-clock", "read-log", "real-time"):
        assert said[name] == "EPERM"
    assert devices() == before


def test_devices_that_a_guest_has_are_harmless_ones(pair: Pair) -> None:
    found = pair.shell("find /dev -type b; cd /dev; find . -type c | sort")

    allowed = ["full", "null", "ptmx", "pts/ptmx", "random", "tty", "urandom", "zero", "console"]
    assert set(found) <= {f"./{name}" for name in allowed} | {f"./pts/{n}" for n in range(8)}
    assert "./null" in found


def test_no_setting_of_the_node_can_be_written(pair: Pair) -> None:
    before = read_sysctls()
    pair.shell("for m in /proc/sys /proc /sys; do mount -o remount,rw,bind $m; done")
    pair.shell("umount /proc/sys/net; umount /proc/sys")
    opened = pair.shell(
        "cd /proc; for f in [a-z]*; do"
        ' case $f in self|thread-self|net|pressure) ;; *) set -- "$@" /proc/$f ;; esac;'
        'done; exec /root/attack write "$@" /sys'
    )
    after = read_sysctls()
    foreign = [path for path in opened if not path.startswith(OWN_SYSCTLS)]

    assert [path for path in foreign if not path.startswith("/sys/devices/virtual/net/")] == []
    assert any(path.startswith("/proc/sys/net/") for path in opened)
    assert {path: text for path, text in before.items() if after.get(path, text) != text} == {}
    for name in ("kernel/core_pattern", "kernel/sysrq", "vm/overcommit_memory", "fs/file-max"):
        assert f"/proc/sys/{name}" not in opened


def test_limits_cannot_be_lifted_through_control_groups(pair: Pair) -> None:
    before = pair.home.world().cgroups
    script = """
        mkdir -p /tmp/group
        for one in pids memory cpu cpuset devices freezer blkio none,name=systemd; do
            mount -t cgroup -o $one group /tmp/group 2>/dev/null || continue
            echo tried $one
            /root/attack write /tmp/group/*
            for name in release_agent notify_on_release; do
                echo 1 2>/dev/null >/tmp/group/$name && echo wrote $name
            done
            umount /tmp/group
        done
        mount -t cgroup2 group /tmp/group 2>/dev/null || exit
        echo tried v2
        for name in pids.max memory.max memory.high cpu.max cgroup.freeze cgroup.kill; do
            echo max 2>/dev/null >/tmp/group/$name && echo wrote $name
        done
        umount /tmp/group
    """
    said = pair.shell(script)

    tried = [line for line in said if line.startswith("tried ")]
    written = [line for line in said if line not in tried and " refuses " not in line]

    assert tried
    # Which of its own processes are in which of its own groups is all that it may say.
    assert {line.rpartition("/")[2] for line in written} <= {"cgroup.procs", "tasks"}
    assert pair.home.world().cgroups == before


def test_nothing_lies_above_the_root_of_a_guest(pair: Pair, secret: Path) -> None:
    assert pair.attack("climb", f"{secret}/secret") == ["find ENOENT"]
    assert pair.attack("climb", "/root/attack") == ["find ok"]


def test_neighbours_have_no_id_of_the_node_in_common(pair: Pair) -> None:
    maps = {tuple(pair.shell("cat /proc/self/uid_map", by=name)[0].split()) for name in NAMES}
    firsts = sorted(int(first) for _, first, _ in maps)

    assert {size for _, _, size in maps} == {"65536"}
    assert firsts[1] - firsts[0] >= 65_536
    assert firsts[0] >= ALL.first


def test_processes_of_the_node_are_out_of_reach(pair: Pair) -> None:
    said = dict(line.split() for line in pair.attack("process", str(os.getpid())))
    seen = pair.shell("ls -d /proc/[0-9]* | wc -l")
    special = pair.shell(
        "for f in /proc/kcore /proc/sysrq-trigger /proc/kmsg /proc/kpageflags; do"
        " head -c 1 $f >/dev/null 2>&1 && echo read $f; echo h 2>/dev/null >$f && echo wrote $f;"
        " done"
    )

    assert set(said) == {"signal", "trace", "read", "bind", "limit", "open"}
    assert set(said.values()) == {"ESRCH"}
    assert int(seen[0]) <= 8
    assert special == []


def test_key_of_the_node_can_be_neither_found_nor_used(pair: Pair) -> None:
    name = f"wirt-test-{os.getpid()}"
    with key_of_the_node(name) as number:
        said = dict(line.split() for line in pair.attack("key", str(number), name))
        listed = pair.shell("cat /proc/keys")

    assert set(said) == {"describe", "read", "link", "revoke", "permit", "request"}
    assert set(said.values()) <= {"EACCES", "ENOKEY", "EPERM"}
    assert [line for line in listed if name in line] == []


def test_command_is_born_with_three_descriptors_and_in_the_guests_own_root(
    pair: Pair, secret: Path
) -> None:
    opened = os.open(secret, os.O_RDONLY)
    piped = subprocess.run(
        [WIRT, "exec", "evil", "--", "/root/attack", "descriptors"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=pair.home.environment,
        pass_fds=[opened],
        cwd=secret,
        check=True,
    )
    os.close(opened)
    said = dict(line.split(maxsplit=1) for line in piped.stdout.splitlines())

    assert said.keys() == {"-1", "0", "1", "2"}
    assert said["-1"] == "own"
    assert said["0"] == "/dev/null"
    assert said["1"].startswith("pipe:")


def test_files_that_a_command_reads_and_adds_to_are_in_nobodys_hands(
    pair: Pair, tmp_path: Path
) -> None:
    log, given = tmp_path / "log", tmp_path / "given"
    log.write_text("of the node\n")
    given.write_text("not for you\nfor you\n")
    line = f"(read -r first; wirt exec evil -- /root/attack files) <{given} >>{log}"
    pair.home.type(line)
    said = log.read_text()
    wait_for(lambda: pair.shell("pidof attack") == [], "a child goes on writing")

    first, *lines = said.splitlines()
    assert first == "of the node"
    assert lines[:4] == ["empty EINVAL", "back ESPIPE", "again ESPIPE", "for you"]
    assert log.read_text() == said


def test_terminal_of_a_command_is_the_guests_own(pair: Pair) -> None:
    with open_terminal(pair.home, "exec", "evil", "--", "/root/attack", "descriptors") as terminal:
        assert terminal.end() == 0
        lines = [line.split(maxsplit=1) for line in terminal.seen.splitlines()]
        said = dict(line for line in lines if line)

    assert said == {"-1": "own", "0": "own", "1": "own", "2": "own"}


def test_links_planted_where_the_node_writes_lead_nowhere(
    pair: Pair, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "copied").write_text("by the node\n")
    monkeypatch.setattr(os, "environ", {**os.environ, **pair.home.environment})
    above = "/../../../../../../../.."
    for target in (
        str(secret),
        f"{above}{secret}",
        f"/proc/1/root{secret}",
        f"/proc/1/cwd{secret}",
    ):
        pair.shell(
            f"mkdir -p {secret}; rm -rf /etc/hosts /etc/resolv.conf /etc/hostname /spool; "
            f"ln -s {target} /spool; for n in hosts resolv.conf hostname; do "
            f"ln -s {target}/$n /etc/$n; done"
        )
        with app.open_context() as context:
            copy_in(context, context.store.find("evil"), str(tmp_path), "/spool")
        pair.home.wirt("set", "evil", "--dns", "192.0.2.1", "--hostname", "mail", status=0)
    pair.home.wirt("restart", "--force", "evil", status=0)
    inside = pair.shell(f"ls {secret}")

    assert "copied" in inside


def test_fork_bomb_ends_at_the_limit_and_with_the_guest(pair: Pair) -> None:
    group = pair.group("evil")
    bomb = pair.home.spawn("exec", "evil", "--", "/root/attack", "bomb")
    wait_for(lambda: len(group.pids()) >= PROCESSES - 8, "the bomb does not go off")
    held = len(group.pids())
    neighbour = pair.answers("good")
    pair.home.wirt("stop", "--force", "evil", status=0)
    bomb.communicate(timeout=SECONDS)
    left = group.exists()
    pair.home.wirt("start", "evil", status=0)

    assert held <= PROCESSES
    assert neighbour
    assert not left
    assert pair.answers("evil")


@pytest.mark.parametrize("what", ["pages", "files", "inodes"])
def test_memory_hog_is_killed_in_its_own_guest(pair: Pair, what: str) -> None:
    neighbour = pair.group("good").pids()
    done = pair.home.wirt("exec", "evil", "--", "/root/attack", "hog", what)
    peak = pair.group("evil").memory_peak()
    after = pair.group("good").pids()
    pair.revive()

    assert done.returncode == 128 + 9
    assert peak is None or peak <= MEMORY * MIB
    assert after == neighbour
    assert pair.answers("good")
    assert pair.answers("evil")


@pytest.mark.alone
def test_burner_of_processors_leaves_a_neighbour_of_equal_weight_its_half(pair: Pair) -> None:
    last = str(max(os.sched_getaffinity(0)))
    for name in ("evil", "good"):
        pair.home.wirt("set", name, "--cpu-pin", last, status=0)
    begin = time.monotonic() + 1.5
    window = [f"{begin:.3f}", f"{begin + 2:.3f}"]
    burning = pair.home.spawn("exec", "evil", "--", "/root/attack", "burn", "24", *window)
    good = int(pair.attack("burn", "1", *window, by="good")[0])
    evil = int(burning.communicate(timeout=SECONDS)[0])
    for name in ("evil", "good"):
        pair.home.wirt("set", name, "--cpu-pin", "all", status=0)

    assert evil > 0
    assert 0.4 < good / (good + evil) < 0.6


@pytest.mark.alone
@pytest.mark.parametrize("attack", FIGHTS)
def test_neighbour_of_an_attacker_keeps_at_least_half_of_its_share(pair: Pair, attack: str) -> None:
    last = str(max(os.sched_getaffinity(0)))
    for name in NAMES:
        pair.home.wirt("set", name, "--cpu-pin", last, status=0)
    fighting = pair.home.spawn("exec", "evil", "--", *FIGHTS[attack])
    begin, end = time.monotonic() + 2, time.monotonic() + 4
    window = [f"{begin:.3f}", f"{end:.3f}"]
    working = pair.home.spawn("exec", "good", "--", "/root/attack", "burn", "1", *window)
    wait_for(lambda: time.monotonic() >= begin, "time stands still")
    before = [cpu_seconds(pair.group(name)) or 0.0 for name in NAMES]
    wait_for(lambda: time.monotonic() >= end - 0.2, "time stands still")
    after = [cpu_seconds(pair.group(name)) or 0.0 for name in NAMES]
    working.communicate(timeout=SECONDS)
    pair.home.wirt("stop", "--force", "evil", status=0)
    fighting.communicate(timeout=SECONDS)
    for name in NAMES:
        pair.home.wirt("set", name, "--cpu-pin", "all", status=0)
    pair.home.wirt("start", "evil", status=0)
    evil, good = (now - then for then, now in zip(before, after, strict=True))

    assert evil > 0
    # What the kernel does to end and to begin processes is not divided as evenly as what they compute.
    assert good / (good + evil) > 0.25


def test_guest_that_queues_all_signals_leaves_half_of_them_to_root_of_the_node(
    pair: Pair, program: Path
) -> None:
    allowed, _ = resource.getrlimit(resource.RLIMIT_SIGPENDING)
    with pair.taking("signals") as (count, why):
        done = subprocess.run(
            [program, "take", "signals"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
    left, _ = done.stdout.split()

    assert why == "EAGAIN"
    assert 0 < count <= allowed // 2
    assert int(left) >= allowed // 3


@pytest.mark.parametrize(
    ("what", "reason"), [("files", "EMFILE"), ("terminals", "ENOSPC"), ("keys", "EDQUOT")]
)
def test_what_one_guest_exhausts_is_there_for_others(pair: Pair, what: str, reason: str) -> None:
    with pair.taking(what) as (count, why):
        neighbour = pair.shell(f"/root/attack take {what} </dev/null", by="good")
        master, slave = os.openpty()
        os.close(master)
        os.close(slave)

    assert why == reason
    assert count >= 100
    # Of what another of the node's users has given back the kernel takes some away only later, keys for example.
    taken, refused = neighbour[0].split()
    assert (len(neighbour), refused) == (1, reason)
    assert abs(int(taken) - count) <= 5
