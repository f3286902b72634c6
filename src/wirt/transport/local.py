"""The way to a second home on this machine, in a network of its own if it has one.

The network alone is entered. A mount namespace of its own would have to outlast the session, because what it mounted there
nobody else would see; so nothing of Wirt asks /sys for interfaces, which shows those of the network it was mounted in.
"""

import errno
import os
import sys

from wirt.host import files
from wirt.model.node import Node
from wirt.transport.program import ProgramLink, Way


class LocalLink(ProgramLink):
    """The way to a home on this machine."""

    def give(self, source: str, target: str) -> int:
        """Give the same files a second name, if both homes are on one file system."""
        try:
            files.link_tree(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return super().give(source, target)
        return 0


def link(node: Node) -> ProgramLink:
    """Return the way to a node on this machine."""
    enter = ("nsenter", f"--net={node.netns}") if node.netns else ()
    entry = "from wirt.cli.entry import entry; entry()"
    # What tells tests' processes where to die, and a person's where to debug, holds over there too.
    ours = {key: value for key, value in os.environ.items() if key.startswith("WIRT_")}
    places = {"WIRT_HOME": node.home or "", "WIRT_RUN": node.run or f"{node.home}/run"}
    return LocalLink(
        node.name,
        Way(serve=(*enter, sys.executable, "-c", entry, "serve-node")),
        {**ours, **places},
    )
