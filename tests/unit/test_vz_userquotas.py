"""The tables of ``vzquota stat -t``."""

from wirt.dialects.vz.userquotas import render_user_quotas
from wirt.model.quota import Bounds, Owner, Quota


def test_users_and_groups_are_told_as_vzquota_does() -> None:
    found = [
        Quota(owner=Owner.USER, number=0, bytes=36 * 1024, inodes=7, bounds=Bounds()),
        Quota(
            owner=Owner.GROUP,
            number=1000,
            bytes=1025,
            inodes=1,
            bounds=Bounds(bytes_soft=2048, bytes=4096, inodes_soft=10, inodes=20),
        ),
    ]

    assert render_user_quotas(found, 100) == (
        "User/group quota: on,active\n"
        "Ugids: loaded 2, total 2, limit 100\n"
        "Ugid limit was exceeded: no\n"
        "\n"
        "User/group grace times and quotafile flags:\n"
        " type block_exp_time inode_exp_time  dqi_flags\n"
        " user          7days          7days         0h\n"
        "group          7days          7days         0h\n"
        "\n"
        "User/group objects:\n"
        "ID           type  resource       usage   softlimit   hardlimit    grace status\n"
        "0            user 1k-blocks          36           0           0          loaded\n"
        "0            user    inodes           7           0           0          loaded\n"
        "1000        group 1k-blocks           2           2           4          loaded\n"
        "1000        group    inodes           1          10          20          loaded"
    )


def test_nobody_who_holds_something_has_no_table() -> None:
    assert "objects" not in render_user_quotas([], 0)
