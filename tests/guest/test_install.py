"""``wirt install`` into real guests of the shipped template, with packages of this machine's own mirrors."""

import pytest
from tests.homes import HomeUnderTest

from wirt.ops.create import DEFAULT_TEMPLATE

PLANT = "ln -s /etc /var/cache/wirt-packages; find /etc/apt -type f | sort | xargs md5sum"
LOOK = """
hello
stat -c %u:%g /usr/bin/hello
test -e /var/cache/wirt-packages && echo left behind
apt-mark showmanual | grep -E '^(sl|hello|libncurses6)$'
ls /etc/*.deb 2>/dev/null
find /etc/apt -type f | sort | xargs md5sum
"""


def create(home: HomeUnderTest, approach: str) -> None:
    home.wirt("create", "-t", DEFAULT_TEMPLATE, "-a", approach, "web", status=0)


def test_packages_are_installed_in_a_running_guest_and_nothing_else_stays(
    guest_home: HomeUnderTest,
) -> None:
    create(guest_home, "lxc")
    guest_home.wirt("start", "web", status=0)
    before = guest_home.wirt("exec", "web", "--", "sh", "-c", PLANT, status=0).stdout
    done = guest_home.wirt("install", "web", "hello", "sl", status=0)
    seen = guest_home.wirt("exec", "web", "--", "sh", "-c", LOOK).stdout
    again = guest_home.wirt("install", "web", "hello", status=0)

    assert done.stdout == "guest web: 3 packages installed\n"
    assert seen == f"Hello, world!\n0:0\nhello\nsl\n{before}"
    assert again.stdout == "guest web has all of it already\n"
    assert guest_home.guests()[0].state == "running"


@pytest.mark.parametrize("approach", ["lxc", "chroot"])
def test_packages_are_installed_in_a_stopped_guest_which_stays_stopped(
    guest_home: HomeUnderTest, approach: str
) -> None:
    create(guest_home, approach)
    done = guest_home.wirt("install", "web", "hello", status=0)
    state = guest_home.guests()[0].state
    guest_home.wirt("start", "web", status=0)
    seen = guest_home.wirt("exec", "web", "hello", status=0).stdout

    assert done.stdout == "guest web: 1 package installed\n"
    assert state == "stopped"
    assert seen == "Hello, world!\n"


def test_package_that_nobody_has_is_refused_in_apts_own_words(guest_home: HomeUnderTest) -> None:
    create(guest_home, "chroot")
    done = guest_home.wirt("install", "web", "no-such-package", status=10)

    assert done.stderr.splitlines()[-1] == (
        "wirt: nothing was installed in web: Unable to locate package no-such-package"
    )
    assert guest_home.guests()[0].state == "stopped"
