"""The commands of OpenVZ as they are installed."""

import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden" / "vz"


def test_vzcfgvalidate_is_installed() -> None:
    program = Path(sys.executable).parent / "vzcfgvalidate"

    done = subprocess.run([program, GOLDEN / "basic.conf"], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "Validation completed: success\n", "")
