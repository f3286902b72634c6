"""What a vz command ends with, whatever it was doing."""

import pytest

from wirt.dialects.vz.codes import Code, Refused, code_of, ends_with
from wirt.errors import Busy, Conflict, Error, Failed


@pytest.mark.parametrize("code", [Code.STOP, Code.CPU, Code.NAME, Code.MOUNT, Code.SUSPEND])
def test_locked_container_is_said_to_be_locked_whatever_is_being_done(code: Code) -> None:
    with pytest.raises(Busy) as busy, ends_with(Code.SAVE), ends_with(code, Error):
        raise Busy("guest 101 is locked by another command", hint="try again")

    assert code_of(busy.value) == 9
    assert str(busy.value) == "guest 101 is locked by another command; try again"


def test_other_errors_end_with_what_was_being_done() -> None:
    with pytest.raises(Refused) as refused, ends_with(Code.STOP):
        raise Failed("it does not end")

    assert code_of(refused.value) == 33


def test_error_of_another_kind_is_left_to_whoever_knows_it() -> None:
    with pytest.raises(Conflict), ends_with(Code.STOP, Failed):
        raise Conflict("the name is taken")
