"""A container's file is what it is held to from its next start on, whatever it was held to before."""

import re
from pathlib import Path

import pytest
from tests.conftest import TINY
from tests.containers import kernel_says
from tests.homes import HomeUnderTest

from wirt.model.limits import LARGEST_MEMORY, MOST_PROCESSES

NOW = (
    "--cpulimit 10 --cpus 1 --cpumask 0 --cpuunits 2000 --hostname unsaved --nameserver 9.9.9.9 "
    "--searchdomain s.example --iolimit 5 --iopslimit 100 --numproc 77 --numpty 9 --ram 96M"
)


def file_of(home: HomeUnderTest, number: int) -> Path:
    return Path(home.home.data, "vz", "conf", f"{number}.conf")


def create(home: HomeUnderTest, sample: str) -> None:
    home.type(f"vzctl create 101 --ostemplate {TINY} --config {sample} && vzctl start 101")


def start_anew(home: HomeUnderTest) -> None:
    home.type("vzctl stop 101 --fast && vzctl start 101")


def test_all_that_was_not_saved_is_over_at_the_next_start(home: HomeUnderTest) -> None:
    create(home, "vswap-256m")
    made = home.guests()[0]
    home.type(f"vzctl set 101 {NOW}")
    changed = home.guests()[0]
    start_anew(home)
    found = home.guests()[0]

    assert changed.naming != made.naming
    assert (changed.limits.processes, changed.limits.cpu_pin) == (77, (0,))
    assert (found.naming, found.limits) == (made.naming, made.limits)
    assert kernel_says(home, "pids", "pids.max", "pids.max") == str(made.limits.processes)


def test_what_was_taken_out_of_the_file_by_hand_ends_at_the_next_start(home: HomeUnderTest) -> None:
    create(home, "vswap-256m")
    home.type("vzctl set 101 --cpulimit 10 --hostname saved --save")
    start_anew(home)
    saved = home.guests()[0]
    file = file_of(home, 101)
    file.write_text(re.sub(r"(?m)^(CPULIMIT|HOSTNAME)=.*\n", "", file.read_text()))
    start_anew(home)
    found = home.guests()[0]

    assert (saved.limits.cpu_limit, saved.naming.hostname) == (0.1, "saved")
    assert (found.limits.cpu_limit, found.naming.hostname) == (0.0, None)
    assert home.type("vzctl exec 101 hostname") == "101\n"


def test_limits_that_no_key_stands_for_and_those_of_other_guests_stay(home: HomeUnderTest) -> None:
    create(home, "vswap-256m")
    home.type("wirt set 101 --files 200 && wirt create -t tiny --processes 50 web")
    home.type("vzctl set web --cpulimit 10 --save && vzctl start web && vzctl stop web --fast")
    start_anew(home)
    limits = {guest.name: guest.limits for guest in home.guests()}

    assert limits["101"].files == 200
    assert (limits["web"].processes, limits["web"].cpu_limit) == (50, 0.1)


def test_unlimited_takes_a_bound_away_at_once_and_after_the_next_start(home: HomeUnderTest) -> None:
    create(home, "light")
    home.type("vzctl set 101 --numproc 100 --save")
    bounded = kernel_says(home, "pids", "pids.max", "pids.max")
    home.type("vzctl set 101 --numproc unlimited --privvmpages unlimited --save")
    made = home.guests()[0].limits
    free = kernel_says(home, "pids", "pids.max", "pids.max")
    start_anew(home)

    assert (bounded, free) == ("100", str(MOST_PROCESSES))
    assert kernel_says(home, "pids", "pids.max", "pids.max") == str(MOST_PROCESSES)
    memory = int(kernel_says(home, "memory", "memory.limit_in_bytes", "memory.max"))
    assert made.memory == memory == LARGEST_MEMORY


def test_what_was_not_saved_of_a_guest_of_wirts_is_over_too(home: HomeUnderTest) -> None:
    home.type(f"wirt create -t {TINY} --processes 50 --cpu-weight 155 web && vzctl start web")
    home.type("wirt set web --hostname first")
    made = home.guests()[0]
    home.type(f"vzctl set web {NOW}")
    changed = home.guests()[0]
    home.type("vzctl stop web --fast && vzctl start web")
    found = home.guests()[0]

    assert (changed.limits.processes, changed.naming.hostname) == (77, "unsaved")
    assert (found.naming, found.limits) == (made.naming, made.limits)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            'PHYSPAGES="99999999999999999999999"',
            "--physpages: 99999999999999999999999: that is beyond what a counter of 64 bits holds; "
            "give 9223372036854775807 at most, or unlimited",
        ),
        (
            'KMEMSIZE="10:5"',
            "--kmemsize: 10:5: the barrier 10 is above the limit 5; "
            "give barrier:limit, the smaller number first",
        ),
        ('CPUS="two"', "--cpus: two; give a whole number"),
    ],
)
def test_value_that_cannot_be_is_refused_with_its_file_and_line(
    home: HomeUnderTest, line: str, why: str
) -> None:
    home.type(f"vzctl create 101 --ostemplate {TINY} --config vswap-256m")
    home.type("vzctl set 101 --onboot yes --save")
    file = file_of(home, 101)
    file.write_text(f"{line}\n# what has the say\n{line}\n" + file.read_text().replace("PHYS", "#"))
    said = f"{file}:3: Bad parameter for {why}\n"

    assert home.type("vzctl start 101", status=21) == said
    assert said in home.type("wirt boot", status=1)
    assert home.guests()[0].state.value == "stopped"


def test_sample_with_a_value_that_cannot_be_makes_no_container(home: HomeUnderTest) -> None:
    samples = Path(home.home.etc, "vz", "conf")
    samples.mkdir(parents=True)
    (samples / "ve-odd.conf-sample").write_text('KMEMSIZE="10:5"\n')
    said = (
        "Bad parameter for --kmemsize: 10:5: the barrier 10 is above the limit 5; "
        "give barrier:limit, the smaller number first\n"
    )

    made = home.type(f"vzctl create 101 --ostemplate {TINY} --config odd", status=21)
    home.type(f"vzctl create 102 --ostemplate {TINY} --config light")
    given = home.type("vzctl set 102 --applyconfig odd --save", status=21)

    assert (made, given) == (said, said)
    assert [guest.name for guest in home.guests()] == ["102"]
