"""``wirt copy``: into containers and out of them, running and stopped, and what hostile ones try."""

import os
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import WIRT, HomeUnderTest, open_home

PLANT = """
mkdir -p /srv/real
echo own > /srv/real/file
ln -s {outside} /srv/absolute
ln -s ../../../../../../../../..{outside} /srv/relative
ln -s {outside}/secret /srv/direct
ln -s /srv/real /srv/own
"""
SWAP = """
mkdir -p /srv/a && ln -s {outside} /srv/b
while :; do mv -T /srv/a /srv/c; mv -T /srv/b /srv/a; mv -T /srv/a /srv/b; mv -T /srv/c /srv/a; done
"""


@pytest.fixture(scope="module")
def guest(tiny_templates: Path) -> Iterator[HomeUnderTest]:
    """Give a home with the guest web, which is brought into a state by each test."""
    with open_home(tiny_templates) as home:
        home.wirt("create", "-t", TINY, "web", status=0)
        yield home


@pytest.fixture(scope="module", params=["stopped", "running"])
def state(request: pytest.FixtureRequest, guest: HomeUnderTest) -> str:
    if request.param == "running":
        guest.wirt("start", "web", status=0)
    return str(request.param)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Give a directory of the node that no guest may touch."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "secret").write_text("secret")
    return place


def see(home: HomeUnderTest, command: str, state: str) -> str:
    """Return what a command in the guest says, whatever state the guest is to be in."""
    if state == "stopped":
        home.wirt("start", "web", status=0)
    said = home.wirt("exec", "web", "--", "sh", "-c", command, status=0).stdout
    if state == "stopped":
        home.wirt("stop", "--force", "web", status=0)
    return said


