"""What is known of how long setting the node up took."""

from pathlib import Path

import msgspec
import pytest

from wirt.bench.preparation import is_of, read_preparation
from wirt.bench.sample import Preparation
from wirt.model.template import Template

BUILT = Template(
    name="small",
    description="",
    distribution="debian",
    suite="bookworm",
    packages=[],
    sha256="ab" * 32,
    packed_bytes=1,
    unpacked_bytes=1,
    built=1.0,
    build_seconds=112.5,
)


def steps(path: Path, template: Template = BUILT) -> list[tuple[str, float]]:
    return [(one.step, one.seconds) for one in read_preparation(str(path), template)]


def test_steps_are_in_their_order_with_the_template_last(tmp_path: Path) -> None:
    path = tmp_path / "seconds"
    path.write_text("workloads 9.0\nvenv 41.5\npackages 80.0\n")

    assert steps(path) == [
        ("packages", 80.0),
        ("venv", 41.5),
        ("workloads", 9.0),
        ("template", 112.5),
    ]


def test_packages_of_one_approach_are_a_step_of_that_one() -> None:
    of = {
        name: [step for step in ("packages", "packages-qemu", "venv") if is_of(step, name)]
        for name in (None, "lxc", "qemu", "kvm")
    }

    assert of == {
        None: ["packages", "venv"],
        "lxc": [],
        "qemu": ["packages-qemu"],
        "kvm": ["packages-qemu"],
    }


def test_packages_add_up_and_other_steps_begin_from_nothing(tmp_path: Path) -> None:
    path = tmp_path / "seconds"
    path.write_text(
        "packages 80.0\npackages-lxc 9.0\nvenv 41.5\npackages 5.0\nvenv 30.0\npackages-lxc 1.0\n"
    )

    assert steps(path)[:3] == [("packages", 85.0), ("packages-lxc", 10.0), ("venv", 30.0)]


@pytest.mark.parametrize(
    "text", ["", "venv\n", "venv x\n", "venv nan\n", "venv -1\n", "other 5\n", "\n"]
)
def test_lines_that_say_nothing_are_left_out(tmp_path: Path, text: str) -> None:
    path = tmp_path / "seconds"
    path.write_text(text)

    assert steps(path) == [("template", 112.5)]


def test_without_a_file_only_the_template_is_known(tmp_path: Path) -> None:
    unknown = msgspec.structs.replace(BUILT, build_seconds=0.0)

    assert read_preparation(str(tmp_path / "none"), BUILT) == [
        Preparation(step="template", seconds=112.5)
    ]
    assert steps(tmp_path / "none", unknown) == []
