"""A frozen container that is dumped: it stands still before, meanwhile and afterwards.

What is frozen is the group of the container and its monitor. CRIU can be given a group that is frozen: it lets it thaw once it holds
its processes still itself, and freezes it again before it lets go of them. That must be the container's alone, as CRIU holds on to
all processes of the group. So for as long as the dump lasts the inner group is frozen in the place of the outer one.
"""

from wirt.approaches.lxc import control
from wirt.host.cgroup import Cgroup
from wirt.model.launch import Place


def is_still(place: Place) -> bool:
    """Return whether a container is frozen."""
    return Cgroup(place.name).is_freezing()


def narrow(place: Place) -> str:
    """Have a frozen container be frozen by its own group, and return that group's directory.

    Raises:
        Failed, TimedOut: it could not be; it is frozen as it was.
    """
    inner = _inner(place)
    inner.freeze()
    Cgroup(place.name).thaw()
    return str(inner.freezer())


def widen(place: Place) -> None:
    """Undo that, whatever CRIU has made of it; no error if the container has ended."""
    outer, inner = Cgroup(place.name), _inner(place)
    if inner.is_populated():
        outer.freeze()
        inner.thaw()


def freezers(place: Place) -> dict[str, str]:
    """Return the files by one of which a container's own group is frozen once it is there, and what is written to them."""
    return _inner(place).freezers()


def _inner(place: Place) -> Cgroup:
    return Cgroup(control.payload_group(place.name))
