"""A guest's file systems, held still by its own kernel at the agent's word: what is on the disk then is complete.

A mark in the private directory says that it was asked for, so that whoever finds the guest after a crash lets it go on.
"""

import os

from wirt.approaches.ownkernel import open_agent, private_directory
from wirt.host import files
from wirt.model.guest import Handle
from wirt.model.launch import Place

_MARK = "flushed"
_SECONDS = 10.0


def flush(place: Place, handle: Handle) -> None:
    """Have everything written that is to be on the disk, and nothing more until ``release``.

    Raises:
        Error: the agent does not answer, or could not.
    """
    with open_agent(place, handle, _SECONDS) as agent:
        files.write(_path(place), "")
        try:
            agent.call("guest-fsfreeze-freeze", timeout=_SECONDS)
        except BaseException:
            agent.call("guest-fsfreeze-thaw", timeout=_SECONDS)
            os.unlink(_path(place))
            raise


def release(place: Place, handle: Handle) -> None:
    """Let the guest write again; an agent that does not answer has nothing to release."""
    if not is_flushed(place):
        return
    try:
        with open_agent(place, handle, _SECONDS) as agent:
            agent.call("guest-fsfreeze-thaw", timeout=_SECONDS)
    finally:
        os.unlink(_path(place))


def is_flushed(place: Place) -> bool:
    """Return whether the guest was asked to write nothing more, and not released."""
    return os.path.exists(_path(place))


def _path(place: Place) -> str:
    return os.path.join(private_directory(place), _MARK)
