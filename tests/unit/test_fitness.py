"""Whether a template has what guests of an approach begin with."""

import msgspec
import pytest
from tests.unit.test_preparation import BUILT

from wirt.approaches.registry import APPROACHES, load_approach
from wirt.ops.checks.fitness import judge_template

ALL = set(APPROACHES)


def fits(approach: str, **found: bool | None) -> bool:
    template = msgspec.structs.replace(BUILT, **found)
    needs = load_approach(approach, "/run/none").needs
    return judge_template(template, approach, needs).available


@pytest.mark.parametrize(
    ("found", "able"),
    [
        ({"has_init": True, "has_kernel": True}, ALL),
        ({"has_init": True, "has_kernel": False}, {"chroot", "lxc", "uml"}),
        ({"has_init": False, "has_kernel": True}, {"chroot"}),
        ({"has_init": None, "has_kernel": None}, ALL),
    ],
)
def test_template_is_fit_for_approaches_by_what_it_has(
    found: dict[str, bool | None], able: set[str]
) -> None:
    assert {name for name in APPROACHES if fits(name, **found)} == able
