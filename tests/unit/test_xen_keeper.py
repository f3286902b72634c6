"""The keeper of a Xen domain: its real script, with programs in the place of Xen's that remember what they are told."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wirt.approaches.xen import keeper

_XL = """\
#!/bin/sh
# $DOMAIN holds a domain's state for as long as there is one.
echo "$1" >>"$DOMAIN.told"
case $1 in
domid) [ -e "$DOMAIN" ] ;;
list) [ -e "$DOMAIN" ] && [ -s "$DOMAIN" ] && echo Columns && echo "web 1 512 1 $(cat "$DOMAIN") 0.1" ;;
destroy) rm "$DOMAIN" ;;
esac
"""
_WATCH = """\
#!/bin/sh
# Says once that it watches, and then what comes.
echo "$1"
exec cat "$DOMAIN.events"
"""
SECONDS = 20.0


class Kept:
    """A domain with its keeper."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "domain"
        self.told = directory / "domain.told"
        self.mark = directory / keeper.MARK
        self.state.write_text("-b----")
        os.mkfifo(directory / "domain.events")
        for name, text in (("xl", _XL), ("xenstore-watch", _WATCH)):
            (directory / name).write_text(text)
            (directory / name).chmod(0o755)
        path = f"{directory}:{os.environ['PATH']}"
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", keeper._SCRIPT, "sh", "web", str(self.mark), "web.cfg"],
            env={"PATH": path, "DOMAIN": str(self.state)},
            start_new_session=True,
            stderr=subprocess.PIPE,
        )
        self.events = os.open(directory / "domain.events", os.O_WRONLY)

    def asked(self) -> int:
        """Return how often Xen was asked for the domain's state."""
        return self.told.read_text().count("list") if self.told.exists() else 0

    def happens(self) -> None:
        """Have some domain of the node stop."""
        os.write(self.events, b"@releaseDomain\n")


@contextmanager
def kept(directory: Path) -> Iterator[Kept]:
    one = Kept(directory)
    try:
        wait_until(lambda: one.asked() == 1)
        yield one
    finally:
        os.close(one.events)
        one.process.kill()
        one.process.communicate()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_domain_that_has_shut_down_is_destroyed_and_its_keeper_ends(tmp_path: Path) -> None:
    with kept(tmp_path) as one:
        one.happens()
        wait_until(lambda: one.asked() == 2)
        ran_on = one.process.poll() is None
        one.state.write_text("---s--")
        one.happens()
        one.process.wait(SECONDS)

        assert ran_on
        assert not one.state.exists()
        assert one.told.read_text().split()[-1] == "destroy"


def test_keeper_of_a_domain_that_was_destroyed_ends(tmp_path: Path) -> None:
    with kept(tmp_path) as one:
        one.state.unlink()
        one.happens()
        one.process.wait(SECONDS)

        assert "destroy" not in one.told.read_text()


def test_domain_of_which_xen_says_nothing_once_is_kept(tmp_path: Path) -> None:
    with kept(tmp_path) as one:
        one.state.write_text("")
        one.happens()
        wait_until(lambda: "domid" in one.told.read_text())
        one.state.write_text("-b----")
        one.happens()
        wait_until(lambda: one.asked() == 3)

        assert one.process.poll() is None


def test_domain_that_stands_still_to_be_written_down_is_let_alone(tmp_path: Path) -> None:
    with kept(tmp_path) as one:
        one.mark.touch()
        one.state.write_text("---s--")
        one.happens()
        # It has been written down, and goes on.
        one.state.write_text("-b----")
        one.mark.unlink()
        wait_until(lambda: one.asked() == 2)

        assert one.process.poll() is None
        assert one.state.exists()
