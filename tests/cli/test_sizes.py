"""What is said of disks and memory that nothing bounds, and which of two things that are wrong is named first."""

import json
import os
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest, open_home

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


def test_disk_smaller_than_what_its_template_holds_is_refused_where_that_counts(
    btrfs_templates: Path,
) -> None:
    with open_home(btrfs_templates, where=str(btrfs_templates.parent)) as home:
        home.wirt("create", "--pool", "btrfs", "-t", TINY, "web", status=0)
        home.wirt("start", "web", status=0)
        fill = ("dd", "if=/dev/urandom", "of=/held", "bs=1M", "count=80")
        home.wirt("exec", "web", "--", *fill, status=0)
        home.wirt("stop", "--force", "web", status=0)
        home.wirt("template", "from-guest", "web", "large", status=0)
        large = json.loads(home.wirt("template", "show", "--json", "large", status=0).stdout)
        refused = home.wirt("create", "--pool", "btrfs", "-t", "large", "--disk", "64M", "small")
        held = home.wirt("create", "--pool", "btrfs", "-t", "large", "--disk", "128M", "held")
        home.wirt("start", "held", status=0)
        written = home.wirt("exec", "held", "--", "touch", "/more")

        assert refused.returncode == 6
        assert refused.stderr == (
            "wirt: guest small cannot have a disk of 64 MiB: on pool btrfs it is at least as large as "
            f"its template, which has {render_bytes(large['unpacked_bytes'])}; ask for more with --disk\n"
        )
        assert (held.returncode, written.returncode) == (0, 0)
        home.wirt("destroy", "--force", "held", status=0)
        home.wirt("template", "remove", "large", status=0)
