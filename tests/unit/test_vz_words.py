"""What the vz commands say in the place of Wirt's words."""

import pytest

from wirt.dialects.vz.words import IN_2006, NOW, in_words, speaking
from wirt.errors import Conflict


@pytest.mark.parametrize(
    ("said", "now", "in_2006"),
    [
        ("guest 101 is locked", "container 101 is locked", "VPS 101 is locked"),
        ("node b has a guest web already", "node b has a container web already", None),
        (
            "network back is used by the guests db, web",
            "network back is used by the containers db, web",
            None,
        ),
        ("guest guest is running", "container guest is running", "VPS guest is running"),
        ("cannot read /srv/guest/file", "cannot read /srv/guest/file", None),
        ("there is no template guest-web", "there is no template guest-web", None),
        ("Guests are asked", "Containers are asked", "VPSs are asked"),
    ],
)
def test_guest_is_called_what_openvz_calls_it(said: str, now: str, in_2006: str | None) -> None:
    assert in_words(said, NOW) == now
    if in_2006 is not None:
        assert in_words(said, IN_2006) == in_2006


def test_error_keeps_its_kind_and_says_both_its_parts_so() -> None:
    with pytest.raises(Conflict) as caught, speaking(IN_2006):
        raise Conflict("a guest has it", hint="destroy that guest")

    assert str(caught.value) == "a VPS has it; destroy that VPS"
