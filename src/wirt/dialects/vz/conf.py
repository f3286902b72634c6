"""Where the vz commands keep configuration: ``vz.conf``, samples, and a ``CTID.conf`` for each guest.

``vz.conf`` and samples are a person's, in ``vz`` below WIRT_ETC; what is not there comes with Wirt. A ``CTID.conf`` belongs
to a guest, so it lies in ``vz/conf`` below WIRT_HOME: two homes on a node have two containers 101.
"""

import os
from contextlib import AbstractContextManager, suppress

from wirt.console import output
from wirt.dialects.vz.codes import Code, Refused, ends_with
from wirt.dialects.vz.configfile import ConfigFile, parse_config, render_config
from wirt.dialects.vz.ctid import ctid_of
from wirt.errors import InvalidInput
from wirt.host import files
from wirt.host import lock as files_lock
from wirt.model.guest import Guest
from wirt.model.home import Home
from wirt.ops.context import LOCK_SECONDS

SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "etc")
ACTIONS = ("premount", "mount", "umount", "postumount", "start", "stop")
"""What scripts beside a container's file are for."""
_SAMPLE_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def read_global(home: Home) -> ConfigFile:
    """Return ``vz.conf``: a person's, or the one that comes with Wirt.

    Raises:
        Refused: it cannot be read.
    """
    with ends_with(Code.NO_GLOBAL_CONFIG):
        own = _read(os.path.join(home.etc, "vz", "vz.conf"))
        return own or _read(os.path.join(SHIPPED, "vz.conf")) or ConfigFile()


def read_sample(home: Home, name: str, *, code: Code = Code.SAMPLE) -> ConfigFile:
    """Return the sample of a name.

    Raises:
        Refused: there is none of that name, or it cannot be read.
    """
    with ends_with(code):
        own = path_of_sample(home, name)
        found = _read(own) or _read(os.path.join(SHIPPED, os.path.basename(own)))
        if found is not None:
            return found
    raise Refused(code, f"Sample config file not found: {os.path.basename(own)}")


def path_of_sample(home: Home, name: str) -> str:
    """Return where a person's sample of a name is, or would be.

    Raises:
        InvalidInput: it is no name of one.
    """
    if not name or not set(name) <= _SAMPLE_LETTERS:
        raise InvalidInput(
            f"{name!r} is no name of a sample",
            hint="use letters, digits, dots, hyphens and underscores",
        )
    return os.path.join(home.etc, "vz", "conf", f"ve-{name}.conf-sample")


def template_of(home: Home, name: str) -> str:
    """Return the template that is meant by a name, which may be another's: see OSTEMPLATE_ALIASES."""
    pairs = (read_global(home).get("OSTEMPLATE_ALIASES") or "").split()
    return dict(pair.partition("=")[::2] for pair in pairs).get(name, name)


def path_of(home: Home, ctid: int) -> str:
    """Return where a guest's configuration is."""
    return os.path.join(home.data, "vz", "conf", f"{ctid}.conf")


def read_config(home: Home, ctid: int) -> ConfigFile:
    """Return a guest's configuration; an empty one if the vz commands never wrote any.

    Raises:
        Refused: it cannot be read.
    """
    with ends_with(Code.INVALID_CONFIG):
        return _read(path_of(home, ctid)) or ConfigFile()


def read_or_warn(home: Home, ctid: int) -> ConfigFile:
    """Return the same for a command that is about many guests: a file that cannot be read is said, and as if it were not there."""
    try:
        return read_config(home, ctid)
    except Refused as error:
        output.note(f"Warning: {error}")
        return ConfigFile()


def write_config(home: Home, ctid: int, config: ConfigFile) -> str:
    """Keep a guest's configuration and return its path.

    Raises:
        Refused: it cannot be written.
    """
    path = path_of(home, ctid)
    with ends_with(Code.SAVE), files.translated("save the configuration"):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        files.write_atomically(path, render_config(config).encode())
    return path


def lock(home: Home) -> AbstractContextManager[None]:
    """Hold the lock between looking whether there is a container and writing its file.

    Raises:
        Busy: another command held it for too long.
    """
    return files_lock.hold(home.lock("vz"), "the list of containers", wait=LOCK_SECONDS)


def remove(home: Home, ctid: int) -> None:
    """Delete the configuration of a guest that has not been made; no error if there is none."""
    with files.translated("remove the configuration"), suppress(FileNotFoundError):
        os.unlink(path_of(home, ctid))


def is_there(home: Home, ctid: int) -> bool:
    """Return whether the vz commands have written a guest's configuration."""
    return os.path.exists(path_of(home, ctid))


def put_aside(home: Home, ctid: int, what: str = "destroyed") -> None:
    """Keep the configuration of a guest that is gone, and its scripts, as ``CTID.conf.destroyed``, or whatever it is, as vzctl does."""
    stem = path_of(home, ctid).removesuffix("conf")
    for kind in ("conf", *ACTIONS):
        with files.translated("put the configuration aside"), suppress(FileNotFoundError):
            os.rename(f"{stem}{kind}", f"{stem}{kind}.{what}")


def put_aside_of(home: Home, guest: Guest) -> None:
    """Do that for a guest that was destroyed otherwise than by vzctl."""
    put_aside(home, ctid_of(guest))


def _read(path: str) -> ConfigFile | None:
    with files.translated(f"read {path}"):
        try:
            # As bytes, so that line ends stay what they are.
            with open(path, "rb") as file:
                text = file.read().decode()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise InvalidInput(f"{path} is no text", hint="write it anew") from None
    return parse_config(text, name=path)
