"""Each thing that cannot be kept with a container's memory, provoked in one that runs, is named before anything is tried."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.guest.test_checkpoints import begin, until
from tests.homes import HomeUnderTest

from wirt.approaches.lxc.checkpoint import find_init

CHECK = ("checkpoint", "--check", "web")
CLOSE = "end it, or have it close that"
RUNNING = ("exec", "web", "--", "systemctl", "is-system-running", "--wait")
OUTSIDE = "is in a session that was begun outside by wirt exec or enter; end it and start it as a service, or with setsid -f"


@pytest.fixture(scope="module")
def obstacle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the program of ``obstacle.c``, which needs nothing of the guest."""
    program = tmp_path_factory.mktemp("obstacle") / "obstacle"
    source = Path(__file__).with_name("obstacle.c")
    subprocess.run(["gcc", "-static", "-O2", "-o", program, source], check=True)
    return program


@pytest.fixture
def running(home: HomeUnderTest, obstacle: Path) -> HomeUnderTest:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("set", "web", "--device", "/dev/fuse:rw", status=0)
    home.wirt("start", "web", status=0)
    home.wirt("copy", str(obstacle), "web:/obstacle", status=0)
    return home


def inside(home: HomeUnderTest, *command: str) -> str:
    return home.wirt("exec", "web", "--", *command, status=0).stdout


def number_of(home: HomeUnderTest, name: str) -> int:
    """Return the number that the guest gives the latest process of a name."""
    return max(map(int, inside(home, "pidof", name).split()))


def test_each_obstacle_is_named_and_gone_when_what_is_said_was_done(running: HomeUnderTest) -> None:
    home = running

    def found(name: str, what: str) -> None:
        """Check what is said of a process, and that nothing is any more once it has ended."""
        number = number_of(home, name)
        said = home.wirt(*CHECK, status=1).stdout
        assert said == f"process {number} ({name}) {what}\n"
        inside(home, "sh", "-c", f"kill -9 $(pidof {name})")
        clean()

    def clean() -> None:
        until(lambda: home.wirt(*CHECK).returncode == 0, "something is still in the way")

    def holding(kind: str) -> Callable[[str], None]:
        begin(home, "/obstacle", kind, "/root/holds")
        until(lambda: "holds" in inside(home, "ls", "/root"), f"it does not hold {kind}")
        inside(home, "rm", "/root/holds")
        return lambda what: found("obstacle", what)

    clean()
    holding("ring")(f"holds a descriptor of a kind that cannot be kept: io_uring; {CLOSE}")
    holding("socket")(f"holds a socket of a kind that cannot be kept: AF_VSOCK; {CLOSE}")
    holding("deleted")(f"holds a deleted file of more than 64 MiB: /root/large; {CLOSE}")
    holding("traced")("is being traced; end its debugger")
    holding("view")("has a view of its own of host name and IPC; end it")
    holding("groups")("has a view of its own of control groups; end it")
    holding("clocks")("has a view of its own of clocks; end it")
    holding("/dev/fuse")(f"holds a device that cannot be kept: /dev/fuse; {CLOSE}")

    inside(home, "sh", "-c", "sleep 1000 </dev/null >/dev/null 2>&1 &")
    number = number_of(home, "sleep")
    assert home.wirt(*CHECK, status=1).stdout == f"process {number} (sleep) {OUTSIDE}\n"


def test_processes_with_numbers_of_their_own_are_named_by_the_guests(
    running: HomeUnderTest,
) -> None:
    home = running
    begin(home, "unshare", "-p", "-f", "sleep", "1000")
    until(lambda: "sleep" in inside(home, "ps"), "it does not run")
    said = home.wirt(*CHECK, status=1).stdout

    number = number_of(home, "sleep")
    assert f"process {number} (sleep) has a view of its own of processes; end it\n" in said


