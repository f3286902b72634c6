"""Files of snapshots that are damaged, or that mean harm: each is refused before anything is changed."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.pair import Nodes
from tests.snapshotfiles import add, change, kept, nodes, refused, seal, unpacked

from wirt.errors import (
    Corrupt,
    Error,
    InvalidInput,
)
from wirt.ops.snapshotfiles import read

__all__ = ["kept", "nodes"]

AGAIN = "copy it again from where it was written"
FROM_WHOM = "import it from whom it was exported by"


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        (
            lambda c: c[: len(c) // 2],
            Corrupt,
            f"one.wirt is cut short: its end is missing; {AGAIN}",
        ),
        (lambda c: c[:-1], Corrupt, f"one.wirt is cut short: its end is missing; {AGAIN}"),
        (lambda c: c[:20], Corrupt, f"one.wirt is cut short: its end is missing; {AGAIN}"),
        (
            lambda c: c[:99] + bytes([c[99] ^ 1]) + c[100:],
            Corrupt,
            f"one.wirt is damaged: it is not what was written; {AGAIN}",
        ),
        (
            lambda c: c[:-1] + bytes([c[-1] ^ 1]),
            Corrupt,
            f"one.wirt is damaged: it is not what was written; {AGAIN}",
        ),
        (
            lambda c: b"hello\n",
            InvalidInput,
            "one.wirt holds no snapshot of a guest; see what it is: file {path}",
        ),
        (
            lambda c: b"",
            InvalidInput,
            "one.wirt holds no snapshot of a guest; see what it is: file {path}",
        ),
    ],
)
def test_damaged_file_is_refused_before_anything_is_changed(
    nodes: Nodes, kept: str, damage: Callable[[bytes], bytes], kind: type[Error], message: str
) -> None:
    Path(kept).write_bytes(damage(Path(kept).read_bytes()))
    error = refused(nodes.other(), kept)

    assert type(error) is kind
    assert str(error) == message.format(path=kept)


def test_file_that_is_not_there_is_refused(nodes: Nodes) -> None:
    error = refused(nodes.other(), "/nowhere/one")

    assert str(error) == "there is no file /nowhere/one; check the path"


def test_other_packed_file_is_refused(nodes: Nodes, kept: str) -> None:
    seal(kept, b"no tar")
    first = refused(nodes.other(), kept)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("usr"))
    seal(kept, content.getvalue())
    second = refused(nodes.other(), kept)

    assert first.message == "one.wirt is not a tar archive"
    assert str(second) == f"one.wirt holds no snapshot of a guest; {FROM_WHOM}"


LINK, HARD, DEVICE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE


@pytest.mark.parametrize(
    ("name", "attributes", "reason"),
    [
        ("../out", {}, "is a path with .."),
        ("disk/../../out", {}, "is a path with .."),
        ("/etc/passwd", {}, "is an absolute path"),
        ("disk/null", {"type": DEVICE, "devmajor": 1, "devminor": 3}, "is a device node"),
        ("memory/null", {"type": DEVICE}, "is nothing that a snapshot has"),
        ("memory/link", {"type": LINK, "linkname": "/etc"}, "is nothing that a snapshot has"),
        (
            "memory/images/parent",
            {"type": LINK, "linkname": "/etc"},
            "is nothing that a snapshot has",
        ),
        ("memory/images/deep/file", {}, "is nothing that a snapshot has"),
        ("more", {}, "is nothing that a snapshot has"),
        (
            "template/hard",
            {"type": HARD, "linkname": "what.json"},
            "is nothing that a snapshot has",
        ),
        ("disk/hard", {"type": HARD, "linkname": "what.json"}, "is a hard link to another part"),
        (
            "disk/hard",
            {"type": HARD, "linkname": "/etc/passwd"},
            "is a hard link to '/etc/passwd', an absolute path",
        ),
        ("memory/manifest.json", {}, "is there twice"),
        ("disk/data", {}, "is there twice"),
        ("disk/odd", {"type": b"Z"}, "is of the unknown type b'Z'"),
    ],
)
def test_member_that_could_do_harm_is_refused(
    nodes: Nodes, kept: str, name: str, attributes: dict[str, object], reason: str
) -> None:
    if name == "disk/data":
        data = [line for line in tar_names(kept) if line.endswith("/data")]
        assert data == ["disk/data"]
    add(kept, name, **attributes)
    error = refused(nodes.other(), kept)

    assert str(error) == f"one.wirt was not imported: its member {name!r} {reason}; {FROM_WHOM}"


def tar_names(path: str) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(unpacked(path))) as tar:
        return tar.getnames()


def test_member_below_a_link_is_refused(nodes: Nodes, kept: str) -> None:
    add(kept, "disk/etc", type=LINK, linkname="/etc")
    add(kept, "disk/etc/passwd")
    error = refused(nodes.other(), kept)

    assert str(error) == (
        "one.wirt was not imported: its member 'disk/etc/passwd' lies below the symbolic link "
        f"disk/etc; {FROM_WHOM}"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "../../x"}, "'../../x' is no id"),
        (
            {"name": "../x"},
            "'../x' is not a guest name; use a-z, 0-9 and inner hyphens, such as web-1",
        ),
        ({"address": "here"}, "'here' does not appear to be an IPv4 or IPv6 address"),
        ({"template_sha256": "../x"}, "its template has no checksum"),
        ({"snapshots": ()}, "it has another number of snapshots than one"),
    ],
)
def test_definition_that_cannot_be_is_refused(
    nodes: Nodes, kept: str, changes: dict[str, object], reason: str
) -> None:
    guest = msgspec.structs.replace(read(kept).guest, **changes)
    change(kept, guest=guest)
    error = refused(nodes.other(), kept)

    assert type(error) is Corrupt
    assert str(error) == (
        f"one.wirt was not imported: what it says of its guest cannot be: {reason}; {FROM_WHOM}"
    )


def test_file_of_a_newer_wirt_is_refused(nodes: Nodes, kept: str) -> None:
    change(kept, version=2)
    error = refused(nodes.other(), kept)

    assert str(error) == "one.wirt was written by a newer Wirt; install the same version here"
