import pytest

from wirt.host import nftset


@pytest.mark.parametrize(
    ("element", "kept"),
    [
        (
            '"wabcd12ab34" . 02:0a:bc:12:ab:34',
            "7761626364313261623334 0000000000 020abc12ab34 0000",
        ),
        ("10.64.16.2", "0a401002"),
        ("fd12::2 . 10.64.16.2", "fd12 000000000000000000000000 0002 0a401002"),
        ("0x0101020abc12ab34 . 0xff", "0101020abc12ab34 ff000000"),
    ],
)
def test_element_is_kept_part_by_part(element: str, kept: str) -> None:
    assert nftset.encode(element) == bytes.fromhex(kept)
