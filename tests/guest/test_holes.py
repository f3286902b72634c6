"""Files with holes, copied into a guest whose tar is GNU's and out of it, while it runs."""

import os
from pathlib import Path

from tests.homes import HomeUnderTest


def test_file_of_holes_has_them_in_a_running_guest_and_again_on_the_node(
    guest_home: HomeUnderTest, tmp_path: Path
) -> None:
    hole = tmp_path / "hole"
    with hole.open("wb") as file:
        for place in range(0, 1 << 30, 1 << 26):
            os.pwrite(file.fileno(), b"x" * 4096, place)
        # More than the disk of the guest has.
        file.truncate(1 << 40)
    guest_home.wirt("create", "web", status=0)
    guest_home.wirt("start", "web", status=0)
    guest_home.wirt("copy", str(hole), "web:/srv/hole", status=0)
    said = guest_home.wirt("exec", "web", "--", "stat", "-c", "%s %b", "/srv/hole", status=0).stdout
    guest_home.wirt("copy", "web:/srv/hole", f"{tmp_path}/back", status=0)
    size, blocks = map(int, said.split())
    back = (tmp_path / "back").stat()

    assert size == back.st_size == 1 << 40
    # The file system may need a block more to know where the others are.
    assert max(blocks, back.st_blocks) <= hole.stat().st_blocks + 8
    with (tmp_path / "back").open("rb") as copied:
        assert os.pread(copied.fileno(), 4097, 1 << 26) == b"x" * 4096 + b"\0"
