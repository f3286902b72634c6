"""Whether a guest's root may pass to its files."""

import tempfile
from pathlib import Path

import pytest

from wirt.errors import Unsupported
from wirt.model.home import Home
from wirt.ops.checks.way import check_way


def test_home_behind_a_directory_that_is_its_owners_alone_is_refused() -> None:
    # Not below the tests' own directory, which is its owner's alone.
    with tempfile.TemporaryDirectory(dir="/tmp") as closed:
        data = Path(closed, "below", "data")
        data.mkdir(parents=True)
        with pytest.raises(Unsupported) as refused:
            check_way(Home(data=str(data), run=str(data)), "web")
        Path(closed).chmod(0o711)
        check_way(Home(data=str(data), run=str(data)), "web")

    assert str(refused.value) == (
        "guest web could not reach its root: its own root is nobody on the node, and nobody may pass through "
        f"{closed} to {data}; chmod o+x {closed}, or choose another place with WIRT_HOME and WIRT_RUN"
    )
