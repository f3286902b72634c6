from wirt.console.node import render_node
from wirt.ops.node import NodeReport, Resource
from wirt.units import GIB


def test_report_is_a_row_for_each_resource_with_a_dash_for_what_is_not_known() -> None:
    report = NodeReport(
        guests=1,
        running=0,
        cpus=Resource(has=2, reserved=0.2, guaranteed=0.5, limited=3, used=None),
        memory=Resource(
            has=8 * GIB, reserved=GIB, guaranteed=0, limited=512 * 2**20, used=1.5 * GIB
        ),
        disk=Resource(has=100 * GIB, reserved=None, guaranteed=None, limited=4 * GIB, used=GIB),
    )

    assert render_node(report) == (
        "            HAS  RESERVED  GUARANTEED  LIMITED   IN USE\n"
        "CPUs          2       0.2         0.5        3        -\n"
        "memory    8 GiB     1 GiB         0 B  512 MiB  1.5 GiB\n"
        "disk    100 GiB         -           -    4 GiB    1 GiB\n"
        "\n"
        "1 guest, 0 running"
    )
