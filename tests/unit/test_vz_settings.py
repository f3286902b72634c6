"""Options of ``vzctl set`` become keys of a file, and the keys become limits."""

from pathlib import Path

import pytest
from tests.guests import make_guest

from wirt.dialects.vz import resolver, settings, standing
from wirt.dialects.vz.codes import Refused
from wirt.dialects.vz.configfile import ConfigFile, parse_config
from wirt.dialects.vz.ubc import UNLIMITED, UNLIMITED_2006
from wirt.model.limits import LARGEST_MEMORY, MOST_PROCESSES, MOST_TERMINALS, Limits
from wirt.model.naming import Naming
from wirt.units import MIB

BASE = Limits(cpus=2, memory=100 * MIB, processes=99)


@pytest.mark.parametrize(
    ("option", "value", "keys"),
    [
        ("numproc", "70", {"NUMPROC": "70:70"}),
        ("numproc", "unlimited", {"NUMPROC": "unlimited:unlimited"}),
        ("kmemsize", "1M:2m", {"KMEMSIZE": "1048576:2097152"}),
        ("privvmpages", "10p:1M", {"PRIVVMPAGES": "10:256"}),
        ("physpages", "0:unlimited", {"PHYSPAGES": "0:unlimited"}),
        ("ram", "96M", {"PHYSPAGES": "0:24576"}),
        ("ram", "4097", {"PHYSPAGES": "0:2"}),
        ("swap", "0", {"SWAPPAGES": "0:0"}),
        ("diskspace", "1G:2.2G", {"DISKSPACE": "1048576:2306868"}),
        ("diskinodes", "1000:2000", {"DISKINODES": "1000:2000"}),
        ("cpulimit", "200%", {"CPULIMIT": "200"}),
        ("cpuunits", "500000", {"CPUUNITS": "500000"}),
        ("cpumask", "1,0", {"CPUMASK": "0-1"}),
        ("onboot", "yes", {"ONBOOT": "yes"}),
        ("diskquota", "no", {"DISK_QUOTA": "no"}),
        ("stop-timeout", "030", {"STOP_TIMEOUT": "30"}),
        ("vm_overcommit", "1.5", {"VM_OVERCOMMIT": "1.5"}),
        ("description", "a shop", {"DESCRIPTION": "a shop"}),
    ],
)
def test_option_sets_the_keys_of_the_file(option: str, value: str, keys: dict[str, str]) -> None:
    assert settings.values_of(option, value, unlimited=UNLIMITED) == keys


def test_unlimited_is_written_as_a_number_in_2006() -> None:
    keys = settings.values_of("numproc", "unlimited", unlimited=UNLIMITED_2006)

    assert keys == {"NUMPROC": "2147483647:2147483647"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("numproc", "1M"),
        ("kmemsize", "-1"),
        ("ram", "M"),
        ("ram", "x"),
        ("swap", ""),
        ("diskspace", "1:2:3"),
        ("cpulimit", "-5"),
        ("cpulimit", "5%%"),
        ("cpus", "1.5"),
        ("cpuunits", "7"),
        ("cpuunits", "500001"),
        ("cpumask", "some"),
        ("cpumask", "3-1"),
        ("onboot", "YES"),
        ("vm_overcommit", "1.5.5"),
        ("description", "a\nb"),
        ("quotatime", "\u0663"),
    ],
)
def test_value_that_an_option_does_not_take_is_refused_with_its_name(
    option: str, value: str
) -> None:
    with pytest.raises(Refused) as refused:
        settings.values_of(option, value, unlimited=UNLIMITED)

    assert refused.value.exit_code == 21
    assert refused.value.message == f"Bad parameter for --{option}: {value}"


@pytest.mark.parametrize(
    ("option", "value", "message", "hint"),
    [
        (
            "numproc",
            "100:50",
            "Bad parameter for --numproc: 100:50: the barrier 100 is above the limit 50",
            "give barrier:limit, the smaller number first",
        ),
        (
            "physpages",
            "unlimited:0",
            "Bad parameter for --physpages: unlimited:0: "
            "the barrier 9223372036854775807 is above the limit 0",
            "give barrier:limit, the smaller number first",
        ),
        (
            "diskspace",
            "2G:1G",
            "Bad parameter for --diskspace: 2G:1G: the barrier 2097152 is above the limit 1048576",
            "give barrier:limit, the smaller number first",
        ),
        (
            "kmemsize",
            "1:9223372036854775808",
            "Bad parameter for --kmemsize: 1:9223372036854775808: "
            "that is beyond what a counter of 64 bits holds",
            "give 9223372036854775807 at most, or unlimited",
        ),
        (
            "kmemsize",
            "9999999999T",
            "Bad parameter for --kmemsize: 9999999999T: "
            "that is beyond what a counter of 64 bits holds",
            "give 9223372036854775807 at most, or unlimited",
        ),
    ],
)
def test_pair_that_contradicts_itself_or_that_no_counter_holds_is_refused(
    option: str, value: str, message: str, hint: str
) -> None:
    with pytest.raises(Refused) as refused:
        settings.values_of(option, value, unlimited=UNLIMITED)

    assert (refused.value.exit_code, refused.value.message) == (21, message)
    assert refused.value.hint == hint


