"""Foreign tars: ordinary ones come through whole, hostile ones are refused before anything is unpacked."""

import gzip
import io
import lzma
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from wirt.errors import InvalidInput, OutOfSpace
from wirt.storage.templates.archive import Contents, normalise
from wirt.units import GIB, MIB

RELEASE = b'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
FROM_INSIDE = "; pack it from inside its root: tar -C ROOT -cf FILE ."


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def write_tar(path: Path, members: Sequence[tarfile.TarInfo], *, release: bool = True) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(member("./usr", tarfile.DIRTYPE))
        for one in members:
            tar.addfile(one, io.BytesIO(bytes(one.size)))
        if release:
            info = member("./etc/os-release")
            info.size = len(RELEASE)
            tar.addfile(info, io.BytesIO(RELEASE))
    return path


def import_of(path: Path, *, room: int = GIB) -> Contents:
    return normalise(str(path), str(path.with_suffix(".out")), room=room)


def members_of(path: Path) -> dict[str, tarfile.TarInfo]:
    plain = subprocess.run(
        ["zstd", "-dcq", path.with_suffix(".out")], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return {one.name: one for one in tar}


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        ([member("../etc/cron.d/x")], "'../etc/cron.d/x' is a path with .."),
        ([member("usr/../../x")], "'usr/../../x' is a path with .."),
        ([member("/etc/shadow")], "'/etc/shadow' is an absolute path"),
        (
            [member("x", tarfile.LNKTYPE, "/etc/shadow")],
            "'x' is a hard link to '/etc/shadow', an absolute path",
        ),
        (
            [member("x", tarfile.LNKTYPE, "../../etc/shadow")],
            "'x' is a hard link to '../../etc/shadow', a path with ..",
        ),
        (
            [member("a", tarfile.SYMTYPE, "/etc/shadow"), member("x", tarfile.LNKTYPE, "a")],
            "'x' is a hard link to 'a', which is no file before it in the archive",
        ),
        (
            [member("./a", tarfile.SYMTYPE, "/etc"), member("a/cron.d/x")],
            "'a/cron.d/x' lies below the symbolic link a",
        ),
        (
            [
                member("a", tarfile.SYMTYPE, "/etc"),
                member("a", tarfile.DIRTYPE),
                member("a/x"),
            ],
            "'a/x' lies below the symbolic link a",
        ),
        ([member("x", b"Z")], "'x' is of the unknown type b'Z'"),
    ],
)
def test_hostile_member_is_refused_by_name_and_reason(
    tmp_path: Path, hostile: list[tarfile.TarInfo], reason: str
) -> None:
    path = write_tar(tmp_path / "evil.tar", hostile)

    with pytest.raises(InvalidInput) as caught:
        import_of(path)

    assert str(caught.value) == f"evil.tar was not imported: its member {reason}{FROM_INSIDE}"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_device_node_is_refused_with_the_way_to_leave_it_out(tmp_path: Path, kind: bytes) -> None:
    path = write_tar(tmp_path / "evil.tar", [member("./dev/sda", kind)])

    with pytest.raises(InvalidInput) as caught:
        import_of(path)

    assert str(caught.value) == (
        "evil.tar was not imported: its member './dev/sda' is a device node; "
        "leave such nodes out with --skip-devices: a guest gets its own"
    )


def test_ordinary_root_keeps_links_owners_modes_and_capabilities(tmp_path: Path) -> None:
    tool = member("./usr/bin/tool")
    tool.mode, tool.uid, tool.gid, tool.size = 0o4755, 7, 8, 3
    capability = "\x01\x00\x00\x02\x00\x20\x00\x00"
    tool.pax_headers = {
        "SCHILY.xattr.security.capability": capability,
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
    }
    path = write_tar(
        tmp_path / "root.tar",
        [
            tool,
            member("./usr/bin/same", tarfile.LNKTYPE, "./usr/bin/tool"),
            member("./bin", tarfile.SYMTYPE, "usr/bin"),
            member("./etc/mtab", tarfile.SYMTYPE, "/proc/self/mounts"),
        ],
    )

    contents = import_of(path)
    found = members_of(path)

    assert (contents.distribution, contents.suite) == ("debian", "bookworm")
    assert found["etc/mtab"].linkname == "/proc/self/mounts"
    assert found["usr/bin/same"].linkname == "usr/bin/tool"
    copied = found["usr/bin/tool"]
    assert (copied.mode, copied.uid, copied.gid, copied.size) == (0o4755, 7, 8, 3)
    assert copied.pax_headers == {"SCHILY.xattr.security.capability": capability}


@pytest.mark.parametrize("packer", ["plain", "gzip", "xz", "zstd"])
def test_every_packing_is_read(tmp_path: Path, packer: str) -> None:
    path = write_tar(tmp_path / "root.tar", [])
    if packer == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    elif packer == "xz":
        path.write_bytes(lzma.compress(path.read_bytes()))
    elif packer == "zstd":
        subprocess.run(["zstd", "-q", "--rm", path, "-o", tmp_path / "z"], check=True)
        path = tmp_path / "z"

    assert import_of(path).suite == "bookworm"


def test_archive_without_release_file_has_unknown_distribution(tmp_path: Path) -> None:
    contents = import_of(write_tar(tmp_path / "root.tar", [], release=False))

    assert (contents.distribution, contents.suite) == ("unknown", "unknown")


def test_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photos.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(member("root/usr"))

    with pytest.raises(InvalidInput) as caught:
        import_of(path)

    assert str(caught.value) == (
        "photos.tar was not imported: it holds no root file system, "
        "for it has neither usr nor bin at its top" + FROM_INSIDE
    )


@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256)) * 8])
def test_file_that_is_no_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)

    with pytest.raises(InvalidInput) as caught:
        import_of(path)

    assert str(caught.value) == (
        "x.tar is not a tar archive; "
        "give a tar of a root file system, plain or packed with gzip, xz or zstd"
    )


@pytest.mark.parametrize(
    ("length", "reason"),
    [(512 * 3 + 100, "unexpected end of data"), (512 * 2, "it has no end mark")],
)
def test_tar_cut_short_is_refused(tmp_path: Path, length: int, reason: str) -> None:
    big = member("usr/big")
    big.size = 2000
    path = write_tar(tmp_path / "x.tar", [member("usr/a"), big])
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(InvalidInput) as caught:
        import_of(path)

    assert str(caught.value) == (f"x.tar is cut short or damaged: {reason}; fetch or pack it again")


def test_compressed_tar_cut_short_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", [])
    path.write_bytes(gzip.compress(path.read_bytes())[:-6])

    with pytest.raises(InvalidInput) as caught:
        import_of(path)

    assert str(caught.value) == (
        "x.tar is cut short or damaged: gzip cannot read it to its end; fetch or pack it again"
    )


def test_archive_that_unpacks_to_more_than_the_disk_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar"
    claim = member("usr/zeros")
    claim.size = 900 * GIB
    path.write_bytes(claim.tobuf(tarfile.GNU_FORMAT) + bytes(1024))

    with pytest.raises(OutOfSpace) as caught:
        import_of(path, room=100 * MIB)

    assert str(caught.value) == (
        "bomb.tar was not imported: unpacked it takes more than 900.0 GiB, "
        "and 100 MiB are free; free some space and try again"
    )


def test_header_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar"
    header = member("x", tarfile.XHDTYPE)
    header.size = 7 * GIB
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))

    with pytest.raises(InvalidInput) as caught:
        import_of(path)

    assert str(caught.value) == (
        "bomb.tar cannot be read: it has a header of 7 GiB; pack it again with tar"
    )
