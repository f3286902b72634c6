"""A machine whose root is to be a guest's, as data: this one, or another that ssh reaches."""

import msgspec

from wirt.errors import InvalidInput


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that runs, and stays as it is."""

    ssh: str | None = None
    """USER@HOST; None: it is this one."""
    ssh_options: tuple[str, ...] = ()
    """Given to ssh as they are."""
    root: str = "/"
    """Where its root is."""

    @property
    def place(self) -> str:
        """Return what it is called in messages."""
        return self.root if self.ssh is None else f"{self.ssh}:{self.root}"


def parse_machine(text: str, ssh_options: tuple[str, ...] = ()) -> Machine:
    """Return the machine that a person has written: a directory, USER@HOST, or USER@HOST:DIRECTORY.

    Raises:
        InvalidInput: it is none of these.
    """
    host, _, path = ("", "", text) if text.startswith("/") else text.partition(":")
    root = path or "/"
    if host.startswith("-") or not (host or path) or not root.startswith("/"):
        raise InvalidInput(
            f"{text!r} is no machine",
            hint="write / for this one, or USER@HOST for another that ssh reaches",
        )
    if not host and ssh_options:
        raise InvalidInput(
            f"{text} is on this machine and not reached by ssh", hint="leave --ssh-option out"
        )
    return Machine(ssh=host or None, ssh_options=ssh_options, root=root)


def path_below(machine: Machine, path: str) -> str:
    """Return a path of a machine's as it is called below its root, such as ./home.

    Raises:
        InvalidInput: it is no absolute path.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not path.startswith("/") or ".." in parts or not parts:
        raise InvalidInput(
            f"{path!r} is no path in {machine.place}",
            hint="give it from its root on, such as /home",
        )
    return "./" + "/".join(parts)
