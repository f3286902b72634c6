"""Wirt as its users run it: the command line, on a home of its own."""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from timing import run, seconds_of

from wirt.model.guest import Guest
from wirt.model.home import Home
from wirt.model.limits import Limits
from wirt.model.names import bridge_name, home_tag
from wirt.state.base import Intent
from wirt.state.sqlite import SqliteStore
from wirt.storage.templates.store import FORMS

INTERPRETER = str(Path(sys.executable))
COMMAND = str(Path(sys.executable).parent / "wirt")
VZLIST = str(Path(sys.executable).parent / "vzlist")


class Wirt:
    """The command ``wirt`` on one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            "WIRT_HOME": str(home / "data"),
            "WIRT_RUN": str(home / "run"),
            "WIRT_ETC": str(home / "etc"),
        }

    @property
    def place(self) -> Home:
        """Return the home itself, for what is done to it from here."""
        return Home(
            data=self.environment["WIRT_HOME"],
            run=self.environment["WIRT_RUN"],
            etc=self.environment["WIRT_ETC"],
        )

    @property
    def tag(self) -> str:
        """Return the text that the names of everything of this home begin with."""
        return f"w{home_tag(self.environment['WIRT_HOME'])}"

    @property
    def bridge(self) -> str:
        """Return the name of the home's bridge."""
        return bridge_name(home_tag(self.environment["WIRT_HOME"]))

    def command(self, *arguments: str) -> list[str]:
        """Return a command line."""
        return [COMMAND, *arguments]

    def call(self, *arguments: str) -> str:
        """Run a command, untimed, and return its output."""
        return run(self.command(*arguments), self.environment)

    def seconds(self, *commands: Sequence[str]) -> float:
        """Return the seconds that commands take one after the other."""
        lines = [self.command(*arguments) for arguments in commands]
        return seconds_of(*lines, environment=self.environment)

    def create(self, name: str, template: str, approach: str, *options: str) -> None:
        """Make a guest, untimed."""
        self.call("create", name, "--template", template, "--approach", approach, *options)

    def destroy(self, name: str) -> None:
        """End and delete a guest, untimed."""
        self.call("destroy", "--force", name)

    def address(self, name: str) -> str:
        """Return a guest's address."""
        return str(json.loads(self.call("show", name, "--json"))["address"])

    def form(self, template: str, name: str) -> str:
        """Return the path of a template's form ("tree", "image", "boot"); some guest must have needed it before."""
        path = Path(self.environment["WIRT_HOME"], "templates", template, FORMS[name])
        if not path.exists():
            raise RuntimeError(f"{path} has not been made")
        return str(path)

    def templates(self) -> list[str]:
        """Return the names of the templates that the home has."""
        directory = Path(self.environment["WIRT_HOME"], "templates")
        return sorted(p.parent.name for p in directory.glob("[!.]*/template.json"))

    def invent_guests(self, count: int) -> None:
        """Write stopped guests into the state that have nothing behind them: only ``list`` may meet them."""
        self.call("list")
        store = SqliteStore(f"{self.environment['WIRT_HOME']}/wirt.db")
        try:
            for number in range(count):
                guest = _invented(number)
                store.begin(Intent(guest=guest, verb="create", began=time.time()))
                store.settle(guest.id, guest)
        finally:
            store.close()


def _invented(number: int) -> Guest:
    third, fourth = divmod(number, 250)
    return Guest(
        id=f"{number:06x}",
        name=f"invented-{number}",
        approach="lxc",
        template="invented",
        template_sha256="0" * 64,
        pool="directory",
        limits=Limits(),
        address=f"10.64.{third}.{fourth + 2}",
        mac=f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}",
        created=time.time(),
    )


def make_archive(path: Path, size: int) -> None:
    """Write the tar of a small root with ``size`` bytes of files that do not compress."""
    root = path.with_suffix(".root")
    for directory in ("etc", "bin", "sbin", "usr/bin", "var", "data"):
        (root / directory).mkdir(parents=True)
    (root / "etc/os-release").write_text('ID=invented\nPRETTY_NAME="Invented"\n')
    piece = 256 * 1024
    for number in range(size // piece):
        (root / "data" / str(number)).write_bytes(os.urandom(piece))
    run(["tar", "-C", str(root), "-cf", str(path), "."])
    run(["rm", "-r", str(root)])
