"""Whether a guest's root, who is nobody on the node, may pass to its files."""

import os

from wirt.errors import Unsupported
from wirt.model.home import Home

_PASSES = 0o001


def check_way(home: Home, name: str) -> None:
    """Check that everybody may pass through the directories that lead to a home.

    Raises:
        Unsupported: one of them is for its owner alone.
    """
    for place in (home.data, home.run):
        directory = place
        while directory != "/":
            directory = os.path.dirname(directory)
            if not os.stat(directory).st_mode & _PASSES:
                raise Unsupported(
                    f"guest {name} could not reach its root: its own root is nobody on the node, and nobody may pass "
                    f"through {directory} to {place}",
                    hint=f"chmod o+x {directory}, or choose another place with WIRT_HOME and WIRT_RUN",
                )
