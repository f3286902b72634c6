"""What ``wirt autostart`` and ``wirt boot`` say and do."""

from pathlib import Path

from tests.conftest import TINY
from tests.homes import WIRT, HomeUnderTest


def test_guests_are_started_with_the_node_in_their_order(home: HomeUnderTest) -> None:
    for name in ("shop", "web"):
        home.wirt("create", "-t", TINY, name, status=0)
    nothing = home.wirt("boot", status=0)
    said = [
        home.wirt("autostart", *arguments, status=0).stdout
        for arguments in (["shop"], ["web", "--order", "10"])
    ]
    shown = dict(
        line.split(maxsplit=1) for line in home.wirt("show", "web", status=0).stdout.splitlines()
    )
    booted = home.wirt("boot", status=0).stdout
    again = home.wirt("boot", status=0).stdout
    off = home.wirt("autostart", "shop", "--off", status=0).stdout
    home.wirt("stop", "--force", "shop", status=0)
    home.wirt("boot", status=0)
    shop, web = home.guests()

    assert nothing.stdout == ""
    assert said == [
        "guest shop is started with the node, at 50\n",
        "guest web is started with the node, at 10\n",
    ]
    assert shown["autostart"] == "at 10"
    assert booted == f"guest web started: {web.address}\nguest shop started: {shop.address}\n"
    assert again == ""
    assert off == "guest shop is not started with the node\n"
    assert (shop.state.value, web.state.value) == ("stopped", "running")


def test_boot_tells_what_failed_and_starts_the_rest(home: HomeUnderTest) -> None:
    for name in ("bad", "good"):
        home.wirt("create", "-t", TINY, name, status=0)
        home.wirt("autostart", name, status=0)
    bad = next(guest for guest in home.guests() if guest.name == "bad")
    log = Path(home.home.place(bad.id).log)
    log.mkdir(parents=True)  # where LXC is to write
    done = home.wirt("boot", status=1)
    log.rmdir()

    assert done.stderr.startswith("wirt: ")
    assert done.stdout.startswith("guest good started: ")
    assert {guest.name: guest.state.value for guest in home.guests()} == {
        "bad": "stopped",
        "good": "running",
    }


def test_container_of_vzctl_is_started_with_its_script(home: HomeUnderTest) -> None:
    for name in ("101", "102", "103"):
        home.type(f"vzctl create {name} --ostemplate {TINY}")
        home.type(f"vzctl set {name} --onboot yes --save")
    conf = Path(home.home.data, "vz", "conf")
    for script, text in (("101.start", "echo begun"), ("102.start", "exit 5"), ("103.mount", "")):
        (conf / script).write_text(text)
        (conf / script).chmod(0o755)
    done = home.wirt("boot", status=1)

    assert done.stdout.startswith("begun\nguest 101 started: ")
    assert done.stderr.startswith(
        f"wirt: Error executing {conf}/102.start: it ended with 5\n"
        f"wirt: {conf}/103.mount cannot be run at a start: "
    )
    assert [guest.state.value for guest in home.guests()] == ["running", "stopped", "stopped"]


def test_unit_starts_the_guests_of_this_home(home: HomeUnderTest) -> None:
    path = home.base / "wirt.service"
    done = home.wirt("boot", "--write-unit", str(path), status=0)
    text = path.read_text()

    assert done.stdout == f"{path} written; switch it on with: systemctl enable wirt.service\n"
    assert f'\nExecStart="{WIRT}" boot\n' in text
    assert f'\nEnvironment="WIRT_HOME={home.home.data}"\n' in text
    assert path.stat().st_mode & 0o777 == 0o644


def test_autostart_that_cannot_be_is_refused(home: HomeUnderTest) -> None:
    home.wirt("create", "-t", TINY, "web", status=0)
    both = home.wirt("autostart", "web", "--off", "--order", "1", status=2)
    beyond = home.wirt("autostart", "web", "--order", "1000", status=2)
    nobody = home.wirt("autostart", "nemo", status=3)

    assert both.stderr == ("wirt: --off and --order exclude each other; leave one of them out\n")
    assert beyond.stderr == (
        "wirt: invalid value for '--order': 1000 is not in the range 0<=x<=999; "
        "see wirt autostart --help\n"
    )
    assert nobody.stderr.startswith("wirt: there is no guest nemo")
    assert home.guests()[0].boot_order is None
