"""The table of ratios is a pure function of the saved samples, so it is tested without taking any."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PROGRAM = REPOSITORY / "bench" / "ratios.py"
DOCUMENT = REPOSITORY / "docs" / "performance.md"


def taken(samples: list[list[float]], problem: str | None = None) -> dict[str, Any]:
    return {"unit": "s", "samples": samples, "problem": problem}


def render(tmp_path: Path, rows: dict[str, Any], results: dict[str, Any] | None = None) -> str:
    """Write a file of samples and return the table that the program makes of it."""
    path = tmp_path / "ratios.json"
    environment = {
        "cpu": {"count": 2, "model": "AMD EPYC"},
        "kernel": "6.18",
        "distribution": "Debian GNU/Linux 12 (bookworm)",
        "node_is_guest": None,
    }
    data = {"date": "2026-01-01", "template": "web", "environment": environment}
    path.write_text(json.dumps({**data, "rows": rows, "results": results}))
    argv = [sys.executable, str(PROGRAM), "--render", str(path)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("ours", "verdict"), [(0.09, "| <= 1 x | met |"), (0.12, "| <= 1 x | **missed** |")]
)
def test_render_of_taken_row_shows_medians_ratio_and_verdict(
    tmp_path: Path, ours: float, verdict: str
) -> None:
    table = render(tmp_path, {"run": taken([[ours, 0.1], [ours, 0.1], [ours, 0.1]])})

    line = table.splitlines()[-1]
    assert f"| {ours * 1000:.0f} ms | 100 ms | {ours / 0.1:.2f} |" in line
    assert line.endswith(verdict)


def test_render_of_row_whose_peer_is_missing_says_so(tmp_path: Path) -> None:
    table = render(tmp_path, {"commands-podman": taken([], "podman is not installed")})

    assert table.splitlines()[-1].endswith("| 0 | <= 0.3 x | podman is not installed |")


def test_render_of_row_that_failed_later_keeps_its_pairs_and_says_why(tmp_path: Path) -> None:
    table = render(tmp_path, {"uml": taken([[9.0, 10.0]], "failed: it ended")})

    assert table.splitlines()[-1].endswith("| 1 | <= 1.15 x | met, then: failed: it ended |")


def test_render_of_results_names_the_worst_test_and_the_overhead(tmp_path: Path) -> None:
    cells = [
        {"test": "pipe", "copies": 1, "ratio": 1.001, "low": 0.99, "high": 1.01},
        {"test": "execl", "copies": 1, "ratio": 0.95, "low": 0.94, "high": 0.96},
    ]
    harness = {"workloads": 100.0, "guests": 5.0, "total": 108.0}
    found = {"run": "r1", "profile": "quick", "containers": cells, "harness": harness}

    inside, overhead = render(tmp_path, {}, found).splitlines()[-2:]

    assert "1 of 2 tests within, worst execl" in inside
    assert inside.endswith("| 0.950 | 0.94 - 0.96 | | 0.98 - 1.02 | **missed** |")
    assert overhead.endswith("| 108 s | 100 s | 1.08 | | 1 | <= 1.1 x | met |")


def test_documented_rows_beside_unixbench_are_what_their_samples_say() -> None:
    samples = REPOSITORY / "docs" / "performance-2026-11-25-unixbench.json"
    argv = [sys.executable, str(PROGRAM), "--render", str(samples)]

    table = subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert len(rows) == 18
    assert set(rows) <= set(DOCUMENT.read_text().splitlines())
