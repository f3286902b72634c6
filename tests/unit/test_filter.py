from pathlib import Path

from wirt.model.resources import Nic, NicKind
from wirt.network import filter as rules

GOLDEN = Path(__file__).parents[1] / "golden" / "filter"


def card(guest_id: str, address: str) -> Nic:
    digits = ":".join(guest_id[place : place + 2] for place in range(0, 6, 2))
    return Nic(
        kind=NicKind.VETH,
        interface=f"wabcd{guest_id}",
        bridge="wirt-abcd",
        mac=f"02:0a:bc:{digits}",
        address=address,
        prefix=20,
        gateway="10.64.16.1",
    )


WEB, DB = card("12ab34", "10.64.16.2"), card("00ff00", "10.64.16.3")


def test_table_of_two_cards_is_the_golden_one() -> None:
    text = rules.build_table("wirt-abcd", "wabcd", [WEB, DB])

    assert text == (GOLDEN / "table.nft").read_text()


def test_admission_is_the_golden_one() -> None:
    assert rules.build_admission("wirt-abcd", WEB) == (GOLDEN / "admission.nft").read_text()


def test_elements_of_a_card_begin_with_the_one_that_it_is_known_by() -> None:
    port, card = rules.elements(WEB)[:2]

    assert port == (rules.PORTS, '"wabcd12ab34" . 02:0a:bc:12:ab:34')
    assert card == ("cards", '"wabcd12ab34" . 02:0a:bc:12:ab:34 . 10.64.16.2')


def test_removal_is_the_golden_one() -> None:
    assert rules.build_removal("wirt-abcd") == (GOLDEN / "removal.nft").read_text()
