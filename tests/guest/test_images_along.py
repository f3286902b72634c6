"""The image that a guest's disk rests on, block by block, where the guest goes to a node that has none, or another."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import homes
from tests.cli.test_migrate import Pair
from tests.guest.conftest import ShippedTemplate
from tests.homes import HomeUnderTest
from tests.netns import other_network


@pytest.fixture
def pair(template: ShippedTemplate) -> Iterator[Pair]:
    """Give two nodes, of which the second has the template without any form of it, and a stopped guest on the first."""
    with (
        homes.open_home(Path(template.directory)) as here,
        homes.open_base() as base,
        other_network() as netns,
    ):
        there = HomeUnderTest(base)
        directory = Path(there.home.templates, template.name)
        directory.mkdir(parents=True)
        for name in ("template.json", "root.tar.zst"):
            os.symlink(Path(template.image).with_name(name), directory / name)
        made = Pair(here, there, netns)
        made.add()
        here.wirt("create", "vm", "--approach", "qemu", "-t", template.name, status=0)
        yield made
        for guest in there.guests():
            made.on_b("destroy", "--force", guest.name)


def test_image_that_is_lacking_there_goes_along(pair: Pair, template: ShippedTemplate) -> None:
    there = Path(pair.there.home.templates, template.name)
    pair.here.wirt("migrate", "vm", "b", "--check", status=0)
    left = there.joinpath("root.img").exists()
    said = pair.here.wirt("migrate", "vm", "b", status=0).stdout

    assert not left
    assert "send template" in said
    assert [guest.name for guest in pair.there.guests()] == ["vm"]
    assert there.joinpath("root.img").stat().st_size == os.stat(template.image).st_size


def test_guest_stays_where_another_image_is_there(pair: Pair, template: ShippedTemplate) -> None:
    Path(pair.there.home.templates, template.name, "root.img").write_bytes(b"another")
    refused = pair.here.wirt("migrate", "vm", "b")

    assert refused.returncode != 0
    assert refused.stderr == (
        f"wirt: node b has made another image of template {template.name}, block by block, and the disk of guest vm "
        "rests on its blocks; remove it there, if no other guest rests on it, and it comes along: "
        f"wirt template remove {template.name}\n"
    )
    assert [guest.name for guest in pair.here.guests()] == ["vm"]
