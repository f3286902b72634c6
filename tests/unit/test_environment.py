import json

import pytest

from wirt.bench import caveats
from wirt.bench.environment import StealMeter, describe_environment, steal_percent
from wirt.host.facts import CpuTimes
from wirt.model.capability import no, yes


def test_describe_environment_is_json_with_the_keys_of_the_format() -> None:
    environment = describe_environment("/", approaches=[yes("lxc", "works"), no("kvm", "no CPU")])

    assert json.loads(json.dumps(environment)) == environment
    assert {
        "cpu",
        "load_before",
        "node_is_guest",
        "memory_bytes",
        "swap_bytes",
        "kernel",
        "kernel_cmdline",
        "distribution",
        "programs",
        "mitigations",
        "clocksource",
        "filesystem",
        "cgroup",
        "temperature_c",
        "ksm",
        "transparent_hugepages",
        "aslr",
    } <= environment.keys()
    assert environment["cpu"]["count"] >= 1
    assert environment["approaches"]["kvm"] == {"available": False, "reason": "no CPU"}


def test_describe_environment_names_the_host_only_when_asked() -> None:
    assert "hostname" not in describe_environment("/")
    assert describe_environment("/", hostname=True)["hostname"]


def test_describe_environment_is_understood_by_the_caveats() -> None:
    environment = describe_environment("/") | {"load_before": 99.0, "node_is_guest": "firecracker"}

    lines = caveats.of_environment(environment)

    assert any("load 99.00" in line for line in lines)
    assert any("firecracker" in line for line in lines)


def test_steal_percent_between_two_readings_is_the_share_taken() -> None:
    begin, end = CpuTimes(total=100, idle=0, steal=1), CpuTimes(total=200, idle=0, steal=3)

    assert steal_percent(begin, end) == pytest.approx(2.0)


@pytest.mark.parametrize("end", [None, CpuTimes(total=100, idle=0, steal=1)])
def test_steal_percent_without_time_passed_is_unknown(end: CpuTimes | None) -> None:
    assert steal_percent(CpuTimes(total=100, idle=0, steal=1), end) is None


def test_steal_meter_on_this_machine_stays_within_a_share() -> None:
    percent = StealMeter().percent()

    assert percent is None or 0 <= percent <= 100