@pytest.mark.parametrize("address", ["10.99.0.1/24", "fd00:99::1/64"])
def test_address_that_was_added_in_the_guest_is_named(running: HomeUnderTest, address: str) -> None:
    home, bare = running, address.partition("/")[0]
    inside(home, "ip", "address", "add", address, "dev", "eth0")
    said = home.wirt(*CHECK, status=1).stdout
    inside(home, "ip", "address", "del", address, "dev", "eth0")

    assert said == (
        f"address {bare} was added in the guest and would not be there again, nor what is bound to it; remove it "
        "(ip address delete), and give it from outside: wirt set --ip-add\n"
    )
    assert home.wirt(*CHECK, status=0).stdout == "guest web can be checkpointed\n"


def test_what_is_mounted_and_filtered_in_the_guest_is_named(running: HomeUnderTest) -> None:
    home = running
    inside(home, "mkdir", "/mnt")
    inside(home, "mount", "-t", "ramfs", "none", "/mnt")
    mounted = home.wirt(*CHECK, status=1).stdout
    inside(home, "umount", "/mnt")
    init = find_init(home.home.place(home.guests()[0].id).name)
    nft = ["nsenter", f"--net=/proc/{init}/ns/net", "nft"]
    rules = "table ip mine { chain in { type filter hook input priority 0; tcp dport 9 drop; }; }"
    subprocess.run([*nft, rules], check=True)
    filtered = home.wirt(*CHECK, status=1).stdout
    subprocess.run([*nft, "flush", "ruleset"], check=True)

    assert (
        mounted == "mount /mnt is of a kind that cannot be kept: ramfs; unmount it: umount /mnt\n"
    )
    assert filtered == (
        "packet filter of the guest has rules that would not be there again: 1; "
        "remove them: nft flush ruleset\n"
    )
    assert home.wirt(*CHECK, status=0).stdout == "guest web can be checkpointed\n"


def test_file_system_of_a_process_in_the_guest_is_named(running: HomeUnderTest) -> None:
    home = running
    inside(home, "mkdir", "/mnt")
    begin(home, "/obstacle", "fuse", "/root/holds")
    until(lambda: "holds" in inside(home, "ls", "/root"), "it mounts nothing")
    number = number_of(home, "obstacle")
    served = home.wirt(*CHECK, status=1).stdout
    inside(home, "kill", "-9", str(number))
    until(lambda: "process" not in home.wirt(*CHECK).stdout, "it does not end")
    left = home.wirt(*CHECK, status=1).stdout
    inside(home, "umount", "/mnt")

    mounted = "mount /mnt is of a kind that cannot be kept: fuse; unmount it: umount /mnt\n"
    holds = f"process {number} (obstacle) holds a device that cannot be kept: /dev/fuse; {CLOSE}\n"
    assert served == holds + mounted
    assert left == mounted
    assert home.wirt(*CHECK, status=0).stdout == "guest web can be checkpointed\n"


def test_file_of_the_node_that_a_process_was_given_is_named(
    running: HomeUnderTest, tmp_path: Path
) -> None:
    home = running
    given = tmp_path / "given"
    given.write_text("of the node")
    # A shell has what it puts behind itself read nothing: so under another number.
    script = "exec 9<&0; setsid sleep 1000 </dev/null >/dev/null 2>&1 &"
    place = home.home.place(home.guests()[0].id)
    # By LXC itself: Wirt gives no file to a guest.
    attach = ["lxc-attach", f"--lxcpath={place.run_dir}", f"--name={place.name}", "--clear-env"]
    with given.open() as file:
        subprocess.run([*attach, "--", "setsid", "sh", "-c", script], stdin=file, check=True)
    until(lambda: "sleep" in inside(home, "ps"), "it does not run")
    number = number_of(home, "sleep")
    named = home.wirt(*CHECK, status=1).stdout
    inside(home, "kill", str(number))
    until(lambda: home.wirt(*CHECK).returncode == 0, "something is still in the way")

    assert named == f"process {number} (sleep) holds a file of the node: {given}; {CLOSE}\n"


