"""Action scripts of OpenVZ: what a node's root has run beside a container's start, stop, mount and unmount.

They are programs of the node's root, and whoever may write them is root of the node: so they are run, but only if root alone
may write them. ``vps.*`` is for every container, ``CTID.*`` for one. ``start`` and ``stop`` are run in the container, the others
on the node, which shows them the mounted root. Wirt mounts a root and starts what is in it in one go: what a script mounted
there in between would not reach the container, so a start with such a script is refused rather than done without.
"""

import os
import stat

from wirt.dialects.vz import conf, ctid
from wirt.dialects.vz.codes import Code, Refused
from wirt.dialects.vz.vzctl.inside import SHELL
from wirt.host import run
from wirt.host.run import ENVIRONMENT, STANDARD
from wirt.model.guest import Guest
from wirt.ops.context import Context
from wirt.ops.script import run_script

_EVERY = "vps"
_WITH_ROOT = ("mount", "umount")
"""Actions whose scripts see the mounted root."""


def check_startable(context: Context, guest: Guest) -> None:
    """Check that a container's start wants no script that would have to see its root in between.

    Raises:
        Refused: it does.
    """
    for path in _paths(context, guest, _WITH_ROOT):
        raise Refused(
            Code.ACTION_SCRIPT,
            f"{path} cannot be run at a start: what it mounts would not reach the container",
            hint="put it aside; vzctl mount and umount run it, and what is to run in the container "
            f"can be {ctid.ctid_of(guest)}.start",
        )


def run_on_node(context: Context, guest: Guest, action: str, root: str | None = None) -> None:
    """Run the scripts of an action of mounting on the node, those of every container first.

    Raises:
        Refused: others than root may write one, or it failed.
    """
    number = ctid.ctid_of(guest)
    environment = {
        **ENVIRONMENT,
        "VEID": str(number),
        "VE_CONFFILE": conf.path_of(context.home, number),
        "VE_PRIVATE": context.home.guest(guest.id),
        **({} if root is None else {"VE_ROOT": root}),
    }
    for path in _paths(context, guest, (action,)):
        _check_own(path)
        status = run.attach([path], streams=STANDARD, environment=environment)
        if status != 0:
            raise Refused(Code.ACTION_SCRIPT, f"Error executing {path}: it ended with {status}")


def run_inside(context: Context, guest: Guest, action: str) -> None:
    """Run the script of a container's start or stop in it, if there is one.

    Raises:
        Refused: others than root may write it, or it failed.
    """
    for path in _paths(context, guest, (action,), with_every=False):
        _check_own(path)
        status = run_script(context, guest.name, path, shell=SHELL)
        if status != 0:
            raise Refused(Code.ACTION_SCRIPT, f"Error executing {path}: it ended with {status}")


def _paths(
    context: Context, guest: Guest, actions: tuple[str, ...], *, with_every: bool = True
) -> list[str]:
    """Return the scripts of actions that are there: those of every container are a person's, one's own lie beside its file."""
    own = conf.path_of(context.home, ctid.ctid_of(guest)).removesuffix(".conf")
    every = os.path.join(context.home.etc, "vz", "conf", _EVERY)
    stems = (every, own) if with_every else (own,)
    found = [f"{stem}.{action}" for action in actions for stem in stems]
    return [path for path in found if os.path.lexists(path)]


def _check_own(path: str) -> None:
    there = os.lstat(path)
    is_own = stat.S_ISREG(there.st_mode) and there.st_uid == 0 and not there.st_mode & 0o022
    if not is_own or not there.st_mode & 0o100:
        raise Refused(
            Code.ACTION_SCRIPT,
            f"{path} is not run: it must be a program that root alone may write",
            hint=f"chown root {path}; chmod 755 {path}",
        )
