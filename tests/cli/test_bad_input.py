"""What a person is told, word for word: the thing, the reason and the next step; and nothing has been changed."""

import importlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from tests.cli.bad_network import BAD_NETWORK
from tests.cli.bad_sizes import BAD_SIZES
from tests.conftest import TINY
from tests.homes import WIRT, HomeUnderTest

NAME_RULE = "use a-z, 0-9 and inner hyphens, such as web-1"
TEMPLATE_RULE = "use a-z, 0-9 and inner hyphens, dots and underscores, such as debian-12-web"
CREATE = ["create", "-t", TINY, "new"]
BAD: dict[str, tuple[list[str], int, str]] = {
    **BAD_NETWORK,
    **BAD_SIZES,
    "name-taken": (
        ["create", "-t", TINY, "old"],
        4,
        "there is a guest old already; choose another name or destroy it first: wirt destroy old",
    ),
    "name-too-long": (
        ["create", "-t", TINY, "a" * 41],
        2,
        "guest name 'aaaaaaaaaaaaaaaaaaaa'... has 41 characters; use at most 40",
    ),
    "name-with-slash": (
        ["create", "-t", TINY, "a/b"],
        2,
        f"'a/b' is not a guest name; {NAME_RULE}",
    ),
    "name-with-dots": (
        ["create", "-t", TINY, "../../etc"],
        2,
        f"'../../etc' is not a guest name; {NAME_RULE}",
    ),
    "name-with-capitals": (
        ["create", "-t", TINY, "Web"],
        2,
        f"'Web' is not a guest name; {NAME_RULE}",
    ),
    "name-empty": (["create", "-t", TINY, ""], 2, f"'' is not a guest name; {NAME_RULE}"),
    "name-missing": (["create"], 2, "missing argument 'NAME'; see wirt create --help"),
    "name-twice": (
        ["create", "-t", TINY, "new", "newer"],
        2,
        "got unexpected extra argument (newer); see wirt create --help",
    ),
    "mode-that-there-is-not": (
        ["migrate", "old", "b", "--mode", "hot"],
        2,
        "invalid value for '--mode': 'hot' is not one of 'cold', 'live', 'refresh'; see wirt migrate --help",
    ),
    "option-that-there-is-not": (
        ["template", "import", "root.tar", "--name", "new"],
        2,
        "no such option: --name; perhaps --image is meant; see wirt template import --help",
    ),
    "template-not-built": (
        ["create", "-t", "debian-13-web", "new"],
        3,
        "template debian-13-web is not built yet; build it with wirt template build debian-13-web",
    ),
    "template-unknown": (
        ["create", "-t", "nosuch", "new"],
        3,
        "no template called nosuch; see wirt template list",
    ),
    "template-with-dots": (
        ["create", "-t", "../tiny", "new"],
        2,
        f"'../tiny' is not a template name; {TEMPLATE_RULE}",
    ),
    "memory-too-small": (
        [*CREATE, "--memory", "16M"],
        2,
        "16 MiB of memory are too little to boot; give at least 32 MiB",
    ),
    "memory-nonsense": (
        [*CREATE, "--memory", "lots"],
        2,
        "invalid value for '--memory': 'lots' is not a size; write a number with K, M, G or T, "
        "such as 512M; see wirt create --help",
    ),
    "memory-negative": (
        [*CREATE, "--memory", "-1G"],
        2,
        "invalid value for '--memory': '-1G' is not a size; write a number with K, M, G or T, "
        "such as 512M; see wirt create --help",
    ),
    "cpu-pin-nonsense": (
        ["set", "old", "--cpu-pin", "3-1"],
        2,
        "invalid value for '--cpu-pin': '3-1' is no list of CPUs; write numbers and ranges, such as "
        "0,2-3; see wirt set --help",
    ),
    "swap-nonsense": (
        ["set", "old", "--swap", "none"],
        2,
        "invalid value for '--swap': 'none' is not a size; write a number with K, M, G or T, such as "
        "512M, or unlimited; see wirt set --help",
    ),
    "cpu-guarantee-negative": (
        ["set", "old", "--cpu-guarantee", "-0.5"],
        2,
        "-0.5 CPUs cannot be guaranteed to a guest that has 1; ask for 0 to 1 with --cpu-guarantee",
    ),
    "reserve-too-large": (
        ["node", "--reserve", "91"],
        2,
        "91 % of the node cannot be reserved; ask for 0 to 90",
    ),
    "files-nonsense": (
        ["set", "old", "--files", "many"],
        2,
        "invalid value for '--files': 'many' is no number; write one, or unlimited; see wirt set --help",
    ),
    "io-read-too-small": (
        ["set", "old", "--io-read", "1K"],
        2,
        "1 KiB a second are too little to work with; give at least 64 KiB, or unlimited",
    ),
    "cpu-weight-too-large": (
        ["set", "old", "--cpu-weight", "10001"],
        2,
        "a guest cannot have the CPU weight 10001; ask for 1 to 10000; a guest has 100 unless it is "
        "set",
    ),
    "address-invalid": (
        [*CREATE, "--address", "10.0.0"],
        2,
        "'10.0.0' is not an IPv4 address; choose one of {subnet} or leave it out",
    ),
    "address-foreign": (
        [*CREATE, "--address", "192.0.2.7"],
        2,
        "address 192.0.2.7 is not ours; choose one of {subnet} or leave it out",
    ),
    "address-of-the-node": (
        [*CREATE, "--address", "{gateway}"],
        2,
        "address {gateway} belongs to the network itself; choose another of {subnet} or leave it "
        "out",
    ),
    "address-in-use": (
        [*CREATE, "--address", "{address}"],
        4,
        "address {address} is in use by guest old; choose another or leave it out",
    ),
    "approach-unknown": (
        [*CREATE, "--approach", "vmware"],
        2,
        "there is no approach 'vmware'; choose one of chroot, lxc, uml, qemu, kvm, xen, xen-pvh",
    ),
    "pool-unknown": (
        [*CREATE, "--pool", "zfs"],
        2,
        "there is no pool 'zfs'; choose one of btrfs, directory, image, or one of your own: see wirt "
        "pool list",
    ),
    "pool-of-trees-for-an-image": (
        [*CREATE, "--approach", "qemu", "--pool", "directory"],
        6,
        "pool directory cannot be used: it has no qcow2 roots; leave --pool out, and one that has "
        "is chosen",
    ),
    "start-of-an-unknown-guest": (
        ["start", "nosuch"],
        3,
        "there is no guest nosuch; see wirt list",
    ),
    "stop-of-an-unknown-guest": (["stop", "nosuch"], 3, "there is no guest nosuch; see wirt list"),
    "destroy-of-an-unknown-guest": (
        ["destroy", "nosuch"],
        3,
        "there is no guest nosuch; see wirt list",
    ),
    "show-of-an-unknown-guest": (["show", "nosuch"], 3, "there is no guest nosuch; see wirt list"),
    "exec-into-an-unknown-guest": (
        ["exec", "nosuch", "true"],
        125,
        "there is no guest nosuch; see wirt list",
    ),
    "exec-without-a-command": (
        ["exec", "old"],
        125,
        "missing argument 'COMMAND...'; see wirt exec --help",
    ),
    "exec-of-nothing": (
        ["exec", "old", "--"],
        125,
        "there is no command after --; say which is to be run",
    ),
    "exec-into-a-stopped-guest": (
        ["exec", "old", "true"],
        125,
        "guest old is not running; start it first",
    ),
    "stop-of-a-stopped-guest": (
        ["stop", "old"],
        5,
        "guest old is not running; there is nothing to stop",
    ),
    "stop-timeout-nonsense": (
        ["stop", "old", "--timeout", "soon"],
        2,
        "invalid value for '--timeout': 'soon' is not a duration; write a number with ms, s, m or "
        "h, such as 30s; see wirt stop --help",
    ),
    "run-with-an-unknown-template": (
        ["run", "-t", "nosuch", "true"],
        125,
        "no template called nosuch; see wirt template list",
    ),
    "run-without-a-command": (
        ["run", "-t", TINY],
        125,
        "missing argument 'COMMAND...'; see wirt run --help",
    ),
    "run-with-a-bad-name": (
        ["run", "-t", TINY, "--name", "a_b", "true"],
        125,
        f"'a_b' is not a guest name; {NAME_RULE}",
    ),
    "snapshot-of-an-unknown-guest": (
        ["snapshot", "create", "nosuch"],
        3,
        "there is no guest nosuch; see wirt list",
    ),
    "snapshot-with-dots": (
        ["snapshot", "create", "old", "../layer"],
        2,
        f"'../layer' is not a snapshot name; {NAME_RULE}",
    ),
    "snapshot-name-too-long": (
        ["snapshot", "create", "old", "a" * 41],
        2,
        "snapshot name 'aaaaaaaaaaaaaaaaaaaa'... has 41 characters; use at most 40",
    ),
    "snapshot-restore-unknown": (
        ["snapshot", "restore", "old", "nosuch"],
        3,
        "guest old has no snapshot nosuch; see wirt snapshot list old",
    ),
    "snapshot-delete-without-a-name": (
        ["snapshot", "delete", "old"],
        2,
        "missing argument 'NAME'; see wirt snapshot delete --help",
    ),
    "set-nothing": (
        ["set", "old"],
        2,
        "there is nothing to set; say what, such as --disk 8G",
    ),
    "set-disk-of-an-unknown-guest": (
        ["set", "nosuch", "--disk", "1G"],
        3,
        "there is no guest nosuch; see wirt list",
    ),
    "set-disk-too-small": (
        ["set", "old", "--disk", "1M"],
        2,
        "a disk of 1 MiB is too small; give at least 64 MiB",
    ),
    "set-disk-of-a-tree-without-bounds": (
        ["set", "old", "--disk", "8G", "--snapshot"],
        6,
        "the disk of guest old cannot be changed: pool directory does not bound it; pools image "
        "and btrfs do",
    ),
    "undo-of-nothing": (
        ["undo", "old"],
        3,
        "guest old has no change that could be undone; wirt set --snapshot makes a snapshot to go "
        "back to",
    ),
    "subcommand-unknown": (["frobnicate"], 2, "no such command 'frobnicate'; see wirt --help"),
    "option-unknown": (
        ["list", "--frobnicate"],
        2,
        "no such option: --frobnicate; see wirt list --help",
    ),
}