def test_credentials_of_a_unit_are_named_and_done_without(guest_home: HomeUnderTest) -> None:
    """systemd 252 leaves their ramfs mounted for a unit that has ended and is active for it; the template has it do without."""
    home, unit = guest_home, "systemd-sysctl.service"
    home.wirt("create", "web", status=0)
    home.wirt("start", "web", status=0)
    is_active = ("exec", "web", "--", "systemctl", "is-active", unit)
    until(lambda: home.wirt(*is_active).stdout == "active\n", f"{unit} is not active")
    drop_in = f"/etc/systemd/system/{unit}.d"
    as_shipped = f"rm -r {drop_in} && systemctl daemon-reload && systemctl restart {unit}"
    inside(home, "sh", "-c", as_shipped)
    named = home.wirt(*CHECK, status=1).stdout
    prepared = home.wirt("checkpoint", "--prepare", "web", status=0).stdout
    inside(home, "systemctl", "restart", unit)
    again = home.wirt(*CHECK, status=0).stdout

    assert named == (
        f"mount /run/credentials/{unit} is of a kind that cannot be kept: ramfs; "
        "switch its sandboxing off: wirt checkpoint --prepare\n"
    )
    assert prepared == (
        f"sandboxing of {unit} switched off: {drop_in}/wirt-checkpoint.conf\n"
        "guest web can be checkpointed\n"
    )
    assert again == "guest web can be checkpointed\n"


def test_container_is_not_kept_while_systemd_is_starting_it(guest_home: HomeUnderTest) -> None:
    home, slow = guest_home, "etc/systemd/system/slow.service"
    home.wirt("create", "web", status=0)
    root = Path(home.wirt("mount", "web", status=0).stdout.split()[-1])
    (root / slow).write_text("[Service]\nType=oneshot\nExecStart=sleep infinity\n")
    wanted = root / "etc/systemd/system/multi-user.target.wants"
    (wanted / "slow.service").symlink_to(f"/{slow}")
    home.wirt("unmount", "web", status=0)
    home.wirt("start", "web", status=0)
    named = home.wirt(*CHECK, status=1).stdout
    until(lambda: "start" in inside(home, "systemctl", "list-jobs", "slow.service"), "no slow unit")
    inside(home, "systemctl", "stop", "slow.service")
    until(lambda: home.wirt(*CHECK).returncode == 0, "something is still in the way")

    assert named.splitlines()[0] == (
        "systemd is still starting the container; wait until it is done: "
        "systemctl is-system-running --wait"
    )


def settled(home: HomeUnderTest, *pool: str) -> HomeUnderTest:
    """Return the home with the shipped guest, started and at rest."""
    home.wirt("create", "web", *pool, status=0)
    home.wirt("start", "web", status=0)
    until(lambda: "running" in home.wirt(*RUNNING).stdout, "systemd is not through")
    return home


def test_shipped_guest_on_a_pool_of_images_is_kept_and_goes_on(guest_home: HomeUnderTest) -> None:
    home = settled(guest_home, "--pool", "image", "--disk", "2G")
    home.wirt("checkpoint", "web", status=0)
    home.wirt("resume", "web", status=0)

    assert home.wirt(*RUNNING).stdout == "running\n"


def test_watches_on_a_pool_of_btrfs_are_named(guest_home: HomeUnderTest) -> None:
    home = guest_home
    home.wirt("pool", "create", "fast", "--kind", "btrfs", "--size", "3G", status=0)
    settled(home, "--pool", "fast")
    named = home.wirt(*CHECK, status=1).stdout.splitlines()
    home.wirt("destroy", "--force", "web", status=0)
    home.wirt("pool", "remove", "fast", status=0)

    assert named[0] == (
        "process 1 (systemd) watches files (inotify) of a btrfs, which would be others when it goes on; "
        "keep the guest on a pool of another kind, directory or image"
    )
