"""``wirt password`` in a guest of the shipped template, and in one that has been made hostile."""

from pathlib import Path

from tests.homes import HomeUnderTest


def test_password_is_roots_and_planted_links_lead_nowhere(guest_home: HomeUnderTest) -> None:
    before = Path("/etc/shadow").read_bytes()
    guest_home.wirt("create", "web", status=0)
    guest_home.wirt("start", "web", status=0)
    guest_home.wirt("password", "web", stdin="s3cret\n", status=0)
    kept = guest_home.wirt("exec", "web", "--", "getent", "shadow", "root", status=0).stdout
    unknown = guest_home.wirt("password", "web", "--user", "nemo", stdin="s3cret\n", status=10)
    # In the guest it is the guest's own; on the node, whoever followed it would write the node's.
    plant = "cp /etc/shadow /etc/other && ln -sf /../../../../../etc/other /etc/shadow"
    guest_home.wirt("exec", "web", "--", "sh", "-c", plant, status=0)
    guest_home.wirt("password", "web", stdin="another\n")

    assert kept.startswith("root:$")
    assert unknown.stderr.startswith(
        "wirt: cannot set the password of nemo in guest web: chpasswd: "
    )
    assert Path("/etc/shadow").read_bytes() == before
    assert not Path("/etc/other").exists()