@pytest.fixture(scope="module")
def old(module_home: HomeUnderTest) -> HomeUnderTest:
    """Give a home with one stopped guest, old."""
    module_home.wirt("create", "-t", TINY, "old", status=0)
    return module_home


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_and_changes_nothing(old: HomeUnderTest, case: str) -> None:
    arguments, status, message = BAD[case]
    guest = old.guests()[0]
    subnet = IPv4Network(f"{guest.address}/20", strict=False)
    known = {
        "address": guest.address,
        "gateway": str(subnet[1]),
        "subnet": str(subnet),
        "cpus": str(len(os.sched_getaffinity(0))),
    }
    before = old.world()
    done = old.wirt(*(argument.format(**known) for argument in arguments))

    assert done.stderr == f"wirt: {message.format(**known)}\n"
    assert done.stdout == ""
    assert done.returncode == status
    assert old.world().difference(before) == []


def test_start_of_a_running_guest_and_destroy_without_force_are_refused(
    home: HomeUnderTest,
) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    home.wirt("start", "web", status=0)
    before = home.world()
    start, destroy = home.wirt("start", "web"), home.wirt("destroy", "web")

    assert (start.returncode, start.stderr) == (
        5,
        "wirt: guest web is running already; to start it anew, stop it first\n",
    )
    assert (destroy.returncode, destroy.stderr) == (
        5,
        "wirt: guest web is running; stop it first or pass --force\n",
    )
    assert home.world().difference(before) == []


