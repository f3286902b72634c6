"""What is said of disks and memory that nothing bounds, and which of two things that are wrong is named first."""

import os

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.units import render_bytes

NOTHING_BOUNDS = (
    "note: nothing holds guest web to a disk of 2 GiB: pool directory does not bound it; pools image "
    "and btrfs do\n"
)


@pytest.mark.parametrize(
    "command", [["create", "web"], ["run", "--name", "web", "--", "true"]], ids=["create", "run"]
)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pool", "directory", "--disk", "2G"], NOTHING_BOUNDS),
        (["--pool", "directory"], ""),
        (["--pool", "image", "--disk", "128M"], ""),
    ],
    ids=["asked-for", "usual", "bounded"],
)
def test_disk_that_is_asked_for_and_nothing_bounds_is_said_to_be_so(
    home: HomeUnderTest, command: list[str], options: list[str], said: str
) -> None:
    verb, *rest = command
    done = home.wirt(verb, "-t", TINY, *options, *rest, status=0)

    assert done.stderr == said


def test_memory_that_the_node_has_not_is_said_to_hold_a_container_to_nothing(
    home: HomeUnderTest,
) -> None:
    has = render_bytes(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    note = f"note: nothing holds guest web to 60 TiB of memory: this node has {has}\n"

    assert home.wirt("create", "-t", TINY, "--memory", "60T", "web", status=0).stderr == note
    assert home.wirt("set", "--memory", "64M", "web", status=0).stderr == ""
    assert home.wirt("set", "--memory", "60T", "web", status=0).stderr == note
    assert home.wirt("set", "--cpu-weight", "50", "web", status=0).stderr == ""


@pytest.mark.parametrize("command", [["create", "web"], ["run", "true"]], ids=["create", "run"])
def test_approach_that_cannot_run_here_is_named_before_a_template_that_there_is_not(
    home: HomeUnderTest, command: list[str]
) -> None:
    verb, *rest = command
    done = home.wirt(
        verb, "-t", "nosuch", "-a", "uml", *rest, environment={"WIRT_UML": "/nonexistent"}
    )

    assert done.stdout == ""
    assert done.stderr == (
        "wirt: approach uml cannot run here: User-Mode Linux is not installed; "
        "apt-get install user-mode-linux\n"
    )
