"""Guests that boot a kernel of the node's: it is that one which runs, and it was told what was given."""

import shutil
import time
from pathlib import Path

import pytest
from tests.guest.conftest import MakeTiny, ShippedTemplate
from tests.homes import HomeUnderTest

SECONDS = 120.0
PLACE = 4096 * 1000
WRITES = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
echo written | /bin/busybox dd of=/dev/ubda bs=4096 seek=1000 conv=notrunc
/bin/busybox sync
echo it has written >/dev/console
while :; do /bin/busybox sleep 1000; done
"""


@pytest.mark.parametrize("approach", ["uml", "qemu"])
def test_guest_boots_the_kernel_that_it_was_given(
    guest_home: HomeUnderTest, template: ShippedTemplate, approach: str
) -> None:
    kernel, ramdisk = guest_home.base / "kernel", guest_home.base / "ramdisk"
    program = shutil.which("linux.uml")
    assert program is not None
    shutil.copy(program if approach == "uml" else template.kernel, kernel)
    shutil.copy(template.initrd, ramdisk)
    given = ["--kernel", str(kernel), "--append", "wirt_given=1"]
    given += [] if approach == "uml" else ["--ramdisk", str(ramdisk), "--root", "/dev/vda"]
    guest_home.wirt("create", "web", "-a", approach, "--memory", "256M", *given, status=0)
    guest_home.wirt("start", "web", "--no-wait", status=0)
    log = Path(guest_home.home.place(guest_home.guests()[0].id).log)
    deadline = time.monotonic() + SECONDS
    while "web login:" not in log.read_text(errors="replace"):
        assert time.monotonic() < deadline, "it did not boot"
        time.sleep(0.05)
    told = guest_home.wirt("exec", "web", "--", "cat", "/proc/cmdline", status=0).stdout
    guest_home.wirt("destroy", "--force", "web", status=0)

    assert "wirt_given=1" in told.split()


def test_options_of_a_kernel_without_one_are_refused(guest_home: HomeUnderTest) -> None:
    done = guest_home.wirt("create", "web", "-a", "uml", "--append", "quiet", status=2)

    assert done.stderr == "wirt: --append goes with --kernel; name the kernel too\n"


def test_what_a_user_mode_guest_has_written_is_exported(
    guest_home: HomeUnderTest, template: ShippedTemplate, make_tiny: MakeTiny
) -> None:
    make_tiny("uml", WRITES)
    guest_home.wirt("start", "web", "--no-wait", status=0)
    log = Path(guest_home.home.place(guest_home.guests()[0].id).log)
    deadline = time.monotonic() + SECONDS
    while "it has written" not in log.read_text(errors="replace"):
        assert time.monotonic() < deadline, "it did not write"
        time.sleep(0.02)
    guest_home.wirt("stop", "--force", "web", status=0)
    target = guest_home.base / "disk.raw"
    guest_home.wirt("export", "web", str(target), "--format", "raw", status=0)
    with target.open("rb") as exported, open(template.image, "rb") as below:
        parts = [(file.read(PLACE), file.read(8), file.read(PLACE)) for file in (exported, below)]
        sizes = [file.seek(0, 2) for file in (exported, below)]

    assert parts[0] == (parts[1][0], b"written\n", parts[1][2])
    assert parts[1][1] != b"written\n"
    assert sizes[0] == sizes[1]
