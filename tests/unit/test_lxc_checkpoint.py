"""What stands in the way of a container's checkpoint, and the scripts that a restore runs, from values alone."""

import msgspec

from wirt.approaches.lxc.groups import Entry, Group
from wirt.approaches.lxc.obstacles import Seen, judge
from wirt.approaches.lxc.restorescript import RestorePlan, build_criu_script, build_network_script
from wirt.host.mountinfo import Mount
from wirt.model.resources import Nic, NicKind

NIC = Nic(
    kind=NicKind.VETH,
    interface="wabcd12ab34",
    bridge="wirt-abcd",
    mac="02:00:00:12:ab:34",
    address="10.64.0.7",
    prefix=20,
    gateway="10.64.0.1",
)
PLAN = RestorePlan(
    criu="/opt/criu",
    options=["--images-dir=/a b"],
    name="wabcd-12ab34",
    groups=[
        Group(hierarchy="/sys/fs/cgroup/pids", below="", entries=[], values={}),
        Group(
            hierarchy="/sys/fs/cgroup/pids",
            below="/web.service",
            entries=[Entry(name="", uid=1000000, gid=1000000, mode=0o755)],
            values={"pids.max": "512"},
        ),
    ],
    nics=[NIC],
)


def mounted(kind: str, point: str) -> Mount:
    return Mount(
        mount_point=point,
        device_number="0:7",
        root="/",
        type=kind,
        source="none",
        options="rw",
        super_options="rw",
    )


def told(processes: list[Seen], mounts: list[Mount], devices: list[str], rules: int) -> list[str]:
    return [
        f"{one.what} {one.reason}; {one.hint}" for one in judge(processes, mounts, devices, rules)
    ]


def test_what_can_be_kept_is_no_obstacle() -> None:
    init = Seen(number=1, name="systemd", unit="init.scope")

    assert told([init], [mounted("tmpfs", "/run")], [], 0) == []


def test_every_obstacle_is_named_with_what_to_do() -> None:
    processes = [
        Seen(number=7, name="sh", unit=None, is_from_outside=True),
        Seen(number=8, name="sleep", unit=None, is_led_from_outside=True),
        Seen(number=9, name="gdb", unit=None, is_traced=True),
        Seen(number=10, name="logind", unit="logind.service", own=("mnt", "uts")),
        Seen(number=11, name="logind", unit="logind.service", own=("mnt", "uts")),
        Seen(number=12, name="unshare", unit=None, own=("net",)),
        Seen(number=13, name="vm", unit=None, files=("device that cannot be kept: /dev/kvm",)),
        Seen(number=1, name="systemd", unit=None, watches_btrfs=True),
    ]
    mounts = [
        mounted("overlay", "/"),
        mounted("fuse.sshfs", "/far"),
        mounted("ramfs", "/run/credentials/a.service"),
        mounted("overlay", "/srv/o"),
    ]

    assert told(processes, mounts, ["wg0"], 3) == [
        "process 7 (sh) was started from outside by wirt exec or enter and still runs; "
        "wait until it ends",
        "process 8 (sleep) is in a session that was begun outside by wirt exec or enter; "
        "end it and start it as a service, or with setsid -f",
        "process 9 (gdb) is being traced; end its debugger",
        "unit logind.service has a view of its own of mounts and host name; "
        "switch its sandboxing off: wirt checkpoint --prepare",
        "process 12 (unshare) has a view of its own of network; end it",
        "process 13 (vm) holds a device that cannot be kept: /dev/kvm; "
        "end it, or have it close that",
        "mount /far is of a kind that cannot be kept: fuse.sshfs; unmount it: umount /far",
        "mount /run/credentials/a.service is of a kind that cannot be kept: ramfs; "
        "switch its sandboxing off: wirt checkpoint --prepare",
        "mount /srv/o is of a kind that cannot be kept: overlay; unmount it: umount /srv/o",
        "process 1 (systemd) watches files (inotify) of a btrfs, which would be others when it goes "
        "on; keep the guest on a pool of another kind, directory or image",
        "device wg0 was made in the guest and would not be there again; "
        "remove it: ip link delete wg0",
        "packet filter of the guest has rules that would not be there again: 3; "
        "remove them: nft flush ruleset",
    ]


def test_units_that_can_be_prepared_are_known() -> None:
    found = judge(
        [Seen(number=10, name="logind", unit="logind.service", own=("mnt",))],
        [mounted("ramfs", "/run/credentials/a.service"), mounted("nfs", "/far")],
        [],
        0,
    )

    assert [one.unit for one in found] == ["logind.service", "a.service", None]