def test_tree_comes_back_as_it_went_in(guest: HomeUnderTest, state: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub/program").write_bytes(os.urandom(300_000))
    (source / "sub/program").chmod(0o6755)
    (source / ("long-" * 40)).write_text("x")
    (source / "ünïcode \udcff").touch()
    (source / "link").symlink_to("/etc/passwd")
    os.chown(source / "sub", 1234, 5678)
    into = guest.wirt("copy", str(source), "web:/srv-copy", status=0)
    kept = guest.wirt("copy", "--archive", str(source), "web:/srv-kept", status=0)
    out = guest.wirt("copy", "web:/srv-copy", str(tmp_path / "back"), status=0)
    guest.wirt("copy", "-a", "web:/srv-kept/.", str(tmp_path / "kept"), status=0)
    owners = see(guest, "stat -c %u:%g /srv-copy/sub /srv-kept/sub; rm -r /srv-*", state)

    assert into.stdout == f"{source} copied to web:/srv-copy: 293.0 KiB\n"
    assert kept.stderr == out.stderr == ""
    assert owners.split() == ["0:0", "1234:5678"]
    back = tmp_path / "back"
    assert sorted(os.listdir(os.fsencode(back))) == sorted(os.listdir(os.fsencode(source)))
    assert (back / "sub/program").read_bytes() == (source / "sub/program").read_bytes()
    assert stat.S_IMODE((back / "sub/program").stat().st_mode) == 0o755
    assert os.readlink(back / "link") == "/etc/passwd"
    assert (back / "sub").stat().st_uid == os.getuid()
    assert (tmp_path / "kept/sub").stat().st_uid == 1234
    assert (guest.guests()[0].state, guest.wirt("exec", "web", "true").returncode) == (
        state,
        0 if state == "running" else 125,
    )


def test_archive_goes_through_in_both_directions(
    guest: HomeUnderTest, state: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("through")
    packed = subprocess.run(["tar", "-C", tmp_path, "-cf", "-", "file"], capture_output=True).stdout
    into = subprocess.run(
        [WIRT, "copy", "-", "web:/tmp"], input=packed, env=guest.environment, capture_output=True
    )
    out = subprocess.run(
        [WIRT, "copy", "web:/tmp/file", "-"], env=guest.environment, capture_output=True
    )
    seen = subprocess.run(["tar", "-xOf", "-"], input=out.stdout, capture_output=True).stdout

    assert (into.returncode, into.stdout, into.stderr) == (0, b"", b"")
    assert seen == b"through"


def test_links_that_a_guest_has_planted_lead_nowhere_on_the_node(
    guest: HomeUnderTest, state: str, outside: Path, tmp_path: Path
) -> None:
    see(guest, f"rm -rf /srv; {PLANT.format(outside=outside)}", state)
    file = tmp_path / "file"
    file.write_text("from the node")
    statuses = [
        guest.wirt("copy", *ends).returncode
        for ends in (
            (str(file), "web:/srv/absolute/new"),
            (str(file), "web:/srv/relative/secret"),
            ("web:/srv/relative/secret", str(tmp_path / "stolen")),
            ("web:/srv/absolute/.", str(tmp_path / "stolen")),
        )
    ]
    guest.wirt("copy", str(file), "web:/srv/direct", status=0)
    guest.wirt("copy", str(file), "web:/srv/own/new", status=0)
    guest.wirt("copy", "web:/srv", str(tmp_path / "tree"), status=0)

    assert 0 not in statuses
    assert sorted(os.listdir(outside)) == ["secret"]
    assert (outside / "secret").read_text() == "secret"
    assert not (tmp_path / "stolen").exists()
    assert (tmp_path / "tree/real/new").read_text() == "from the node"
    assert os.readlink(tmp_path / "tree/absolute") == str(outside)


def test_guest_that_swaps_a_directory_for_a_link_all_the_time_gains_nothing(
    module_home: HomeUnderTest, outside: Path, tmp_path: Path
) -> None:
    module_home.wirt("create", "-t", TINY, "racer", status=0)
    module_home.wirt("start", "racer", status=0)
    module_home.wirt("exec", "racer", "--", "mkdir", "/srv", status=0)
    script = SWAP.format(outside=outside)
    swapping = module_home.spawn("exec", "racer", "--", "sh", "-c", script)
    (tmp_path / "file").write_text("from the node")
    for number in range(2):
        module_home.wirt("copy", str(tmp_path / "file"), f"racer:/srv/a/file{number}")
        module_home.wirt("copy", "racer:/srv/a/.", str(tmp_path / f"out{number}"))
    module_home.wirt("destroy", "--force", "racer", status=0)
    swapping.communicate(timeout=30)

    assert os.listdir(outside) == ["secret"]
    assert [path for path in tmp_path.rglob("secret") if path.parent != outside] == []


def test_guest_whose_tar_lies_is_refused_and_leaves_nothing(
    module_home: HomeUnderTest, tmp_path: Path
) -> None:
    module_home.wirt("create", "-t", TINY, "liar", status=0)
    module_home.wirt("start", "liar", status=0)
    plant = "rm /bin/tar; printf '#!/bin/sh\\nyes | head -c 100000\\n' >/bin/tar; chmod +x /bin/tar"
    module_home.wirt("exec", "liar", "--", "sh", "-c", plant, status=0)
    done = module_home.wirt("copy", "liar:/etc", str(tmp_path), status=2)
    module_home.wirt("destroy", "--force", "liar", status=0)

    assert done.stderr.startswith("wirt: the archive is not a tar archive; ")
    assert os.listdir(tmp_path) == []


def test_guest_that_leaves_who_holds_the_pipes_is_not_waited_for(
    module_home: HomeUnderTest, tmp_path: Path
) -> None:
    module_home.wirt("create", "-t", TINY, "holder", status=0)
    module_home.wirt("start", "holder", status=0)
    (tmp_path / "large").write_bytes(os.urandom(1 << 20))
    hold = "#!/bin/busybox sh\\nsleep 40 <&0 &\\n"
    plant = (
        "echo kept >/root/file; rm /bin/tar /bin/sh; "
        f"printf '{hold}exec busybox sh \"$@\"\\n' >/bin/sh; "
        f"printf '{hold}case $1 in -c) exec busybox tar \"$@\"; esac; exit 1\\n' >/bin/tar; "
        "chmod +x /bin/tar /bin/sh"
    )
    module_home.wirt("exec", "holder", "--", "sh", "-c", plant, status=0)
    began = time.monotonic()
    out = module_home.wirt("copy", "holder:/root/file", str(tmp_path), status=0)
    into = module_home.wirt("copy", str(tmp_path / "large"), "holder:/root", status=10)
    took = time.monotonic() - began
    module_home.wirt("destroy", "--force", "holder", status=0)

    assert out.stdout == f"holder:/root/file copied to {tmp_path}: 5 B\n"
    assert (tmp_path / "file").read_text() == "kept\n"
    assert into.stderr == "wirt: guest holder cannot unpack in /root: tar ended with status 1\n"
    assert took < 30


@pytest.mark.parametrize(
    ("ends", "status", "said"),
    [
        (
            ("web:/nosuch", "."),
            3,
            "there is no /nosuch in guest web; give the path of a file or directory",
        ),
        (
            ("./nosuch", "web:/"),
            3,
            "there is no ./nosuch on the node; give the path of a file or directory",
        ),
        (
            ("/bin/true", "web:/no/such"),
            3,
            "there is no directory /no in guest web; make it first",
        ),
        (
            ("-", "web:/nosuch"),
            3,
            "there is no directory /nosuch in guest web; an archive is unpacked in a directory "
            "that is there",
        ),
        (
            ("/etc", "web:/etc/passwd"),
            4,
            "/etc/passwd in guest web is a file, and /etc is a directory; name a directory",
        ),
        (("/etc", "/tmp"), 2, "neither is in a guest; write GUEST:/PATH for one of them"),
        (
            ("web:/etc", "web:/tmp"),
            2,
            "both are in guests; pass it on: wirt copy web:/etc - | wirt copy - web:DIR",
        ),
        (("web:", "/tmp"), 2, "'web:' names no path in the guest; write web:/PATH"),
        (
            ("Web:/x", "/tmp"),
            2,
            "'Web' is not a guest name; use a-z, 0-9 and inner hyphens, such as web-1",
        ),
        (("nemo:/x", "/tmp"), 3, "there is no guest nemo; see wirt list"),
    ],
)
def test_bad_ends_are_refused_word_for_word(
    guest: HomeUnderTest, ends: tuple[str, str], status: int, said: str
) -> None:
    done = guest.wirt("copy", *ends, status=status)

    assert done.stderr == f"wirt: {said}\n"


def test_file_of_holes_comes_out_of_a_guest_with_them_and_goes_into_one_that_can_read_them(
    guest: HomeUnderTest, state: str, tmp_path: Path
) -> None:
    hole = tmp_path / "hole"
    with hole.open("wb") as file:
        file.write(b"begin")
        file.truncate(64 << 20)
        os.pwrite(file.fileno(), b"end", 32 << 20)
    guest.wirt("copy", str(hole), "web:/srv/hole", status=0)
    kib = int(see(guest, "du -k /srv/hole | cut -f1", state))
    guest.wirt("copy", "web:/srv/hole", f"{tmp_path}/back", status=0)
    see(guest, "rm /srv/hole", state)

    # A busybox's tar knows no holes.
    assert (kib < 100) == (state == "stopped")
    assert (tmp_path / "back").read_bytes() == hole.read_bytes()
    assert (tmp_path / "back").stat().st_blocks * 512 < 100 << 10
