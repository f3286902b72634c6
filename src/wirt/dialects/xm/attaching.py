"""``xm block-*`` and ``network-*``: the disks and cards of a running domain."""

from wirt import app
from wirt.console import output
from wirt.dialects.xm import sxp
from wirt.dialects.xm.call import ANY, Call
from wirt.dialects.xm.domains import find
from wirt.errors import Unsupported

_CONNECTED = 4
"""XenbusStateConnected."""
_UNKNOWN = -1
"""What xm says of a channel that there is none of."""
_CARD_HEAD = "Idx BE     MAC Addr.     handle state evt-ch tx-/rx-ring-ref BE-path"
_DISK_HEAD = "Vdev  BE handle state evt-ch ring-ref BE-path"


def list_disks(call: Call) -> int:
    """List the disks of a domain. That of its template is not one that could be attached or detached."""
    given, names = call.read({"long": "l"}, least=1)
    with app.open_context() as context:
        find(context, names[0])
    if "long" not in given:
        output.say(_DISK_HEAD)
    return 0


def list_cards(call: Call) -> int:
    """List the network cards of a domain."""
    given, names = call.read({"long": "l"}, least=1)
    with app.open_context() as context:
        domain = find(context, names[0])
        kind = context.approach(domain.guest.approach).needs.nic
        guest = domain.guest
        nic = context.network.nic(guest.id, guest.address, guest.mac, kind)
    path = f"/sys/class/net/{nic.interface}"
    if "long" in given:
        said: list[sxp.Written] = [
            ["backend-id", 0],
            ["mac", guest.mac],
            ["handle", 0],
            ["state", _CONNECTED],
        ]
        output.say(sxp.render([0, ["vif", *said, ["backend", path]]]))
        return 0
    output.say(_CARD_HEAD)
    ring = f"{_UNKNOWN:<5d}/{_UNKNOWN:<5d}"
    head = f"{0:<3d} {0:<3d}{guest.mac:<17}    {0:<3d}   {_CONNECTED:<3d}    {_UNKNOWN:<3d}   "
    output.say(f"{head}{ring}   {path:<30}  ")
    return 0


def attach_disk(call: Call) -> int:
    """Say why a running domain gets no further disk."""
    _, words = call.read(least=4, most=5)
    return _refuse(words[0], "gets no further disk")


def configure_disk(call: Call) -> int:
    """Say why a disk is not changed."""
    _, words = call.read(least=4, most=5)
    return _refuse(words[0], "has its disk as it was started with it")


def detach_disk(call: Call) -> int:
    """Say why a running domain keeps its disk."""
    _, words = call.read({"force": "f"}, least=2)
    return _refuse(words[0], "keeps its disk")


def attach_card(call: Call) -> int:
    """Say why a running domain gets no further card."""
    _, words = call.read(least=1, most=ANY)
    return _refuse(words[0], "gets no further network card")


def detach_card(call: Call) -> int:
    """Say why a running domain keeps its card."""
    _, words = call.read({"force": "f"}, least=2)
    return _refuse(words[0], "keeps its network card")


def _refuse(name: str, why: str) -> int:
    with app.open_context() as context:
        domain = find(context, name)
    raise Unsupported(
        f"Domain {domain.name} {why} while it runs: approach {domain.guest.approach} adds and takes away none"
    )
