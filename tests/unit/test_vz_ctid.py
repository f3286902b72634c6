"""CTIDs: every guest has one, and is found by it."""

from pathlib import Path

import pytest
from tests import fakes
from tests.guests import make_guest

from wirt.dialects.vz import ctid
from wirt.dialects.vz.codes import Refused
from wirt.ops.context import Context
from wirt.ops.create import CreateRequest, create
from wirt.state.memory import MemoryStore


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return fakes.open_context(tmp_path, MemoryStore())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"number": 101}, 101),
        ({"number": 101, "name": "102"}, 101),
        ({"name": "102"}, 102),
        ({"name": "0102"}, 1_000_000_001),
        ({"name": "1000000000"}, 1_000_000_001),
        ({}, 1_000_000_001),
    ],
)
def test_ctid_is_the_number_or_the_name_or_follows_from_the_id(
    changes: dict[str, object], expected: int
) -> None:
    assert ctid.ctid_of(make_guest(1, **changes)) == expected


def test_greatest_derived_ctid_is_one_that_vzctl_takes() -> None:
    assert ctid.ctid_of(make_guest(0xFFFFFF)) <= 2_147_483_644


@pytest.mark.parametrize("text", ["0", "-1", "1000000000", "0101", "1e3", "web", "", "9" * 30])
def test_ctid_that_nobody_can_give_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=f"Bad CT ID {text}") as refused:
        ctid.check_new(text)

    assert refused.value.exit_code == 21


def test_guest_is_found_by_ctid_and_by_name(context: Context) -> None:
    web = create(context, CreateRequest(name="web", template="tiny", approach="fake", number=101))
    other = create(context, CreateRequest(name="other", template="tiny", approach="fake"))

    assert ctid.find(context, "101").id == ctid.find(context, "web").id == web.id
    assert ctid.find(context, str(ctid.ctid_of(other))).id == other.id
    for text, code in (("102", 14), ("shop", 21), (str(1_000_000_000 + int(web.id, 16)), 14)):
        with pytest.raises(Refused) as refused:
            ctid.find(context, text)
        assert refused.value.exit_code == code
