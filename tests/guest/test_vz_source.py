"""The vz command lines of the source that want packages: ``vzyum`` and ``vzpkgcache``, with the template that is shipped."""

from pathlib import Path

from tests.homes import HomeUnderTest
from tests.transcripts import TRANSCRIPTS, retell


def test_vzyum_installs_and_vzpkgcache_looks_after_the_template(guest_home: HomeUnderTest) -> None:
    path = TRANSCRIPTS / "packages.txt"
    told = path.read_text()
    Path(guest_home.home.etc, "vz").mkdir(parents=True, exist_ok=True)

    assert retell(guest_home, path) == told
    assert guest_home.guests() == []