def test_approach_that_cannot_run_here_says_why(home: HomeUnderTest) -> None:
    # The program that it needs is hidden by an empty file system, for this command alone.
    script = 'mount -t tmpfs none /usr/bin/../lib/lxc 2>/dev/null; mount --bind /dev/null "$0"; exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "/usr/bin/lxc-start", WIRT, *CREATE],
        env=home.environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 6
    assert done.stderr == (
        "wirt: approach lxc cannot run here: LXC is not installed; apt-get install lxc\n"
    )
    assert home.guests() == []


def test_pool_btrfs_on_another_file_system_says_which(old: HomeUnderTest) -> None:
    done = old.wirt(*CREATE, "--pool", "btrfs")

    assert done.returncode == 6
    assert done.stderr.startswith("wirt: pool btrfs cannot be used: the home lies on ")
    assert done.stderr.endswith("; put WIRT_HOME on a btrfs file system\n")


NobodysWirt = Callable[[list[str], dict[str, str]], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def nobodys_wirt(shared_base: Path) -> NobodysWirt:
    """Give the command line to a user who may not be able to read the checkout, which can lie in root's home."""
    everyones = shared_base / "everyones"
    for name in ("wirt", "click", "msgspec"):
        (package,) = importlib.import_module(name).__path__
        shutil.copytree(package, everyones / name)
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); import wirt.cli.entry; wirt.cli.entry.entry()"

    def run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        argv = [*nobody, "/usr/bin/python3", "-P", "-c", program, str(everyones), *arguments]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, cwd="/")

    return run


