"""Machines that run become templates: what is taken of their root, put right in it and put into it, here and by ssh."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import sshd
from tests.homes import HomeUnderTest
from tests.sshd import Host

from wirt.errors import Conflict, Failed, InvalidInput, OutOfSpace
from wirt.host import files
from wirt.model.machine import Machine, parse_machine, path_below
from wirt.model.template import Template
from wirt.ops.context import Context
from wirt.ops.machines import take_machine
from wirt.transport.base import LinkLost
from wirt.transport.machine import Survey, survey

FILES = {
    "bin/sh": "a shell\n",
    "sbin/init": "an init\n",
    "usr/sbin/qemu-ga": "an agent\n",
    "usr/sbin/sshd": "a server\n",
    "usr/lib/systemd/system/systemd-networkd.service": "[Install]\n",
    "usr/lib/systemd/system/systemd-network-generator.service": "[Install]\n",
    "etc/fstab": "UUID=1 / ext4 defaults 0 1\n",
    "etc/hostname": "old\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/netplan/50-cloud-init.yaml": "network: {}\n",
    "etc/network/interfaces": "auto ens18\niface ens18 inet dhcp\n",
    "etc/NetworkManager/system-connections/Wired 1.nmconnection": "[connection]\n",
    "etc/ssh/ssh_host_rsa_key": "secret\n",
    "etc/udev/rules.d/70-persistent-net.rules": "NAME=ens18\n",
    "proc/1/status": "of the kernel\n",
    "tmp/socket.lock": "1\n",
    "swapfile": "pages\n",
    "srv/data": "kept\n",
    "srv/cache/big": "not wanted\n",
    "var/lib/wirt/pools/1": "another guest\n",
}
SAID = [
    "put right: etc/NetworkManager/system-connections/Wired 1.nmconnection",
    "put right: etc/fstab",
    "put right: etc/netplan/50-cloud-init.yaml",
    "put right: etc/network/interfaces",
    "put right: etc/udev/rules.d/70-persistent-net.rules",
    "put right: the name",
    "put right: the machine id",
    "put right: SSH host keys (1)",
    "lacking for qemu and kvm: a kernel with its modules",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give the root of a machine."""
    made = tmp_path / "root"
    for path, content in FILES.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(content)
    (made / "etc/crypttab").symlink_to("/etc/hostname")
    return made


@pytest.fixture
def host(root_user: None, tmp_path: Path) -> Iterator[Host]:
    with sshd.serving(tmp_path) as made:
        yield made


def take(context: Context, machine: Machine, **more: list[str]) -> tuple[Template, list[str]]:
    said: list[str] = []
    made = take_machine(context, machine, "old", progress=said.append, **more)
    return made, said


def check_taken(context: Context, said: list[str]) -> None:
    tree = Path(context.templates.path_of_form("old", "tree"))
    units = tree / "etc/systemd/system"

    assert said == SAID
    assert (tree / "etc/fstab").read_text() == ""
    assert (tree / "etc/network/interfaces").read_text() == ""
    assert (tree / "etc/machine-id").read_text() == ""
    assert os.listdir(tree / "etc/netplan") == os.listdir(tree / "etc/udev/rules.d") == []
    assert os.listdir(tree / "etc/ssh") == os.listdir(tree / "proc") == os.listdir(tree / "tmp")
    assert (tree / "srv/data").read_text() == "kept\n"
    assert not (tree / "swapfile").exists()
    assert not (tree / "etc/hostname").exists()
    for unit in ("systemd-networkd.service", "systemd-network-generator.service"):
        assert "!container" in (units / f"{unit}.d/wirt.conf").read_text()
    assert os.readlink(units / "sysinit.target.wants/systemd-network-generator.service") == (
        "/usr/lib/systemd/system/systemd-network-generator.service"
    )
    assert sorted(os.listdir(units / "multi-user.target.wants")) == [
        "systemd-networkd.service",
        "wirt-agent.service",
        "wirt-ssh-keys.service",
    ]
    assert "ExecStart=/usr/sbin/qemu-ga " in (units / "wirt-agent.service").read_text()


def test_root_of_this_machine_becomes_a_template_without_what_is_its_own(
    context: Context, root: Path
) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    made, said = take(context, Machine(root=str(root)), exclude=["/srv/cache"])
    tree = Path(context.templates.path_of_form("old", "tree"))

    assert made.description == f"made of machine {root}"
    check_taken(context, said)
    assert not (tree / "srv/cache").exists()
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_root_of_another_machine_becomes_one_by_ssh(
    context: Context, root: Path, host: Host
) -> None:
    machine = parse_machine(f"root@127.0.0.1:{root}", host.options())
    made, said = take(context, machine)
    tree = Path(context.templates.path_of_form("old", "tree"))

    assert made.description == f"made of machine root@127.0.0.1:{root}"
    check_taken(context, said)
    assert not (tree / "var/lib/wirt").exists()


