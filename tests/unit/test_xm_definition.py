"""Definitions of domains: variables, disks, cards and S-expressions, there and back."""

import pytest

from wirt.dialects.xm import sxp
from wirt.dialects.xm.definition import define, from_sxp, read_cpus, to_sxp
from wirt.dialects.xm.devices import device_number, parse_card, parse_disk
from wirt.dialects.xm.pyfile import Value
from wirt.dialects.xm.variables import read_assignments
from wirt.errors import InvalidInput
from wirt.model.rates import Rates

EVERYTHING: dict[str, Value] = {
    "name": "xenU_1",
    "template": "debian-12-web",
    "kernel": "/boot/vmlinuz",
    "ramdisk": "/boot/initrd",
    "builder": "hvm",
    "memory": 256,
    "maxmem": 512,
    "vcpus": 2,
    "cpus": "0-3,^1",
    "cpu_weight": 512,
    "cpu_cap": 50,
    "on_reboot": "restart",
    "uuid": "1-2",
    "disk": ["phy:vg/a,sda1,w", "tap:aio:/srv/b,hdc:cdrom,r,2"],
    "vif": ["bridge=xenbr0,mac=00:16:3e:00:00:01", ""],
    "root": "/dev/sda1 ro",
    "extra": "4 it's (here)",
    "ip": "192.168.0.2",
    "netmask": "255.255.255.0",
    "gateway": "192.168.0.1",
    "hostname": "web",
    "acpi": 1,
    "vnc": 1,
}


def test_definition_comes_back_from_its_expression() -> None:
    definition = define(EVERYTHING, name="file")
    text = sxp.render(to_sxp(definition))
    (expression,) = sxp.parse(text, name="file")
    again = define(from_sxp(expression, name="file"), name="file")

    assert again == definition
    assert sxp.render(to_sxp(again)) == text


def test_nothing_of_it_is_needed_but_a_name() -> None:
    definition = define({"name": "web"}, name="file")
    (expression,) = sxp.parse(sxp.render(to_sxp(definition)), name="file")

    assert define(from_sxp(expression, name="file"), name="file") == definition
    assert (definition.number("memory"), definition.number("vcpus")) == (128, 1)
    assert (definition.builder, definition.pin, definition.weight) == ("linux", (), None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": None}, 'file: the domain has no name; set it: name = "..."'),
        ({"disk": 3}, "file: disk is no list of strings: 3"),
        ({"name": [1]}, "file: name is no string: [1]"),
        ({"name": "a\nb"}, "file: name is not in one line"),
        ({"vcpus": 0}, "file: vcpus cannot be 0"),
        (
            {"disk": ["phy:a,sda,w", "phy:b,sda,w"]},
            "file: there are two disks sda; rename one",
        ),
        (
            {"irq": ["7"]},
            "file: irq cannot be set: no device of the node is given to a guest; leave it out",
        ),
    ],
)
def test_definition_that_cannot_be_is_refused(values: dict[str, Value], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        define({"name": "web", **values}, name="file")

    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text",
    ["phy:a", "phy:a,b", "a,sda,w", "nbd:a,sda,w", "tap:a,sda,w", "phy:a,sda,x", "phy:a,floppy,w",
     "phy:,sda,w", "phy:a,sda,w,0,1"],
)  # fmt: skip
def test_disk_that_is_not_written_as_disks_are_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=f"^Invalid disk specifier: {text}"):
        parse_disk(text)


@pytest.mark.parametrize(
    ("text", "path", "driver"),
    [
        ("phy:vg/a,sda1,w", "/dev/vg/a", "raw"),
        ("phy:/dev/loop0,sda1,w", "/dev/loop0", "raw"),
        ("file:/srv/a.img,sda1,w", "/srv/a.img", "raw"),
        ("tap:aio:/srv/a.img,sda1,w", "/srv/a.img", "raw"),
        ("tap:qcow:/srv/a.qcow,sda1,w", "/srv/a.qcow", "qcow"),
    ],
)
def test_disk_is_found_on_the_node(text: str, path: str, driver: str) -> None:
    disk = parse_disk(text)

    assert (disk.path, disk.driver, disk.written()) == (path, driver, text)


@pytest.mark.parametrize(
    ("name", "number"),
    [("sda1", 2049), ("sdb", 2064), ("xvda", 51712), ("hda", 768), ("hdb3", 835), ("hdc", 5632)],
)
def test_device_has_the_number_that_linux_gives_it(name: str, number: int) -> None:
    assert device_number(name) == number


@pytest.mark.parametrize(
    ("text", "cpus"), [("0,2-4,^3", (0, 2, 4)), ("all", ()), ("", ()), ("1", (1,))]
)
def test_cpus_are_read_as_xm_writes_them(text: str, cpus: tuple[int, ...]) -> None:
    assert read_cpus(text) == cpus


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(a", "file: a bracket is not closed"),
        ("(a\n))", "file:2: there is a closing bracket too many"),
        ("(a\n'b)", "file:2: a quote is not closed"),
        ("(" * 60, "file:1: this is nested too deeply"),
    ],
)
def test_expression_that_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        sxp.parse(text, name="file")

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("()", "file: this is no domain; it begins with (vm"),
        ("(vm (image))", "file: the image has no builder; such as (image (linux))"),
        ("(vm (device (usb)))", "file: a device is neither a vbd nor a vif"),
    ],
)
def test_expression_of_no_domain_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_sxp(sxp.parse(text, name="file")[0], name="file")

    assert str(caught.value) == message


def test_comments_and_quotes_of_expressions_are_read() -> None:
    text = '# xend\n(network-script \'network-bridge bridge=br0\')\n(a "b \\"c\\"" d) # end'

    assert sxp.parse(text, name="file") == [
        ["network-script", "network-bridge bridge=br0"],
        ["a", 'b "c"', "d"],
    ]


def test_command_line_sets_strings_and_grows_lists_and_gives_numbers_to_files() -> None:
    found = read_assignments(["memory=300", "vmid=3", "vif=a=1", "vif=", "extra=a=b"])

    assert found == {"memory": "300", "vmid": 3, "vif": ["a=1", ""], "extra": "a=b"}


@pytest.mark.parametrize(
    ("said", "bits"),
    [
        ("10MB/s", 80_000_000),
        ("80Mb/s", 80_000_000),
        ("500KB/s@20ms", 4_000_000),
        ("1Gb/s@50us", 1_000_000_000),
        ("125000B/s", 1_000_000),
    ],
)
def test_rate_of_a_card_is_what_it_sends_in_bits(said: str, bits: int) -> None:
    assert parse_card(f"bridge=xenbr0, rate={said}").rates == Rates(outward=bits)


@pytest.mark.parametrize("said", ["10", "10MB", "10mb/s", "-1MB/s", "fast", "1TB/s", "1MB/s@"])
def test_rate_of_a_card_that_is_none_says_what_one_is(said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        str(parse_card(f"rate={said}").rates)

    assert str(caught.value) == f"{said} is not a rate; such as rate=10MB/s or rate=80Mb/s"
