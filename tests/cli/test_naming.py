"""Names that a container is given: read back by the guest, and what a hostile one makes of it."""

from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.homes import HomeUnderTest

DNS = ["set", "web", "--dns", "192.0.2.53", "--dns", "2001:db8::53", "--search", "example.org"]
RESOLV = "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example.org\n"


@pytest.fixture
def web(home: HomeUnderTest) -> HomeUnderTest:
    home.wirt("create", "-t", TINY, "web", status=0)
    return home


def inside(home: HomeUnderTest, *command: str) -> str:
    return home.wirt("exec", "web", "--", *command, status=0).stdout


def test_names_of_a_stopped_guest_come_with_its_start(web: HomeUnderTest) -> None:
    said = web.wirt(*DNS, "--hostname", "www.example.org", status=0).stdout
    web.wirt("start", "web", status=0)
    owner = inside(web, "stat", "-c", "%u %g %a", "/etc/resolv.conf", "/etc/hostname")
    inside(web, "rm", "/etc/resolv.conf")
    web.wirt("restart", "--force", "web", status=0)

    assert said == (
        "guest web has the host name www.example.org from its next start, the name servers "
        "192.0.2.53, 2001:db8::53, the domains example.org now\n"
    )
    assert owner == "0 0 644\n" * 2
    assert inside(web, "cat", "/etc/resolv.conf") == RESOLV
    assert inside(web, "hostname") == inside(web, "cat", "/etc/hostname") == "www.example.org\n"


def test_name_servers_of_a_running_guest_are_there_at_once(web: HomeUnderTest) -> None:
    web.wirt("start", "web", status=0)
    inside(web, "sh", "-c", "echo own > /etc/resolv.conf")
    web.wirt(*DNS, status=0)
    changed = inside(web, "cat", "/etc/resolv.conf")
    for option in ("--dns", "--search"):
        web.wirt("set", "web", option, "none", status=0)
    inside(web, "sh", "-c", "echo own > /etc/resolv.conf")
    web.wirt("restart", "--force", "web", status=0)

    assert changed == RESOLV
    assert inside(web, "cat", "/etc/resolv.conf") == "own\n"


def test_host_name_of_a_running_guest_is_there_at_once(web: HomeUnderTest) -> None:
    web.wirt("start", "web", status=0)
    said = web.wirt("set", "web", "--hostname", "www.example.org", status=0).stdout
    changed = inside(web, "hostname")
    web.wirt("set", "web", "--hostname", "none", status=0)

    assert said == "guest web has the host name www.example.org now\n"
    assert changed == "www.example.org\n"
    assert inside(web, "hostname") == "web\n"


@pytest.mark.parametrize("is_running", [True, False])
def test_host_name_is_found_by_the_guest_itself(web: HomeUnderTest, is_running: bool) -> None:
    web.wirt("start", "web", status=0)
    inside(web, "sh", "-c", "printf '192.0.2.1 kept\\n127.0.1.1 own' > /etc/hosts")
    for name in ("b.example.org", "a.example.org"):
        if not is_running:
            web.wirt("stop", "--force", "web", status=0)
        web.wirt("set", "web", "--hostname", name, status=0)
        if not is_running:
            web.wirt("start", "web", status=0)
    found = inside(web, "ping", "-c", "1", "-W", "5", "a.example.org")

    assert inside(web, "cat", "/etc/hosts") == (
        "192.0.2.1 kept\n127.0.1.1 own\n127.0.1.1 a.example.org a # set by Wirt\n"
    )
    assert found.startswith("PING a.example.org (127.0.1.1)")
    assert inside(web, "hostname", "-f") == "a.example.org\n"


def test_etc_hosts_that_a_guest_has_planted_leads_nowhere_outside(web: HomeUnderTest) -> None:
    node = Path(web.base, "node")
    node.mkdir(mode=0o777)
    node.chmod(0o777)
    (node / "hosts").write_text("the node's")
    web.wirt("start", "web", status=0)
    made = []
    for plant in (f"ln -s {node}/hosts /etc/hosts", "mkfifo /etc/hosts", ":"):
        inside(web, "sh", "-c", f"rm -f /etc/hosts; {plant}")
        web.wirt("set", "web", "--hostname", "none", status=0)
        web.wirt("set", "web", "--hostname", "www", status=0)
        made.append(inside(web, "cat", "/etc/hosts"))

    assert made == [
        "127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 www # set by Wirt\n"
    ] * len(made)
    assert (node / "hosts").read_text() == "the node's"


@pytest.mark.parametrize("is_running", [True, False])
def test_links_that_a_guest_has_planted_lead_nowhere_outside(
    web: HomeUnderTest, is_running: bool
) -> None:
    node = Path(web.base, "node")
    node.mkdir(mode=0o777)
    node.chmod(0o777)
    (node / "resolv.conf").write_text("the node's")
    web.wirt("start", "web", status=0)
    inside(web, "sh", "-c", f"mv /etc /old; ln -s {node} /etc")
    if is_running:
        refused = web.wirt("set", "web", "--dns", "192.0.2.53")
        kept = web.guests()[0].naming.dns
        web.wirt("stop", "--force", "web", status=0)
    else:
        web.wirt("stop", "--force", "web", status=0)
        web.wirt("set", "web", "--dns", "192.0.2.53", status=0)
        refused = web.wirt("start", "web")
        kept = ()

    assert refused.returncode == 10
    assert "cannot write /etc/resolv.conf of guest web: No such file or directory" in refused.stderr
    assert kept == ()
    assert [path.name for path in node.iterdir()] == ["resolv.conf"]
    assert (node / "resolv.conf").read_text() == "the node's"
    assert web.guests()[0].handle is None
