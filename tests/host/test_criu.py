"""Which CRIU does: asked of programs that only say what theirs would."""

from pathlib import Path

import pytest

from wirt.approaches.lxc import criu


@pytest.mark.parametrize(
    ("said", "does"),
    [
        ("Version: 3.17.1", False),
        ("Version: 3.19", True),
        ("Version: 4.2.1", True),
        ("no version", False),
    ],
)
def test_criu_that_would_lock_the_network_itself_does_not_do(
    root_user: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, does: bool
) -> None:
    program = tmp_path / "criu"
    program.write_text(f'#!/bin/sh\n[ "$1" = check ] || echo "{said}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("WIRT_CRIU", str(program))
    found = criu.probe()

    version = said.removeprefix("Version: ") if said.startswith("Version") else "of unknown version"
    assert (found.available, found.reason) == (
        does,
        f"CRIU {version}: {program}" if does else f"{program} is CRIU {version}, older than 3.19",
    )
