"""Templates that lack what guests of an approach begin with: refused before anything is made."""

import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests import homes
from tests.homes import HomeUnderTest
from tests.leaks import World

NO_INIT = (
    "template noinit has no /sbin/init, which is the first program of its guests; "
    "put a system such as systemd into it, or use the approach chroot\n"
)
NO_KERNEL = (
    "template nokernel has no kernel with its modules, which its guests boot; "
    "add linux-image-cloud-amd64 to its packages, or use the approach chroot or lxc\n"
)


def copy_tar(source: Path, target: Path, keep: Callable[[str], bool]) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            if keep(member.name):
                new.addfile(member, old.extractfile(member) if member.isreg() else None)


def made_of(home: HomeUnderTest) -> list[str]:
    """Return what there is of a home, without what probing it leaves."""
    left = home.world().difference(World.empty())
    return [line for line in left if "kvm-probe" not in line]


@pytest.fixture(scope="module")
def unfit(busybox_tar: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeUnderTest]:
    """Give a home with a template that has no init, and one that has no kernel."""
    directory = tmp_path_factory.mktemp("tars")
    copy_tar(busybox_tar, directory / "noinit.tar", lambda name: name != "sbin/init")
    copy_tar(busybox_tar, directory / "nokernel.tar", lambda name: not name.startswith("boot/"))
    with homes.open_home() as home:
        for name in ("noinit", "nokernel"):
            home.wirt("template", "import", str(directory / f"{name}.tar"), name, status=0)
        yield home


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["create", "-t", "noinit", "web"], 6, f"approach lxc cannot be used: {NO_INIT}"),
        (
            ["run", "-a", "uml", "-t", "noinit", "true"],
            125,
            f"approach uml cannot be used: {NO_INIT}",
        ),
        (
            ["create", "-a", "qemu", "-t", "nokernel", "web"],
            6,
            f"approach qemu cannot be used: {NO_KERNEL}",
        ),
        (
            ["compare", "-a", "chroot", "-a", "qemu", "-t", "nokernel"],
            6,
            f"approach qemu cannot run here: {NO_KERNEL}",
        ),
    ],
)
def test_template_without_what_an_approach_begins_with_is_refused_and_nothing_is_made(
    unfit: HomeUnderTest, arguments: list[str], status: int, message: str
) -> None:
    before = made_of(unfit)
    done = unfit.wirt(*arguments)

    assert (done.returncode, done.stdout, done.stderr) == (status, "", f"wirt: {message}")
    assert unfit.guests() == []
    assert made_of(unfit) == before


def test_template_without_kernel_and_init_is_good_for_a_chroot(unfit: HomeUnderTest) -> None:
    assert (
        unfit.wirt("run", "-a", "chroot", "-t", "noinit", "echo", "up", status=0).stdout == "up\n"
    )