def test_wirts_own_is_left_out_and_a_further_file_system_taken_when_it_is_named(
    context: Context, root: Path
) -> None:
    data = root / "data"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", data], check=True)
    try:
        (data / "file").write_text("further\n")
        machine = Machine(root=str(root))
        take(context, machine)
        kept = sorted(os.listdir(Path(context.templates.path_of_form("old", "tree")) / "data"))
        context.templates.remove("old")
        take(context, machine, include=["/data"])
        taken = Path(context.templates.path_of_form("old", "tree")) / "data/file"
        assert taken.read_text() == "further\n"
    finally:
        subprocess.run(["umount", data], check=True)

    assert kept == []


def test_further_file_systems_of_disks_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mounts = (
        "/dev/sda1 / ext4 rw 0 0\nproc /proc proc rw 0 0\n/dev/sda2 /boot ext4 rw 0 0\n"
        "/dev/sda3 /srv/my\\040files xfs rw 0 0\n/dev/loop1 /snap/core squashfs ro 0 0\n"
        "/dev/sda4 /home ext4 rw 0 0\n/dev/sda5 /run/media/stick vfat rw 0 0\n"
    )
    said = {"du": "7\t/\n3\t/home\n10\ttotal\n", "cat": mounts}
    monkeypatch.setattr(
        "wirt.transport.machine._ask", lambda machine, argv, may_fail=False: said[argv[0]]
    )

    assert survey(Machine(), include=["./home"], exclude=[]) == Survey(
        used=10240, others=("/boot", "/srv/my files")
    )


def test_machine_that_does_not_fit_is_refused_before_anything_is_read(
    context: Context, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda path: 4096)
    with pytest.raises(OutOfSpace) as caught:
        take(context, Machine(root=str(root)))

    assert str(caught.value).endswith(
        f", and 4 KiB are free in {context.home.templates}; leave something out with --exclude, or set "
        "WIRT_HOME to a larger disk"
    )
    assert str(caught.value).startswith(f"{root} holds ")
    assert not os.path.exists(context.home.templates)


def test_template_of_that_name_is_found_before_anything_is_read(
    context: Context, root: Path
) -> None:
    take(context, Machine(root=str(root)))
    with pytest.raises(Conflict) as caught:
        take(context, Machine(ssh="nobody@nowhere"))

    assert str(caught.value) == (
        "there is a template called old; remove it first: wirt template remove old"
    )


def test_root_that_is_not_there_is_named(context: Context, tmp_path: Path) -> None:
    with pytest.raises(Failed) as caught:
        take(context, Machine(root=f"{tmp_path}/none"))

    assert str(caught.value) == (
        f"cannot read {tmp_path}/none: tar: {tmp_path}/none: Cannot open: No such file or directory"
    )
    assert os.listdir(context.home.templates) == []


def test_machine_that_cannot_be_reached_is_named(context: Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(LinkLost) as caught:
        take(context, parse_machine("root@127.0.0.1", ("-F/dev/null", f"-p{port}")))

    assert str(caught.value) == (
        f"machine root@127.0.0.1 does not answer: ssh: connect to host 127.0.0.1 port {port}: "
        "Connection refused"
    )


@pytest.mark.parametrize(
    ("text", "machine"),
    [
        ("/", Machine()),
        ("/srv/root", Machine(root="/srv/root")),
        ("root@old", Machine(ssh="root@old")),
        ("old:/srv", Machine(ssh="old", root="/srv")),
    ],
)
def test_machine_is_read_as_it_is_written(text: str, machine: Machine) -> None:
    assert parse_machine(text) == machine


@pytest.mark.parametrize("text", ["", "-oProxyCommand=evil", ":", "old:srv"])
def test_text_that_is_no_machine_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_machine(text)

    assert str(caught.value) == (
        f"{text!r} is no machine; write / for this one, or USER@HOST for another that ssh reaches"
    )


def test_options_of_ssh_for_this_machine_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_machine("/", ("-p22",))

    assert str(caught.value) == (
        "/ is on this machine and not reached by ssh; leave --ssh-option out"
    )


def test_path_below_a_root_is_written_as_tar_does() -> None:
    assert path_below(Machine(), "/home//a/") == "./home/a"


@pytest.mark.parametrize("path", ["home", "/", "/../etc"])
def test_path_that_is_not_below_the_root_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        path_below(Machine(), path)

    assert str(caught.value) == f"{path!r} is no path in /; give it from its root on, such as /home"


def test_guest_of_a_machine_has_what_it_had(home: HomeUnderTest, busybox_tar: Path) -> None:
    machine = home.base / "machine"
    machine.mkdir()
    subprocess.run(["tar", "-xf", busybox_tar, "-C", machine], check=True)
    (machine / "etc/motd").write_text("the old machine\n")
    made = home.wirt("template", "from-machine", str(machine), "old", status=0)
    home.wirt("create", "web", "-t", "old", "-a", "lxc", status=0)
    home.wirt("start", "web", status=0)
    said = home.wirt("exec", "web", "cat", "/etc/motd").stdout
    home.wirt("destroy", "--force", "web", status=0)
    home.wirt("template", "remove", "old", status=0)

    assert made.stdout.startswith(f"template old made of {machine} in ")
    assert said == "the old machine\n"