def test_script_for_criu_makes_the_cgroups_first() -> None:
    lines = build_criu_script(PLAN).splitlines()
    group = "/sys/fs/cgroup/pids/wabcd-12ab34/lxc.payload.wabcd-12ab34"

    assert lines[2:] == [
        '[ "$1" != --version ] || exec echo "Version: 4.0"',
        '[ "$1" = restore ] || exec /opt/criu "$@"',
        'for word; do [ "$before" != --root ] || root=$word; before=$word; done',
        f"mkdir -p {group} {group}/web.service",
        f"echo 512 >{group}/web.service/pids.max",
        f"chown 1000000:1000000 {group}/web.service",
        f"chmod 755 {group}/web.service",
        "exec /opt/criu restore --root \"$root\" '--images-dir=/a b'",
    ]


def test_groups_that_take_no_processes_once_they_give_controllers_away_do_so_later() -> None:
    tree = "/sys/fs/cgroup"
    groups = [
        Group(hierarchy=tree, below="", entries=[], values={"cgroup.subtree_control": "+pids"}),
        *(msgspec.structs.replace(one, hierarchy=tree) for one in PLAN.groups[1:]),
    ]
    plan = msgspec.structs.replace(PLAN, groups=groups, late=[tree])
    first, then = build_criu_script(plan).splitlines(), build_network_script(plan).splitlines()
    group = f"{tree}/wabcd-12ab34/lxc.payload.wabcd-12ab34"

    assert first[-2] == f"mkdir -p {group} {group}/web.service"
    assert then[3:9] == [
        "post-setup-namespaces)",
        f"echo +pids >{group}/cgroup.subtree_control",
        f"echo 512 >{group}/web.service/pids.max",
        f"chown 1000000:1000000 {group}/web.service",
        f"chmod 755 {group}/web.service",
        "exit 0 ;;",
    ]


def test_script_for_criu_goes_first_with_all_that_it_restores_if_it_may() -> None:
    shares = "/sys/fs/cgroup/cpu/wabcd-12ab34/cpu.shares"
    plan = msgspec.structs.replace(PLAN, first=["first"], urgent={shares: "102400"}, groups=[])
    lines = build_criu_script(plan).splitlines()

    assert lines[3:5] == ["chrt --rr --pid 1 $$", "echo -20 2>&- >/proc/$$/autogroup"]
    assert lines[-2:] == [
        f"echo 102400 >{shares}",
        "exec first /opt/criu restore --root \"$root\" '--images-dir=/a b'",
    ]


def test_end_of_a_card_on_the_node_is_named_last_and_a_name_that_is_taken_keeps_nobody() -> None:
    nic = msgspec.structs.replace(PLAN.nics[0], node_name="veth101.1", node_mac="02:00:5e:00:53:02")
    lines = build_network_script(msgspec.structs.replace(PLAN, nics=[nic])).splitlines()

    assert lines[3:10] == [
        "post-restore) ip -batch - <<END || exit 1",
        "link set wabcd12ab34 master wirt-abcd",
        "END",
        "ip -force -batch - <<END",
        "link property add dev wabcd12ab34 altname veth101.1",
        "END",
        "exit 0 ;;",
    ]
    assert any(line.startswith("link add wabcd12ab34 address 02:00:5e:00:53:02 ") for line in lines)


def test_container_that_is_not_to_go_on_is_frozen_by_the_first_freezer_that_is_there() -> None:
    freezers = {"/a b/cgroup.freeze": "1", "/c/freezer.state": "FROZEN"}
    lines = build_network_script(msgspec.structs.replace(PLAN, freezers=freezers)).splitlines()

    assert lines[6:10] == [
        "pre-resume)",
        "[ ! -e '/a b/cgroup.freeze' ] || { echo 1 >'/a b/cgroup.freeze'; exit; }",
        "[ ! -e /c/freezer.state ] || { echo FROZEN >/c/freezer.state; exit; }",
        "exit 1 ;;",
    ]


def test_script_for_the_network_makes_the_card_of_a_start_and_joins_it_when_all_is_restored() -> (
    None
):
    lines = build_network_script(PLAN).splitlines()

    assert lines[2:9] == [
        'case "$CRTOOLS_SCRIPT_ACTION" in',
        "post-restore) exec ip -batch - <<END ;;",
        "link set wabcd12ab34 master wirt-abcd",
        "END",
        "setup-namespaces) ;;",
        "*) exit 0 ;;",
        "esac",
    ]
    assert lines[10:] == [
        "link add wabcd12ab34 type veth peer name eth0 address 02:00:00:12:ab:34 netns $CRTOOLS_INIT_PID",
        "link set wabcd12ab34 up",
        "END",
        "exec nsenter --net=/proc/$CRTOOLS_INIT_PID/ns/net ip -batch - <<END",
        "link set lo up",
        "link set eth0 up",
        "address add 10.64.0.7/20 broadcast + dev eth0",
        "route add default via 10.64.0.1",
        "END",
    ]
