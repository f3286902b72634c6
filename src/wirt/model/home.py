"""Where a home keeps its things: paths, as values."""

import msgspec

from wirt.model.launch import Place
from wirt.model.names import home_tag, kernel_name


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """The three directories of one installation; two homes never disturb each other."""

    data: str = "/var/lib/wirt"
    """``wirt.db``, templates, pools, guests, results: what must last (WIRT_HOME)."""
    run: str = "/run/wirt"
    """Locks, sockets, generated configuration: what may vanish at a reboot (WIRT_RUN)."""
    etc: str = "/etc/wirt"
    """What a person may write (WIRT_ETC)."""

    @property
    def tag(self) -> str:
        """Return the letters that this home's kernel objects carry."""
        return home_tag(self.data)

    @property
    def second(self) -> "Home":
        """Return the home that a command of this one makes for guests to go to, and takes away again."""
        return Home(data=f"{self.data}/second", run=f"{self.run}/second", etc=self.etc)

    @property
    def database(self) -> str:
        """Return the path of the state."""
        return f"{self.data}/wirt.db"

    @property
    def templates(self) -> str:
        """Return the directory of the built templates."""
        return f"{self.data}/templates"

    @property
    def results(self) -> str:
        """Return the directory of the runs."""
        return f"{self.data}/results"

    @property
    def migrations(self) -> str:
        """Return the directory of what became of guests that went to other nodes."""
        return f"{self.data}/migrations"

    def pool(self, name: str) -> str:
        """Return the directory of a pool."""
        return f"{self.data}/pools/{name}"

    def guest(self, guest_id: str) -> str:
        """Return the directory of a guest's own things: its log."""
        return f"{self.data}/guests/{guest_id}"

    def checkpoint(self, guest_id: str, name: str) -> str:
        """Return the directory of what a guest's memory held at a snapshot."""
        return f"{self.guest(guest_id)}/checkpoint-{name}"

    def devices(self, guest_id: str) -> str:
        """Return the directory of the files for devices that a running guest is given.

        Not below ``run``: on most nodes device files mean nothing there. Nor in the guest's directory, which is closed to
        its own root.
        """
        return f"{self.data}/devices/{guest_id}"

    def guest_run(self, guest_id: str) -> str:
        """Return the directory of a running guest's sockets and configuration."""
        return f"{self.run}/guests/{guest_id}"

    @property
    def siege(self) -> str:
        """Return the directory that Siege takes for a person's home while it measures."""
        return f"{self.run}/siege"

    def lock(self, name: str) -> str:
        """Return the path of a lock."""
        return f"{self.run}/locks/{name}"

    def place(self, guest_id: str) -> Place:
        """Return where a guest's traces are."""
        return Place(
            name=kernel_name(self.tag, guest_id),
            run_dir=self.guest_run(guest_id),
            log=f"{self.guest(guest_id)}/console.log",
        )
