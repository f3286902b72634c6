from pathlib import Path

import msgspec

from wirt.model.resources import Nic, NicKind
from wirt.network import filter as rules

GOLDEN = Path(__file__).parents[1] / "golden" / "filter"


def card(guest_id: str, address: str, *further: str) -> Nic:
    digits = ":".join(guest_id[place : place + 2] for place in range(0, 6, 2))
    return Nic(
        kind=NicKind.VETH,
        interface=f"wabcd{guest_id}",
        bridge="wirt-abcd",
        mac=f"02:0a:bc:{digits}",
        address=address,
        prefix=20,
        gateway="10.64.16.1",
        further=further,
        has_ipv6=bool(further),
    )


WEB = card("12ab34", "10.64.16.2", "fd12:3456:789a::a40:1002/64", "10.64.16.9/20")
DB = card("00ff00", "10.64.16.3")


def test_table_of_two_cards_is_the_golden_one() -> None:
    text = rules.build_table("wirt-abcd", "wabcd", [WEB, DB])

    assert text == (GOLDEN / "table.nft").read_text()


def test_confinement_is_the_golden_one() -> None:
    assert rules.build_confinement("wirt-abcd") == (GOLDEN / "confinement.nft").read_text()


def test_removal_where_there_is_no_ipv6_asks_for_none_of_it() -> None:
    assert "ip6" not in rules.build_removal("wirt-abcd", ipv6=False)


def test_admission_is_the_golden_one() -> None:
    assert rules.build_admission("wirt-abcd", WEB) == (GOLDEN / "admission.nft").read_text()


def test_elements_of_a_card_begin_with_the_one_that_it_is_known_by() -> None:
    port, card = rules.elements(WEB)[:2]

    assert port == (rules.PORTS, '"wabcd12ab34" . 02:0a:bc:12:ab:34')
    assert card == ("cards", '"wabcd12ab34" . 02:0a:bc:12:ab:34 . 10.64.16.2')


def test_card_may_send_from_addresses_of_the_guests_others_on_its_bridge_and_claims_none_of_them() -> (
    None
):
    shared = msgspec.structs.replace(WEB, shared=("10.64.16.7/20", "fd12:3456:789a::7/64"))
    more = [one for one in rules.elements(shared) if one not in rules.elements(WEB)]
    port = '"wabcd12ab34" . 02:0a:bc:12:ab:34'

    assert more == [("shared", f"{port} . 10.64.16.7"), ("shared6", f"{port} . fd12:3456:789a::7")]


def test_removal_is_the_golden_one() -> None:
    assert rules.build_removal("wirt-abcd", ipv6=True) == (GOLDEN / "removal.nft").read_text()


def test_routed_card_is_kept_from_its_neighbours() -> None:
    routed = msgspec.structs.replace(DB, is_routed=True)

    assert ("routed", '"wabcd00ff00"') in rules.elements(routed)


def test_card_on_a_private_network_is_kept_from_the_node() -> None:
    private = msgspec.structs.replace(DB, is_private=True, interface="wabcd00ff00.1")
    commands = rules.build_admission("wirt-abcd", private)

    assert 'add element bridge wirt-abcd private { "wabcd00ff00.1" }\n' in commands
    assert "private" not in rules.build_admission("wirt-abcd", DB)
