"""The project's tests on a host as its users have one; what the test machine lacks is real there.

Each test here runs tests from other directories inside the lab and fails with their report. Those marked ``long`` are run
by ``make lab`` alone.
"""

import json

import pytest
from tests.lab.host import PROJECT, LabHost

pytestmark = pytest.mark.timeout(1800)


def test_lab_host_has_what_the_test_machine_lacks(lab: LabHost) -> None:
    found = json.loads(lab.wirt_inside("doctor", "--json"))
    approaches = {answer["name"]: answer["available"] for answer in found["approaches"]}
    why = {answer["name"]: answer["reason"] for answer in found["approaches"]}

    assert lab.check("cat", "/proc/1/comm") == "systemd\n"
    assert lab.check("cat", "/sys/module/apparmor/parameters/enabled") == "Y\n"
    assert found["node"]["cgroups"]["mode"] == "v2"
    # QEMU's emulated SVM: /dev/kvm starts a stock kernel, which Wirt tries before it says yes.
    assert approaches["kvm"], why["kvm"]
    assert approaches["lxc"]


def test_cgroups_of_version_2_with_every_controller(lab: LabHost) -> None:
    lab.pytest("tests/host/test_cgroup.py")


def test_containers_on_cgroup_2_under_systemd_and_apparmor(lab: LabHost) -> None:
    lab.pytest("tests/contract/test_approach.py", "tests/contract/test_freezable.py")


def test_disk_in_use_grows(lab: LabHost) -> None:
    lab.pytest("tests/contract/test_resizing.py", "-k", "disk_in_use_grows")


@pytest.mark.long
def test_swap_of_containers_is_counted_and_bounded(lab: LabHost) -> None:
    lab.pytest("tests/lab/inside_swap.py")


@pytest.mark.long
def test_users_of_containers_are_held_to_quotas(lab: LabHost) -> None:
    lab.pytest("tests/lab/inside_quotas.py")


@pytest.mark.long
def test_disks_grow_under_running_guests(lab: LabHost) -> None:
    lab.pytest("tests/lab/inside_growth.py")


@pytest.mark.long
def test_roots_are_thin_volumes_of_lvm(lab: LabHost) -> None:
    pools = ("test_pool.py", "test_resizing.py", "test_snapshots.py", "test_copying.py")
    lab.pytest(*(f"tests/contract/{name}" for name in pools), "-k", "lvm")
    lab.pytest("tests/lab/inside_lvm.py")


@pytest.mark.long
def test_every_port_keeps_its_contract(lab: LabHost) -> None:
    lab.pytest("tests/contract", "tests/host/test_leaks.py")


@pytest.mark.long
def test_containers_are_counted_on_cgroup_2(lab: LabHost) -> None:
    lab.pytest("tests/guest/test_counters.py", "tests/host/test_process_usage.py")


@pytest.mark.long
def test_containers_are_held_to_what_they_are_given_on_cgroup_2(lab: LabHost) -> None:
    chosen = "reboots or devices_and_rights or soft_limit or number_of_writes or weight_of_a_disk"
    files = ("test_ended_inside.py", "test_privileges.py", "test_disks.py", "test_set.py")
    lab.pytest(*(f"tests/cli/{file}" for file in files), "-k", chosen)


@pytest.mark.long
def test_checkpoints_rest_on_each_other(lab: LabHost) -> None:
    criu = f"{PROJECT}/build/criu/criu"
    assert "is supported" in lab.check(criu, "check", "--feature", "mem_dirty_track")
    lab.pytest("tests/contract/test_checkpointable.py", "-k", "lxc")
    lab.pytest("tests/lab/inside_checkpoints.py")


@pytest.mark.long
def test_containers_go_on_where_their_profile_is_another(lab: LabHost) -> None:
    lab.pytest("tests/lab/inside_restores.py")


@pytest.mark.long
def test_shipped_web_server_is_checkpointed_on_cgroup_2(lab: LabHost) -> None:
    """Its systemd has groups of its own below the container's, whose files it watches."""
    lab.put_packed("debian-12-web")
    state = ("exec", "web", "--", "systemctl", "is-system-running")
    limit = ("exec", "web", "--", "cat", "/sys/fs/cgroup/system.slice/apache2.service/pids.max")

    lab.wirt_inside("create", "web")
    lab.wirt_inside("start", "web")
    lab.check("/bin/sh", "-c", _UNTIL_IT_RUNS)
    before = lab.wirt_inside(*limit)
    lab.wirt_inside("checkpoint", "web", "one")
    lab.wirt_inside("resume", "web")
    states = [lab.wirt_inside(*state)]
    after = lab.wirt_inside(*limit)
    lab.wirt_inside("exec", "web", "--", "systemctl", "restart", "apache2")
    states.append(lab.wirt_inside(*state))
    page = lab.check("python3", "-c", _FETCH.format(name="web"))
    served = lab.wirt_inside("exec", "web", "--", "cat", "/var/www/html/index.html")
    lab.wirt_inside("destroy", "--force", "web")

    assert states == ["running\n"] * 2
    assert after == before != "max\n"
    assert page == served


@pytest.mark.long
def test_memory_of_a_guest_goes_ahead_of_it(lab: LabHost) -> None:
    lab.pytest("tests/lab/inside_migrations.py")
    lab.pytest("tests/crash/test_migrate.py", "-k", "container and live", "--timeout=1500")


@pytest.mark.long
def test_kills_and_interrupts_leave_nothing(lab: LabHost) -> None:
    lab.pytest("tests/crash")


@pytest.mark.long
def test_kvm_runs_the_shipped_template(lab: LabHost) -> None:
    lab.put_template("debian-12-web")

    lab.wirt_inside("create", "inner", "-a", "kvm", "--memory", "512M")
    lab.wirt_inside("start", "inner")
    system = lab.wirt_inside("exec", "inner", "--", "systemd-detect-virt").strip()
    page = lab.wirt_inside("exec", "inner", "--", "cat", "/var/www/html/index.html")
    served = lab.check("python3", "-c", _FETCH.format(name="inner"))
    lab.wirt_inside("stop", "inner")
    lab.wirt_inside("destroy", "inner")

    assert system == "kvm"
    assert served == page


_UNTIL_IT_RUNS = f"""
for i in $(seq 60); do
    [ "$({PROJECT}/.venv/bin/wirt exec web -- systemctl is-system-running)" != running ] || exit 0
    sleep 1
done
exit 1
"""
_FETCH = """
import json, subprocess, urllib.request
shown = subprocess.run(["/opt/wirt/.venv/bin/wirt", "show", "{name}", "--json"], capture_output=True, check=True)
address = json.loads(shown.stdout)["address"]
print(urllib.request.urlopen("http://" + address + "/", timeout=60).read().decode(), end="")
"""
