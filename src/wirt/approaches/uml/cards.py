"""Cards of a User-Mode Linux guest: the same on its command line as put in while it runs.

A card is a device of the vector driver, which is built into the kernel, on a tap device. It has the card's number, so ``vec1`` is
always the same card.

Source: arch/um/drivers/vector_kern.c and mconsole_kern.c of Linux 6.1.
"""

from collections.abc import Callable

from wirt.approaches.uml import mconsole
from wirt.errors import Failed
from wirt.model.resources import Nic

INTERFACE = "vec"
"""What the guest's kernel calls a card, before its number."""


def argument(nic: Nic) -> str:
    """Return the argument, or what the management console is told, that makes a card."""
    return f"{_name(nic)}:transport=tap,ifname={nic.interface},mac={nic.mac}"


def attach(directory: str, nic: Nic) -> bool:
    """Put a card into a running guest, whose tap device is there, and return whether it had not got it yet.

    Raises:
        Failed: its kernel did not take it; says why.
    """
    try:
        mconsole.ask(directory, f"config {argument(nic)}")
    except Failed as error:
        # It cannot be asked what it has.
        if "already configured" not in error.message:
            raise
        return False
    return True


def detach(directory: str, nic: Nic, *, set_down: Callable[[], None]) -> None:
    """Take a card out of a running guest; no error if it has not got it.

    Args:
        directory: of its management console.
        nic: the card.
        set_down: has the guest set it down, or its kernel gives it up no more than a file that is open.

    Raises:
        Failed: the guest did not set it down, or its kernel refused.
    """
    try:
        _remove(directory, nic)
    except Failed as error:
        if "currently open" not in error.message:
            raise
        set_down()
        _remove(directory, nic)


def _remove(directory: str, nic: Nic) -> None:
    try:
        mconsole.ask(directory, f"remove {_name(nic)}")
    except Failed as error:
        if "doesn't exist" not in error.message:
            raise


def _name(nic: Nic) -> str:
    return f"{INTERFACE}{nic.number}"
