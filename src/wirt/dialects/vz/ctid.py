"""Container ids: the numbers that OpenVZ knows its containers by, and the guests that they mean.

A guest that ``vzctl create`` makes keeps its CTID for good, whatever it is called. One that was made otherwise and whose
name is a number has that; any other has one that follows from its id. So every guest has one, no two have the same, and
none has to be handed out or kept. See docs/design on CTIDs.
"""

from wirt.dialects.vz.codes import Code, Refused
from wirt.errors import NotFound
from wirt.model.guest import Guest
from wirt.model.names import number_in
from wirt.ops.context import Context

LAST = 999_999_999
"""The greatest CTID that a person can give."""
_DERIVED = LAST + 1
"""CTIDs from here on follow from a guest's id, which has six hexadecimal digits: vzctl takes numbers up to 2147483644."""
_IDS = 16**6


def ctid_of(guest: Guest) -> int:
    """Return the CTID of a guest."""
    if guest.number is not None:
        return guest.number
    named = number_in(guest.name)
    return named if named is not None and named <= LAST else _DERIVED + int(guest.id, 16)


def check_new(text: str) -> int:
    """Return the CTID that a guest is to be made with.

    Raises:
        Refused: it is no number, or none that a person can give.
    """
    number = number_in(text)
    if number is None or number > LAST:
        raise _bad(text)
    return number


def find(context: Context, text: str) -> Guest:
    """Return the guest of a CTID or a name, as its row has it.

    Raises:
        Refused: there is none.
    """
    number = number_in(text)
    if number is not None and _DERIVED <= number < _DERIVED + _IDS:
        wanted = f"{number - _DERIVED:06x}"
        for guest in context.store.guests():
            if guest.id == wanted and ctid_of(guest) == number:
                return guest
    try:
        return context.store.find(text)
    except NotFound:
        if number is None:
            raise _bad(text) from None
        raise Refused(Code.NO_CONFIG, "Container config file does not exist") from None


def _bad(text: str) -> Refused:
    return Refused(Code.VALUE, f"Bad CT ID {text}")
