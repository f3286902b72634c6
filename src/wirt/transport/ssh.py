"""The way to a home on another machine, by ssh.

Who the other machine is, ssh itself makes sure of: a host whose key is not known is refused, and nobody is asked anything.
"""

import os
import shlex

from wirt.model.node import Node
from wirt.transport.program import ProgramLink, Way

_CAREFUL = (
    "-oBatchMode=yes",
    "-oStrictHostKeyChecking=yes",
    "-oConnectTimeout=5",
    # A link that is cut is noticed by either side, and not only when it has something to say.
    "-oServerAliveInterval=5",
    "-oServerAliveCountMax=3",
)


def careful_shell(options: tuple[str, ...]) -> tuple[str, ...]:
    """Return ssh as it is begun here; the first value of an option counts, so a person's own come before ours."""
    return ("ssh", *options, *_CAREFUL)


def link(node: Node) -> ProgramLink:
    """Return the way to a node that ssh reaches."""
    assert node.ssh is not None
    shell = careful_shell(node.ssh_options)
    places = {"WIRT_HOME": node.home, "WIRT_RUN": node.run}
    there = ["env", *(f"{key}={value}" for key, value in places.items() if value)]
    command = shlex.join([*there, *shlex.split(node.program), "serve-node"])
    own = {key: os.environ[key] for key in ("HOME", "SSH_AUTH_SOCK") if key in os.environ}
    return ProgramLink(
        node.name,
        Way(serve=(*shell, "--", node.ssh, command), shell=shell, host=node.ssh),
        own,
    )
