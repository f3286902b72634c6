"""What of a guest's root becomes part of a template, and what stays that guest's own."""

import tarfile

import pytest

from wirt.storage.ownthings import OwnThings


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
