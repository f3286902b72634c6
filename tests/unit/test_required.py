"""A skip must be loud where every test is wanted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPS = """
import pytest

def test_skipped_inside():
    pytest.skip("no such thing here")

@pytest.mark.skipif(True, reason="no such thing there")
def test_skipped_outside():
    pass
"""


@pytest.mark.parametrize(("required", "status"), [("1", 1), ("", 0)])
def test_skip_where_every_test_is_required_is_a_failure(
    tmp_path: Path, required: str, status: int
) -> None:
    (tmp_path / "test_skips.py").write_text(SKIPS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "--rootdir", tmp_path, tmp_path],
        cwd=ROOT,
        env={**os.environ, "WIRT_REQUIRE": required, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == status, done.stdout
    assert ("skipped, but WIRT_REQUIRE is set: Skipped: no such thing here" in done.stdout) == (
        required == "1"
    )
