import subprocess
from collections.abc import Iterator

import pytest

from wirt.errors import Failed
from wirt.host import nftset

pytestmark = pytest.mark.usefixtures("root_user")

PORT = ("ports", '"wtest12ab34" . 02:0a:bc:12:ab:34')
CARD = ("cards", f"{PORT[1]} . 10.64.16.2")


@pytest.fixture
def table() -> Iterator[str]:
    name = "wirt-test-nftset"
    sets = "set ports { type ifname . ether_addr; }; set cards { type ifname . ether_addr . ipv4_addr; };"
    subprocess.run(["nft", f"table bridge {name} {{ {sets} }}"], check=True)
    yield name
    subprocess.run(["nft", "delete", "table", "bridge", name], check=True)


def listed(table: str) -> str:
    said = subprocess.run(
        ["nft", "list", "table", "bridge", table], check=True, capture_output=True, text=True
    )
    return said.stdout


def test_added_elements_are_what_nft_shows(table: str) -> None:
    nftset.add(table, [PORT, CARD])
    nftset.add(table, [PORT, CARD])

    assert f"elements = {{ {PORT[1]} }}" in listed(table)
    assert f"elements = {{ {CARD[1]} }}" in listed(table)
    assert nftset.holds(table, PORT)
    assert nftset.holds(table, CARD)


def test_deleted_elements_are_gone_from_the_begin_of_the_block(table: str) -> None:
    nftset.add(table, [PORT, CARD])
    with nftset.deleting(table, [PORT, CARD]):
        assert "elements" not in listed(table)

    assert not nftset.holds(table, PORT)


def test_elements_that_are_gone_do_not_keep_the_others(table: str) -> None:
    nftset.add(table, [CARD])
    with nftset.deleting(table, [PORT, CARD]):
        pass

    assert not nftset.holds(table, CARD)


def test_table_that_is_not_there_holds_nothing_and_takes_nothing() -> None:
    with nftset.deleting("wirt-test-none", [PORT]):
        pass

    assert not nftset.holds("wirt-test-none", PORT)
    with pytest.raises(Failed) as caught:
        nftset.add("wirt-test-none", [PORT])
    assert (
        str(caught.value)
        == "cannot add to the packet filter wirt-test-none: No such file or directory"
    )


def test_one_element_that_cannot_be_added_keeps_the_others_out(table: str) -> None:
    with pytest.raises(Failed):
        nftset.add(table, [PORT, ("others", PORT[1])])

    assert not nftset.holds(table, PORT)
