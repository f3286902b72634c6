"""``wirt doctor --security`` on this node: both forms say the same, and the exit status says whether to change anything."""

import msgspec
from tests.conftest import TINY
from tests.homes import HomeUnderTest

from wirt.ops.security import Finding, State


def test_doctor_security_says_the_same_in_both_forms_and_by_its_status(home: HomeUnderTest) -> None:
    text = home.wirt("doctor", "--security")
    said = home.wirt("doctor", "--security", "--json")
    findings = msgspec.json.decode(said.stdout, type=list[Finding])
    wanted = [finding for finding in findings if finding.state is State.CHANGE]

    assert (text.stderr, said.stderr) == ("", "")
    assert all(finding.change for finding in wanted)
    assert text.returncode == said.returncode == (1 if wanted else 0)
    assert text.stdout.count("\n  change  ") + text.stdout.startswith("  change") == len(wanted)
    assert "container has all but mac_admin, mac_override" in said.stdout


def test_doctor_security_finds_a_directory_of_the_home_that_others_may_write_to(
    home: HomeUnderTest,
) -> None:
    home.wirt("list", status=0)
    (home.base / "home").chmod(0o777)
    said = home.wirt("doctor", "--security", "--json")
    findings = msgspec.json.decode(said.stdout, type=list[Finding])
    found = next(finding for finding in findings if finding.name == "home")

    assert (said.returncode, found.state) == (1, State.CHANGE)
    assert found.change == f"chmod go-w {home.home.data}"


def test_doctor_security_names_the_guests_whose_disks_nothing_bounds(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "--pool", "image", "held", status=0)
    before = disks_of(home)
    home.wirt("create", "-t", TINY, "--pool", "directory", "web", status=0)
    after = disks_of(home)

    assert (before.state, before.found) == (
        State.GOOD,
        "every guest is held to the size of its disk",
    )
    assert (after.state, after.found) == (
        State.CHANGE,
        "nothing holds to the size of its disk: web",
    )
    assert after.change == (
        "make guests on a pool that bounds them, with wirt create --pool image, or POOL=image in "
        "vz.conf for vzctl; on btrfs, btrfs quota enable"
    )


def disks_of(home: HomeUnderTest) -> Finding:
    said = home.wirt("doctor", "--security", "--json").stdout
    findings = msgspec.json.decode(said, type=list[Finding])
    return next(finding for finding in findings if finding.name == "guests' disks")
