import pytest

from wirt.errors import Unsupported
from wirt.host import run

MISSING = "no-such-program-of-ours"


def test_program_that_is_fed_and_missing_is_said_to_be_missing() -> None:
    with pytest.raises(Unsupported) as refused, run.feeding([MISSING]):
        pass

    assert refused.value.message == f"the program {MISSING} is not installed"
    assert refused.value.hint == "run wirt doctor to see what to install"


def test_program_that_is_read_from_and_missing_is_said_to_be_missing() -> None:
    with pytest.raises(Unsupported) as refused, run.streaming([MISSING]):
        pass

    assert refused.value.message == f"the program {MISSING} is not installed"
