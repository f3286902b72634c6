"""Who takes a domain away when it has ended: a shell that hears of it from Xen's store.

``xl`` has one of its own, but that ends as soon as a domain's memory is written down, whether the domain goes on or not, and nobody could
put another in its place.
"""

import os
import time
from collections.abc import Sequence

from wirt.approaches import ownkernel
from wirt.errors import Failed
from wirt.host import process, run
from wirt.host.run import ENVIRONMENT

MARK = "held"
"""Name of a file beside the configuration: as long as it is there, a domain that has stopped is being written down."""

_START_SECONDS = 10.0
_LOOK_SECONDS = 0.05

_SCRIPT = """\
xenstore-watch @releaseDomain | {
    while read -r _; do
        while [ -e "$2" ]; do sleep 0.2; done
        # Below a line with the columns' names: Name, ID, Mem, VCPUs, State, Time(s).
        state=$(xl list "$1" 2>/dev/null | { read -r _; read -r _ _ _ _ state _; echo "$state"; })
        case $state in
        "") xl domid "$1" >/dev/null 2>&1 || break ;;
        *[scd]*) xl destroy "$1"; break ;;
        esac
    done
    # Itself, and what still watches.
    kill -- -$$
}
"""


def start(config: str, name: str, *, entrances: Sequence[str]) -> int:
    """Start a domain's keeper, in the background and in its control group, and return its process id.

    Args:
        config: path of the domain's configuration, by which its keeper is known.
        name: the domain's.
        entrances: of the group.

    Raises:
        Failed: it has ended at once.
    """
    mark = os.path.join(os.path.dirname(config), MARK)
    enter = ["/bin/sh", "-c", ownkernel.ENTER, "sh", *entrances, "--"]
    run.spawn(
        ["/usr/bin/setsid", "--fork", *enter, "/bin/sh", "-c", _SCRIPT, "sh", name, mark, config],
        environment=dict(ENVIRONMENT),
    ).wait()
    return find(config, name)


def find(config: str, name: str) -> int:
    """Return the process id of a domain's keeper.

    Raises:
        Failed: it has none.
    """
    deadline = time.monotonic() + _START_SECONDS
    # One that is just being executed has no arguments for a moment.
    while not (keepers := process.find_by_argument(config)):
        if time.monotonic() > deadline:
            raise Failed(f"domain {name} has no process that keeps it", hint="see xl list")
        time.sleep(_LOOK_SECONDS)
    return keepers[0]
