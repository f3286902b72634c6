"""Machines that boot by themselves what is on their disk or CD: GRUB, and a system that is no Linux at all."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.homes import HomeUnderTest

from wirt.approaches import ownkernel
from wirt.approaches.qemu.monitor import talking

GRUB = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"
"""Of Debian's grub-rescue-pc: it boots from a CD and, its beginning being a boot record too, from a disk."""
MEMTEST = "/usr/lib/memtest86+/memtest86+x64.iso"
SECONDS = 120.0
TEXT, COLUMNS, ROWS = 0xB8000, 80, 25
"""Where a screen in text mode is in a PC's memory, a character and a colour each."""


def wait_until(is_there: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_there():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.2)


def words_on_the_console(home: HomeUnderTest, name: str) -> str:
    """Return what a machine has said, without what moves the cursor."""
    guest = next(one for one in home.guests() if one.name == name)
    said = Path(home.home.place(guest.id).log).read_text(errors="replace")
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)


def words_on_the_screen(home: HomeUnderTest, name: str) -> str:
    """Return what a machine's screen shows, which is in text mode."""
    guest = next(one for one in home.guests() if one.name == name)
    directory = ownkernel.private_directory(home.home.place(guest.id))
    with talking(directory) as monitor:
        wanted = {"val": TEXT, "size": COLUMNS * ROWS * 2, "filename": "text"}
        monitor.execute("pmemsave", wanted)
    shown = Path(directory, "text").read_bytes()[::2].decode("cp437")
    return "\n".join(shown[at : at + COLUMNS] for at in range(0, len(shown), COLUMNS))


def is_testing_memory(screen: str) -> bool:
    """Return whether all of that is there at once: it is drawn bit by bit, and anew now and then."""
    shown = (r"Memtest86\+ v", r"QEMU Standard PC", r"Errors: +0\b")
    return all(re.search(words, screen) for words in shown)


@pytest.fixture
def machines(home: HomeUnderTest) -> HomeUnderTest:
    """Give a home with two machines that have been started, which takes both no longer than one."""
    small = ["-a", "qemu", "--memory", "128M"]
    home.wirt("import", GRUB, "grub", "--format", "raw", "--disk", "64M", *small, status=0)
    blank = ["--blank", "--disk", "64M", "--cdrom", MEMTEST, "--screen"]
    home.wirt("create", "memtest", *blank, *small, status=0)
    for name in ("grub", "memtest"):
        home.wirt("start", name, status=0)
    return home


def test_machines_boot_from_their_own_disk_and_from_a_cd(machines: HomeUnderTest) -> None:
    wait_until(
        lambda: "GNU GRUB  version 2" in words_on_the_console(machines, "grub"), "GRUB's menu"
    )
    wait_until(lambda: is_testing_memory(words_on_the_screen(machines, "memtest")), "Memtest86+")
    guest = next(one for one in machines.guests() if one.name == "grub")
    place = machines.home.place(guest.id)
    Path(ownkernel.private_directory(place), ownkernel.TO_CONSOLE).write_bytes(b"c")
    wait_until(lambda: "grub>" in words_on_the_console(machines, "grub"), "GRUB's command line")
    Path(ownkernel.private_directory(place), ownkernel.TO_CONSOLE).write_bytes(b"ls\r")
    wait_until(lambda: "(hd0" in words_on_the_console(machines, "grub"), "what GRUB knows")
    ended = machines.wirt("stop", "--force", "grub")

    assert (ended.returncode, ended.stdout) == (0, "guest grub stopped\n")
