"""What of a guest's root becomes part of a template, and what stays that guest's own."""

import os
import tarfile
from pathlib import Path

import pytest

from wirt.storage.templates.ownthings import OwnThings, forget_identity


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 5) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode, info.uid = kind, size, 0o640, 101
    return info


@pytest.mark.parametrize(
    "name",
    [
        "etc/ssh/ssh_host_ed25519_key",
        "etc/ssh/ssh_host_rsa_key.pub",
        "etc/hostname",
        "var/log/journal/0123/system.journal",
        "var/log/syslog.1",
        "var/log/apache2/access.log.2.gz",
        "var/lib/dhcp/dhclient.eth0.leases",
        "var/lib/NetworkManager/internal-1-eth0.lease",
        "var/lib/dbus/machine-id",
        "var/lib/systemd/random-seed",
        "tmp/x",
        "run/systemd/units/x",
        "var/tmp/x",
    ],
)
def test_what_is_the_guests_own_is_left_out(name: str) -> None:
    assert OwnThings().treat(name, member(name)) is None


@pytest.mark.parametrize(
    "name",
    [
        "etc/ssh/sshd_config",
        "etc/machine-id.d/x",
        "usr/lib/x",
        "root/.ssh/authorized_keys",
        "srv/tmp/x",
        "var/lib/dhcpx/x",
    ],
)
def test_everything_else_is_taken_as_it_is(name: str) -> None:
    given = member(name)

    assert OwnThings().treat(name, given) is given


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tmp", tarfile.DIRTYPE),
        ("run/lock", tarfile.DIRTYPE),
        ("var/log/apache2", tarfile.DIRTYPE),
        ("var/log/current", tarfile.SYMTYPE),
        ("var/lib/dbus/machine-id", tarfile.SYMTYPE),
    ],
)
def test_directories_and_links_that_programs_expect_stay(name: str, kind: bytes) -> None:
    given = member(name, kind, size=0)

    assert OwnThings().treat(name, given) is given


@pytest.mark.parametrize("name", ["etc/machine-id", "var/log/syslog", "var/log/btmp"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.LNKTYPE])
def test_logs_and_the_machine_id_become_empty_files_of_the_same_owner(
    name: str, kind: bytes
) -> None:
    treated = OwnThings().treat(name, member(name, kind))

    assert treated is not None
    assert (treated.type, treated.size, treated.mode, treated.uid) == (
        tarfile.REGTYPE,
        0,
        0o640,
        101,
    )


def test_machine_id_that_is_a_link_becomes_a_file() -> None:
    treated = OwnThings().treat("etc/machine-id", member("etc/machine-id", tarfile.SYMTYPE, 0))

    assert treated is not None
    assert treated.isreg()


def test_what_was_put_right_is_said_with_numbers_and_empty_things_are_not() -> None:
    own = OwnThings()
    for name in ("etc/machine-id", "var/log/a", "var/log/b", "etc/ssh/ssh_host_rsa_key"):
        own.treat(name, member(name))
    own.treat("var/log/empty", member("var/log/empty", size=0))
    own.treat("tmp/directory", member("tmp/directory", tarfile.DIRTYPE, 0))

    assert own.said() == [
        "put right: the machine id",
        "put right: logs (2)",
        "put right: SSH host keys (1)",
    ]


def forget(root: Path) -> list[str]:
    descriptor = os.open(root, os.O_PATH)
    try:
        return forget_identity(descriptor)
    finally:
        os.close(descriptor)


def files_below(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()
    }


def test_clone_loses_what_tells_it_from_others_and_nothing_else(tmp_path: Path) -> None:
    for path in (
        "etc/machine-id",
        "etc/hostname",
        "etc/ssh/ssh_host_rsa_key",
        "etc/ssh/ssh_host_rsa_key.pub",
        "etc/ssh/sshd_config",
        "var/lib/dhcp/dhclient.leases",
        "var/lib/dbus/machine-id",
        "var/lib/systemd/random-seed",
        "var/log/syslog",
        "tmp/x",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    said = forget(tmp_path)

    assert files_below(tmp_path) == {
        "etc/machine-id": "",
        "etc/ssh/sshd_config": "x",
        "var/log/syslog": "x",
        "tmp/x": "x",
    }
    assert said == [
        "put right: the name",
        "put right: the machine id",
        "put right: SSH host keys (2)",
        "put right: leases (1)",
        "put right: seeds of random numbers (1)",
    ]
    assert forget(tmp_path) == []


def test_link_from_one_machine_id_to_the_other_stays(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dbus").mkdir(parents=True)
    (tmp_path / "var/lib/dbus/machine-id").symlink_to("/etc/machine-id")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").symlink_to("/elsewhere")
    forget(tmp_path)

    assert (tmp_path / "var/lib/dbus/machine-id").is_symlink()
    assert (tmp_path / "etc/machine-id").read_text() == ""


def test_links_and_directories_that_a_guest_has_planted_are_not_followed(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    for name in ("hostname", "machine-id", "ssh_host_rsa_key"):
        (outside / name).write_text("the node's")
    (root / "etc/hostname").mkdir(parents=True)
    (root / "etc/machine-id").mkdir()
    (root / "etc/ssh").symlink_to(outside)
    (root / "var").symlink_to(outside)

    assert forget(root) == []
    assert set(files_below(outside).values()) == {"the node's"}
    assert len(os.listdir(outside)) == 3
