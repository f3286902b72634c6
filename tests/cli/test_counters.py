"""What ``wirt counters`` says when it shows no counters; those are in tests/guest."""

from tests.homes import WIRT, HomeUnderTest


def test_timer_and_service_sample_this_home(home: HomeUnderTest) -> None:
    timer, service = (home.base / f"wirt-counters.{kind}" for kind in ("timer", "service"))
    done = home.wirt("counters", "--write-unit", str(timer), "--every", "5m", status=0)

    assert done.stdout == (
        f"{service} and {timer} written; "
        "switch them on with: systemctl enable --now wirt-counters.timer\n"
    )
    assert f'\nExecStart="{WIRT}" counters --sample\n' in service.read_text()
    assert f'\nEnvironment="WIRT_HOME={home.home.data}"\n' in service.read_text()
    assert "\nOnUnitActiveSec=300s\n" in timer.read_text()
    assert {path.stat().st_mode & 0o777 for path in (timer, service)} == {0o644}


def test_counters_that_cannot_be_are_refused(home: HomeUnderTest) -> None:
    said = [
        home.wirt("counters", *arguments, status=2).stderr
        for arguments in (
            [],
            ["web", "--sample"],
            ["--write-unit", "/etc/x.service"],
            ["--write-unit", f"{home.base}/x.timer", "--every", "100ms"],
        )
    ]
    nobody = home.wirt("counters", "nemo", status=3)
    nowhere = home.wirt("counters", "--write-unit", f"{home.base}/no/x.timer", status=10)
    sampled = home.wirt("counters", "--sample", status=0)

    what = "wirt: name a guest, or pass either --sample or --write-unit; see wirt counters --help\n"
    assert said == [
        what,
        what,
        "wirt: '/etc/x.service' is no name of a timer; call it such as wirt-counters.timer\n",
        "wirt: a timer cannot sample more often than every second; pass --every 1s or more\n",
    ]
    assert nobody.stderr.startswith("wirt: there is no guest nemo")
    assert nowhere.stderr.startswith(f"wirt: cannot write {home.base}/no/x.service: No such file")
    assert (sampled.stdout, sampled.stderr) == ("", "")
