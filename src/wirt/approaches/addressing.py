"""What ``ip`` is told of a card's addresses, inside: of a container from the node, of a guest with its own kernel by its agent."""

from wirt.model.resources import Nic

USUAL_MTU = 1500


def set_up(nic: Nic, act: str) -> list[str]:
    """Return what gives a card its MTU and its addresses; with ``replace`` that can be done again, with ``add`` not."""
    return [
        *set_mtu(nic.name, nic),
        f"link set {nic.name} up",
        *(address(act, one, nic.name) for one in nic.addresses),
    ]


def change(before: Nic, after: Nic, *, mtu: int) -> list[str]:
    """Return what gives a card other addresses and another MTU; all of it can be done again."""
    name = after.name
    gone = [one for one in before.addresses if one not in after.addresses]
    return [
        f"link set {name} mtu {mtu}",
        # Once more what is to go: there is no deleting of what may not be there.
        *(address("replace", one, name) for one in (*after.addresses, *gone)),
        *(address("delete", one, name) for one in gone),
    ]


def address(act: str, address: str, name: str) -> str:
    """Return what does something to an address of a card; nobody else has it, the filter sees to that."""
    how = " nodad" if ":" in address else ""
    if not how and not address.endswith("/32"):
        how = " broadcast +"
    return f"address {act} {address}{how} dev {name}"


def set_mtu(end: str, nic: Nic) -> list[str]:
    """Return what gives an end of a card its MTU, if it has one of its own."""
    return [f"link set {end} mtu {nic.mtu}"] if nic.mtu else []
