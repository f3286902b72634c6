"""Whether a guest can be told of the way out of a routed card."""

from wirt.approaches.base import Needs
from wirt.errors import Unsupported


def check_routable(name: str, approach: str, needs: Needs) -> None:
    """Check that a guest under an approach can have a routed card.

    Raises:
        Unsupported: it cannot.
    """
    if not needs.routed:
        raise Unsupported(
            f"guest {name} cannot have a routed card: approach {approach} does not "
            "tell it of a gateway that is on none of its networks",
            hint="use the approach lxc",
        )
