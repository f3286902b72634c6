"""What AppArmor's profile of a container is called where the container goes on."""

import os
from pathlib import Path

import pytest

from wirt.approaches.lxc import confinement, criu
from wirt.model.launch import Place

THERE = Place(name="wtwo-12ab34", run_dir="/srv/b/run/guests/12ab34", log="")
OF_ONE = "lxc-wone-12ab34_</run/wirt/guests/12ab34>"
BEYOND_ONE = "lxc-wone-12ab34_<-run-wirt-guests-12ab34>"
OF_TWO = "lxc-wtwo-12ab34_</srv/b/run/guests/12ab34>"
BEYOND_TWO = "lxc-wtwo-12ab34_<-srv-b-run-guests-12ab34>"


@pytest.mark.parametrize(
    ("label", "moved"),
    [
        (f"{OF_ONE}//&:{BEYOND_ONE}:unconfined", f"{OF_TWO}//&:{BEYOND_TWO}:"),
        (f"{OF_ONE}//&:{BEYOND_ONE}:/usr/sbin/cupsd", f"{OF_TWO}//&:{BEYOND_TWO}:"),
        (OF_ONE, OF_TWO),
        (f"{OF_TWO}//&:{BEYOND_TWO}:unconfined", None),
        ("unconfined", None),
        ("", None),
    ],
)
def test_label_is_that_of_the_place_where_the_container_goes_on(
    label: str, moved: str | None
) -> None:
    assert confinement.move(label, THERE) == moved


def test_criu_is_told_a_label_only_if_it_is_another() -> None:
    def options(confined_by: str | None) -> list[str]:
        return criu.restore_options(
            "/images", scratch="/scratch", mounts={}, payload="w", confined_by=confined_by
        )

    assert [one for one in options(f"{OF_TWO}//&:{BEYOND_TWO}:") if "lsm" in one] == [
        f"--lsm-profile=apparmor:{OF_TWO}//&:{BEYOND_TWO}:"
    ]
    assert not [one for one in options(None) if "lsm" in one]


def test_process_without_a_label_has_none() -> None:
    assert " (" not in confinement.read(os.getpid())
    assert confinement.read(2**22) == ""


@pytest.mark.parametrize(
    ("label", "more", "is_there"),
    [
        (f"{OF_ONE}//&:{BEYOND_ONE}:unconfined", 0, False),
        (f"{OF_ONE}//&:{BEYOND_ONE}:unconfined", 60, True),
        (OF_ONE, 0, True),
        ("", 0, True),
    ],
)
def test_namespace_without_profiles_is_left_out(
    tmp_path: Path, label: str, more: int, *, is_there: bool
) -> None:
    image = tmp_path / "apparmor.img"
    name = BEYOND_ONE.encode()
    head = bytes(8) + (4 + len(name)).to_bytes(4, "little")
    image.write_bytes(head + bytes([0x0A, 2 + len(name), 0x0A, len(name)]) + name + bytes(more))
    confinement.leave_out_empty(str(tmp_path), label)

    assert image.exists() == is_there


def test_container_without_apparmor_has_no_namespace_to_be_left_out(tmp_path: Path) -> None:
    confinement.leave_out_empty(str(tmp_path), f"{OF_ONE}//&:{BEYOND_ONE}:unconfined")

    assert list(tmp_path.iterdir()) == []
