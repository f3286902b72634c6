"""What xm has and nothing here can do: said so, with the reason."""

from wirt import app
from wirt.console import output
from wirt.dialects.xm.call import Call
from wirt.dialects.xm.domains import find
from wirt.dialects.xm.usage import ACCESS_CONTROL, NODE_DEVICES
from wirt.errors import Unsupported

_WHY = {
    "log": ("there is no xend, and so no log of it", "of a domain: wirt console NAME --log"),
    "serve": ("there is no xend to be reached", "other nodes are reached by wirt node"),
    "sysrq": ("no key of that kind reaches a domain's kernel", "type at its console: xm console"),
    "sched-sedf": (
        "the node's kernel shares its processors by weight",
        "xm sched-credit sets weight and cap",
    ),
    "shell": ("there is none", "type xm before each command"),
    "vncviewer": ("a domain's screen is at a socket that only root reaches", "see wirt show NAME"),
    "debug-keys": ("there is no hypervisor that reads keys", None),
    "trigger": (
        "no interrupt of that kind reaches a domain",
        "xm reset ends it and starts it anew",
    ),
    "vtpm-list": ("there is no virtual TPM", None),
    **dict.fromkeys(
        ("vnet-list", "vnet-create", "vnet-delete"),
        ("a home has one network, its bridge", "see wirt network show"),
    ),
    **dict.fromkeys(ACCESS_CONTROL, ("there is no access control module", None)),
    **dict.fromkeys(NODE_DEVICES, ("no device of the node is given to a domain", None)),
}


def refuse(call: Call) -> int:
    """Say why it cannot be done."""
    why, hint = _WHY[call.command]
    raise Unsupported(f"{call.command} cannot be done: {why}", hint=hint)


def dump_core(call: Call) -> int:
    """Say why the memory of a domain, if it is there, cannot be written into a file."""
    options = {"live": "L", "crash": "C", "reset": "R"}
    _, names = call.read(options, least=1, most=2)
    with app.open_context() as context:
        domain = find(context, names[0])
        output.say(f"Dumping core of domain: {domain.name} ...")
        raise Unsupported(
            f"the core of domain {domain.name} cannot be dumped: approach {domain.guest.approach} "
            "keeps no memory as a file that a debugger reads"
        )