@pytest.mark.parametrize("arguments", [CREATE, ["list"], ["start", "old"], ["destroy", "old"]])
def test_caller_who_is_not_root_is_told_to_be(
    old: HomeUnderTest, nobodys_wirt: NobodysWirt, arguments: list[str]
) -> None:
    done = nobodys_wirt(arguments, old.environment)

    assert done.returncode == 7
    assert done.stderr == (
        f"wirt: cannot open {old.home.database}: unable to open database file; run it as root\n"
    )
    assert [guest.name for guest in old.guests()] == ["old"]


def test_caller_who_is_not_root_cannot_make_a_home(
    old: HomeUnderTest, nobodys_wirt: NobodysWirt
) -> None:
    fresh = f"{old.base}/fresh"
    done = nobodys_wirt(["list"], {**old.environment, "WIRT_HOME": fresh})

    assert done.returncode == 7
    assert done.stderr == (
        f"wirt: cannot open the home {fresh}: Permission denied ({fresh}); run it as root\n"
    )


def test_caller_who_is_not_root_in_a_home_of_his_own_cannot_create(
    old: HomeUnderTest, nobodys_wirt: NobodysWirt
) -> None:
    his = old.base / "his"
    his.mkdir()
    os.chown(his, 65534, 65534)
    environment = {**old.environment, "WIRT_HOME": f"{his}/home", "WIRT_RUN": f"{his}/run"}
    done = nobodys_wirt(CREATE, environment)

    assert (done.returncode, done.stderr) == (
        7,
        "wirt: making a guest needs root; run it as root\n",
    )


def test_state_that_is_damaged_is_named(home: HomeUnderTest) -> None:
    home.wirt("list", status=0)
    kept = Path(home.home.database).read_bytes()
    Path(home.home.database).write_bytes(b"this is no database, " * 1000)
    done = home.wirt("list")
    Path(home.home.database).write_bytes(kept)

    assert done.returncode == 9
    assert done.stderr == (
        f"wirt: {home.home.database} is damaged: file is not a database; restore it from a backup\n"
    )


def fill(filler: Path, *, free: int) -> None:
    """Fill a file system up by one file, but for a few bytes."""
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    os.truncate(filler, max(0, filler.stat().st_size - free))


@pytest.fixture
def full(home: HomeUnderTest) -> Iterator[Path]:
    """Give a file system of a megabyte, mounted as the home's data, with nothing free."""
    data = Path(home.home.data)
    templates = os.readlink(home.home.templates)
    os.unlink(home.home.templates)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M,mode=711", "none", data], check=True)
    home.give_templates(Path(templates))
    home.wirt("list", status=0)
    filler = data / "filler"
    fill(filler, free=0)
    yield filler
    filler.unlink()
    for guest in home.guests():
        home.wirt("destroy", "--force", guest.name, status=0)
    subprocess.run(["umount", data], check=True)


def test_create_on_a_full_disk_says_so_and_leaves_nothing(home: HomeUnderTest, full: Path) -> None:
    before = home.world()
    done = home.wirt(*CREATE)

    assert (done.returncode, done.stderr) == (
        12,
        f"wirt: cannot write {home.home.database}: the disk is full; free some space and try again\n",
    )
    os.truncate(full, 0)
    assert home.guests() == []
    assert home.world().difference(before) == []


def test_create_when_the_disk_fills_up_in_the_middle_is_undone(
    home: HomeUnderTest, full: Path
) -> None:
    """However much is free, the outcome is a whole guest or none."""
    problems: list[str] = []
    statuses = set()
    for free in range(0, 160, 12):
        fill(full, free=free * 1024)
        done = home.wirt(*CREATE)
        os.truncate(full, 0)
        names = [guest.name for guest in home.guests()]
        if done.returncode == 0:
            problems += [] if names == ["new"] else [f"{free}K: {names}"]
            home.wirt("destroy", "new", status=0)
        elif (done.returncode, names) != (12, []) or done.stderr.count("\n") != 1:
            problems.append(f"{free}K: {done.returncode} {names} {done.stderr}")
        statuses.add(done.returncode)

    assert problems == []
    assert statuses == {0, 12}
