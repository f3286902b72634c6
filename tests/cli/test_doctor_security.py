"""``wirt doctor --security`` on this node: both forms say the same, and the exit status says whether to change anything."""

import msgspec
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
