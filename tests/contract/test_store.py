"""What every store promises, asked of each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.guests import make_guest

from wirt.errors import Conflict, NotFound
from wirt.model.guest import Handle
from wirt.model.lifecycle import State
from wirt.model.pool import Phase, StoragePool
from wirt.state.base import Intent, Store
from wirt.state.memory import MemoryStore
from wirt.state.sqlite import SqliteStore

STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda directory: MemoryStore(),
    "sqlite": lambda directory: SqliteStore(str(directory / "wirt.db")),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = STORES[request.param](tmp_path)
    yield opened
    opened.close()


def intent(verb: str, number: int = 1, /, **changes: object) -> Intent:
    return Intent(guest=make_guest(number, **changes), verb=verb, began=1.0)


def test_guests_of_a_new_store_are_none(store: Store) -> None:
    assert store.guests() == []
    assert store.intents() == []
    assert store.is_empty()


def test_begin_of_create_hides_the_guest_but_takes_its_name_and_address(store: Store) -> None:
    store.begin(intent("create", ids=7))

    assert store.guests() == []
    assert store.find("web-1") == make_guest(1, ids=7)
    assert store.addresses() == {"10.64.0.1"}
    assert store.ids() == {7}
    assert not store.is_empty()


def test_begin_of_run_hides_the_guest(store: Store) -> None:
    store.begin(intent("run"))

    assert store.guests() == []


def test_settle_of_create_shows_the_guest_and_strikes_the_intent(store: Store) -> None:
    store.begin(intent("create"))
    store.settle("000001", make_guest(1))

    assert store.guests() == [make_guest(1)]
    assert store.intents() == []
    assert store.intent("000001") is None


def make(store: Store, number: int, /, **changes: object) -> None:
    store.begin(intent("create", number, **changes))
    store.settle(f"{number:06x}", make_guest(number, **changes))


def test_find_knows_a_guest_by_its_number_too_and_its_name_first(store: Store) -> None:
    make(store, 1, number=101)
    make(store, 2, name="102")

    assert store.find("101").name == "web-1"
    assert store.find("102").id == "000002"
    for other in ("0101", "103", "10" * 20):
        with pytest.raises(NotFound, match=f"there is no guest {other}"):
            store.find(other)


@pytest.mark.parametrize("changes", [{"number": 101}, {"name": "101"}])
def test_two_guests_are_never_found_by_one_number(store: Store, changes: dict[str, object]) -> None:
    make(store, 1, number=101)
    said = "guest web-1 is found by the number 101 already"
    with pytest.raises(Conflict, match=said):
        store.begin(intent("create", 2, **changes))
    make(store, 2)
    with pytest.raises(Conflict, match=said):
        store.settle("000002", make_guest(2, **changes))

    assert [guest.name for guest in store.guests()] == ["web-1", "web-2"]


def test_a_guest_may_have_its_own_number_for_a_name(store: Store) -> None:
    make(store, 1, name="101", number=101)
    store.settle("000001", make_guest(1, name="shop", number=101))
    store.settle("000001", make_guest(1, name="101", number=101))

    assert store.find("101").id == "000001"
    with pytest.raises(Conflict, match="guest 101 is found by the number 101 already"):
        store.begin(intent("create", 2, number=101))


def test_number_of_another_is_the_one_that_is_told_and_not_its_own(store: Store) -> None:
    make(store, 1, number=101)
    make(store, 2, name="105", number=105)
    said = "guest web-1 is found by the number 101 already"

    with pytest.raises(Conflict, match=said):
        store.settle("000002", make_guest(2, name="101", number=105))


def test_settle_with_none_forgets_the_guest(store: Store) -> None:
    store.begin(intent("create"))
    store.settle("000001", None)

    assert store.is_empty()
    assert store.addresses() == set()


def test_settle_with_a_taken_name_is_refused_and_changes_nothing(store: Store) -> None:
    for number in (1, 2):
        store.begin(intent("create", number))
        store.settle(f"{number:06x}", make_guest(number))
    with pytest.raises(Conflict, match="there is a guest web-1 already"):
        store.settle("000002", make_guest(2, name="web-1"))

    assert [guest.name for guest in store.guests()] == ["web-1", "web-2"]


def test_settle_of_nothing_known_is_no_error(store: Store) -> None:
    store.settle("00dead", None)

    assert store.is_empty()


def test_begin_of_a_later_verb_keeps_the_guest_as_it_was(store: Store) -> None:
    store.begin(intent("create"))
    store.settle("000001", make_guest(1))
    store.begin(intent("start", state=State.RUNNING))

    assert store.guests() == [make_guest(1)]
    assert [found.verb for found in store.intents()] == ["start"]


def test_begin_twice_for_one_guest_keeps_the_later(store: Store) -> None:
    store.begin(intent("create"))
    store.settle("000001", make_guest(1))
    store.begin(intent("start"))
    store.begin(intent("destroy"))

    assert store.intent("000001") == intent("destroy")


def test_begin_with_a_taken_name_is_refused_and_changes_nothing(store: Store) -> None:
    store.begin(intent("create"))
    store.settle("000001", make_guest(1))
    with pytest.raises(Conflict) as caught:
        store.begin(intent("create", 2, name="web-1"))

    assert str(caught.value) == (
        "there is a guest web-1 already; choose another name or destroy it first: "
        "wirt destroy web-1"
    )
    assert store.intents() == []
    assert store.guests() == [make_guest(1)]


def test_begin_with_a_taken_address_is_refused_and_names_its_holder(store: Store) -> None:
    store.begin(intent("create"))
    with pytest.raises(Conflict) as caught:
        store.begin(intent("create", 2, address="10.64.0.1"))

    assert str(caught.value) == (
        "address 10.64.0.1 is in use by guest web-1; choose another or leave it out"
    )
    assert store.addresses() == {"10.64.0.1"}


def test_guests_are_sorted_by_name(store: Store) -> None:
    for number, name in ((1, "c"), (2, "a"), (3, "b")):
        store.begin(intent("create", number, name=name))
        store.settle(f"{number:06x}", make_guest(number, name=name))

    assert [guest.name for guest in store.guests()] == ["a", "b", "c"]


def test_settle_with_a_handle_gives_it_back(store: Store) -> None:
    running = make_guest(1, state=State.RUNNING, handle=Handle(pid=7, started=9), boot="b")
    store.begin(intent("create"))
    store.settle("000001", running)

    assert store.find("web-1") == running


def test_find_of_an_unknown_name_says_where_to_look(store: Store) -> None:
    with pytest.raises(NotFound) as caught:
        store.find("web-9")

    assert str(caught.value) == "there is no guest web-9; see wirt list"


def test_keep_keeps_the_first_value(store: Store) -> None:
    kept = [store.keep("subnet", "10.64.0.0/20"), store.keep("subnet", "10.65.0.0/20")]

    assert kept == ["10.64.0.0/20", "10.64.0.0/20"]
    assert store.setting("subnet") == "10.64.0.0/20"
    assert store.setting("other") is None


def test_pools_are_kept_by_name_each_once_and_forgotten(store: Store) -> None:
    made = StoragePool(name="fast", kind="btrfs", path="/fast", size=1, uuid="u", created=1.0)
    for pool in (
        msgspec.structs.replace(made, phase=Phase.MAKING),
        msgspec.structs.replace(made, name="big"),
        made,
    ):
        store.put_pool(pool)
    kept = store.pools()
    for _ in range(2):
        store.drop_pool("big")

    assert kept == [msgspec.structs.replace(made, name="big"), made]
    assert store.pools() == [made]
    assert store.setting("fast") is None
    assert store.is_empty()


def test_values_of_a_store_are_whole(store: Store) -> None:
    everything = make_guest(1)
    store.begin(intent("create"))
    store.settle("000001", everything)

    assert msgspec.json.encode(store.find("web-1")) == msgspec.json.encode(everything)


@pytest.mark.parametrize("verb", ["create", "run"])
def test_begin_with_the_id_of_another_guest_is_refused_and_keeps_it(
    store: Store, verb: str
) -> None:
    store.begin(intent("create"))
    store.settle("000001", make_guest(1))
    with pytest.raises(Conflict) as caught:
        store.begin(intent(verb, name="other", address="10.64.0.9"))

    assert str(caught.value) == "guest id 000001 is that of guest web-1; try again"
    assert store.guests() == [make_guest(1)]
    assert store.intents() == []


def test_made_from_counts_guests_under_way(store: Store) -> None:
    store.begin(intent("create", 1))
    store.settle("000001", make_guest(1))
    store.begin(intent("run", 2))

    assert store.made_from(make_guest(1).template) == ["web-1", "web-2"]
    assert store.made_from("another") == []


def test_setting_that_is_changed_is_what_it_was_changed_to(store: Store) -> None:
    kept = store.keep("outbound", "closed")
    for value in ("opening", "open"):
        store.change("outbound", value)
    store.change("other", "x")

    assert kept == "closed"
    assert store.setting("outbound") == "open"
    assert store.setting("other") == "x"