def test_greatest_number_of_a_counter_is_unlimited() -> None:
    keys = settings.values_of("kmemsize", f"0:{UNLIMITED}", unlimited=UNLIMITED)

    assert keys == {"KMEMSIZE": "0:unlimited"}


def test_inherited_names_are_those_that_the_node_has_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tmp_path / "resolv.conf"
    node.write_text(
        "# the node's\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver 192.0.2.2\n"
        "domain old.example\nsearch One.example. two.example\noptions ndots:2\n"
    )
    monkeypatch.setattr(resolver, "RESOLV_CONF", str(node))
    config = parse_config('NAMESERVER="inherit"\nSEARCHDOMAIN="inherit"\n', name="101.conf")

    found = settings.naming_of(config, Naming(dns=("192.0.2.9",)), resolver.node_names)

    assert found.dns == ("192.0.2.1", "192.0.2.2")
    assert found.search == ("one.example", "two.example")
    node.write_text("nameserver 192.0.2.3\n")
    assert settings.naming_of(config, found, resolver.node_names) == Naming(dns=("192.0.2.3",))
    node.unlink()
    assert settings.naming_of(config, found, resolver.node_names) == Naming()


@pytest.mark.parametrize("option", sorted(settings.REFUSED))
def test_option_that_nothing_here_can_do_is_refused_with_its_name(option: str) -> None:
    with pytest.raises(Refused, match=f"--{option} cannot be done") as refused:
        settings.values_of(option, "1", unlimited=UNLIMITED)

    assert refused.value.exit_code not in (0, 20, 21)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", BASE),
        ('PRIVVMPAGES="49152:53575"', {"memory": 53575 * 4096}),
        ('PRIVVMPAGES="49152:53575"\nPHYSPAGES="0:2147483647"', {"memory": 53575 * 4096}),
        ('PRIVVMPAGES="49152:53575"\nPHYSPAGES="0:64M"', {"memory": 64 * MIB}),
        ('PRIVVMPAGES="unlimited"', {"memory": LARGEST_MEMORY}),
        ('PRIVVMPAGES="unlimited"\nPHYSPAGES="0:unlimited"', {"memory": LARGEST_MEMORY}),
        ('NUMPROC="60:70"', {"processes": 70}),
        ('NUMPROC="60:unlimited"', {"processes": MOST_PROCESSES}),
        ('NUMPROC="2147483647"', {"processes": MOST_PROCESSES}),
        ('DISKSPACE="1G:2G"', {"disk": 2048 * MIB}),
        ('CPUS="4"', {"cpus": 4}),
        ('CPULIMIT="20"', {"cpus": 2, "cpu_limit": 0.2}),
        ('CPULIMIT="300"', {"cpus": 2, "cpu_limit": 0.0}),
        ('CPUS="4"\nCPULIMIT="300"', {"cpus": 4, "cpu_limit": 3.0}),
        ('SWAPPAGES="0:16"', {"swap": 65536}),
        ('SWAPPAGES="0:unlimited"', {"swap": -1}),
        ('CPULIMIT="0"', BASE),
        ('CPUUNITS="1000"', {"cpu_weight": 100}),
        ('CPUUNITS="8"', {"cpu_weight": 1}),
        ('CPUUNITS="500000"', {"cpu_weight": 10000}),
        ('CPUMASK="0,2-3"', {"cpu_pin": (0, 2, 3)}),
        ('CPUMASK="all"', {"cpu_pin": ()}),
    ],
)
def test_file_means_limits(text: str, expected: Limits | dict[str, object]) -> None:
    limits = settings.limits_of(parse_config(text, name="101.conf"), BASE)

    if isinstance(expected, Limits):
        assert limits == expected
    else:
        assert {field: getattr(limits, field) for field in expected} == expected


@pytest.mark.parametrize(
    "text", ['NUMPROC="many"', 'DISKSPACE="1:2:3"', 'CPUS="two"', 'CPUUNITS="1"', 'CPUMASK="x"']
)
def test_file_with_a_value_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="Bad parameter for --"):
        settings.limits_of(parse_config(text, name="101.conf"), BASE)


@pytest.mark.parametrize(
    ("text", "terminals"),
    [
        ("", MOST_TERMINALS),
        ('NUMPTY="16:16"', 16),
        ('NUMPTY="unlimited"', MOST_TERMINALS),
        ('NUMPTY="5000:5000"', MOST_TERMINALS),
    ],
)
def test_terminals_are_those_of_the_file_and_no_more_than_there_can_be(
    text: str, terminals: int
) -> None:
    config = parse_config(f"{text}\n", name="101.conf")

    assert settings.limits_of(config, Limits()).terminals == terminals


def test_what_no_value_of_a_key_says_exactly_is_not_begun_with() -> None:
    limits = Limits(io_weight=1000, cpu_limit=0.123, io_read=MIB, iops_read=10, iops_write=20)
    guest = make_guest(1, limits=limits)
    keys = ["IOPRIO", "CPULIMIT", "IOLIMIT", "IOPSLIMIT", "NUMPROC"]

    assert list(standing.begun(guest, ConfigFile(), keys).names()) == ["NUMPROC"]
    assert standing.begun(make_guest(1, number=101), ConfigFile(), keys) == ConfigFile()
