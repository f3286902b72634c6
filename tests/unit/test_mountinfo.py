from wirt.host.mountinfo import Mount, parse_mounts

LINES = [
    "25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw,discard",
    "31 25 0:29 / /sys/fs/cgroup/cpu rw,nosuid - cgroup cgroup rw,cpu",
    r"90 25 254:0 /a\040b /mnt/with\040space\134and\011tab rw master:2 propagate_from:1 - ext4 /dev/root rw",
    "91 25 0:50 / /odd rw - fuse  rw",
]


def test_parse_mounts_reads_the_kernels_line() -> None:
    assert parse_mounts(LINES[:1]) == [
        Mount(
            mount_point="/",
            device_number="254:0",
            root="/",
            type="ext4",
            source="/dev/root",
            options="rw,relatime",
            super_options="rw,discard",
        )
    ]


def test_parse_mounts_keeps_the_order() -> None:
    assert [mount.mount_point for mount in parse_mounts(LINES[:2])] == ["/", "/sys/fs/cgroup/cpu"]


def test_parse_mounts_unescapes_and_skips_the_fields_on_propagation() -> None:
    mount = parse_mounts(LINES[2:3])[0]

    assert mount.mount_point == "/mnt/with space\\and\ttab"
    assert mount.root == "/a b"
    assert mount.type == "ext4"


def test_parse_mounts_takes_an_empty_source() -> None:
    assert parse_mounts(LINES[3:])[0].source == ""
