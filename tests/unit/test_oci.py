"""OCI image layouts: what the layers make together, and the exact words for what is refused."""

import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.layouts import BASE, OCI, PLATFORM, RELEASE, Entry, LayoutBuilder, digest_of

from wirt.errors import InvalidInput, OutOfSpace
from wirt.storage.templates import oci
from wirt.storage.templates.archive import Contents
from wirt.units import GIB, MIB

AGAIN = "; fetch or copy the image again"
OTHER = {"architecture": "s390x", "os": "linux"}


def flatten(
    path: Path,
    *,
    image: str | None = None,
    skip_devices: bool = False,
    room: int = GIB,
) -> Contents:
    return oci.flatten(
        str(path),
        f"{path}.out",
        f"{path}.work",
        room=room,
        image=image,
        skip_devices=skip_devices,
    )


def root_of(path: Path) -> dict[str, str]:
    """Return what came out: path -> content, "DIR", or "-> " and where a link leads."""
    plain = subprocess.run(["zstd", "-dcq", f"{path}.out"], check=True, capture_output=True).stdout
    found = {}
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        for member in tar:
            assert member.name not in found, "a path of the root comes twice"
            body = tar.extractfile(member) if member.isreg() else None
            found[member.name] = (
                body.read().decode()
                if body is not None
                else "DIR"
                if member.isdir()
                else f"-> {member.linkname}"
                if member.issym()
                else f"= {member.linkname}"
            )
    return found


@pytest.fixture
def layout(tmp_path: Path) -> LayoutBuilder:
    return LayoutBuilder(tmp_path / "app")


def merged(layout: LayoutBuilder, *layers: Sequence[Entry]) -> dict[str, str]:
    """Return the root that the layers make on the base, without what the base brings."""
    path = layout.write_index(layout.add_image([BASE, *layers]))
    flatten(path)
    base = {"usr": "DIR", "etc": "DIR", "usr/lib": "DIR"}
    base["usr/lib/os-release"] = RELEASE.decode()
    return {name: what for name, what in root_of(path).items() if base.get(name) != what}


def refusal_of(path: Path, *, image: str | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        flatten(path, image=image)
    return str(caught.value)


@pytest.mark.parametrize("packing", ["", "gzip", "zstd"])
@pytest.mark.parametrize("form", ["directory", "tar"])
def test_layout_in_every_packing_is_read(
    layout: LayoutBuilder, tmp_path: Path, packing: str, form: str
) -> None:
    layers = [BASE, [Entry("etc/motd", b"hello")]]
    path = layout.write_index(layout.add_image(layers, packing=packing))
    if form == "tar":
        path = layout.as_tar(tmp_path / "app.tar")
    contents = flatten(path)

    assert oci.is_layout(str(path))
    assert (contents.distribution, contents.suite) == ("debian", "bookworm")
    assert contents.unpacked_bytes > 0
    assert root_of(path)["etc/motd"] == "hello"
    assert not Path(f"{path}.work").exists()


def test_tar_of_a_root_is_no_layout(tmp_path: Path) -> None:
    path = tmp_path / "root.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("./usr"))

    assert not oci.is_layout(str(path))


@pytest.mark.parametrize("content", [b"", b"hello", bytes(2048)])
def test_file_that_is_no_tar_is_no_layout(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)

    assert not oci.is_layout(str(path))


def test_later_layer_replaces_files_and_keeps_what_lies_beside_them(layout: LayoutBuilder) -> None:
    root = merged(
        layout,
        [Entry("etc/a", b"old"), Entry("etc/b", b"b"), Entry("etc/d"), Entry("etc/d/x", b"x")],
        [Entry("etc/a", b"new"), Entry("etc/d"), Entry("etc/d/y", b"y")],
    )

    assert root == {"etc/a": "new", "etc/b": "b", "etc/d": "DIR", "etc/d/x": "x", "etc/d/y": "y"}


def test_whiteout_takes_a_file_and_a_directory_with_all_below_it(layout: LayoutBuilder) -> None:
    root = merged(
        layout,
        [Entry("etc/a", b"a"), Entry("etc/d"), Entry("etc/d/x", b"x"), Entry("etc/ab", b"stays")],
        [Entry("etc/.wh.a", b""), Entry("etc/.wh.d", b""), Entry("etc/.wh.never-there", b"")],
    )

    assert root == {"etc/ab": "stays"}


@pytest.mark.parametrize("first", ["mark", "file"])
def test_opaque_directory_hides_lower_layers_whatever_the_order_in_the_layer(
    layout: LayoutBuilder, first: str
) -> None:
    upper = [Entry("etc/d/.wh..wh..opq", b""), Entry("etc/d/new", b"new")]
    root = merged(
        layout,
        [Entry("etc/d"), Entry("etc/d/old", b"old"), Entry("etc/d/deep"), Entry("etc/d/deep/x")],
        [Entry("etc/d"), *(upper if first == "mark" else reversed(upper))],
    )

    assert root == {"etc/d": "DIR", "etc/d/new": "new"}


def test_whiteout_does_not_touch_what_its_own_layer_brings(layout: LayoutBuilder) -> None:
    root = merged(
        layout,
        [Entry("etc/d"), Entry("etc/d/old", b"old")],
        [Entry("etc/d"), Entry("etc/d/new", b"new"), Entry("etc/.wh.d", b"")],
    )

    assert root == {"etc/d": "DIR", "etc/d/new": "new"}


def test_directory_replaces_a_symbolic_link_and_a_link_a_directory(layout: LayoutBuilder) -> None:
    root = merged(
        layout,
        [Entry("etc/a", link="/etc"), Entry("etc/b"), Entry("etc/b/x", b"x")],
        [Entry("etc/a"), Entry("etc/a/y", b"y"), Entry("etc/b", link="a")],
    )

    assert root == {"etc/a": "DIR", "etc/a/y": "y", "etc/b": "-> a"}


def test_hard_link_keeps_its_content_when_its_first_name_is_taken_away(
    layout: LayoutBuilder,
) -> None:
    root = merged(
        layout,
        [
            Entry("etc/a", b"content"),
            Entry("etc/b", link="etc/a", kind=tarfile.LNKTYPE),
            Entry("etc/c", link="./etc/b", kind=tarfile.LNKTYPE),
        ],
        [Entry("etc/.wh.a", b""), Entry("etc/d", link="etc/b", kind=tarfile.LNKTYPE)],
    )

    assert sorted(root) == ["etc/b", "etc/c", "etc/d"]
    assert sorted(what[0] for what in root.values()) == ["=", "=", "c"]
    assert "content" in root.values()


def test_directory_that_no_layer_describes_is_made_for_everybody_to_pass(
    layout: LayoutBuilder,
) -> None:
    root = merged(layout, [Entry("opt/deep/file", b"x")])

    assert root == {"opt": "DIR", "opt/deep": "DIR", "opt/deep/file": "x"}


def test_device_nodes_are_left_out_and_counted_when_asked_for(layout: LayoutBuilder) -> None:
    layers = [[*BASE, Entry("dev/sda", kind=tarfile.BLKTYPE)]]
    path = layout.write_index(layout.add_image(layers))
    contents = flatten(path, skip_devices=True)

    assert contents.devices_left_out == 1
    assert "dev/sda" not in root_of(path)


@pytest.mark.parametrize(
    ("lower", "upper", "reason"),
    [
        ([], [Entry("../x", b"")], "'../x' is a path with .."),
        ([], [Entry("/etc/shadow", b"")], "'/etc/shadow' is an absolute path"),
        (
            [Entry("a", link="/etc")],
            [Entry("a/cron.d/x", b"")],
            "'a/cron.d/x' lies below the symbolic link a",
        ),
        (
            [],
            [Entry("a", link="/etc"), Entry("a/cron.d/x", b"")],
            "'a/cron.d/x' lies below the symbolic link a",
        ),
        ([Entry("a", b"")], [Entry("a/x", b"")], "'a/x' lies below a, which is no directory"),
        (
            [],
            [Entry("x", link="/etc/shadow", kind=tarfile.LNKTYPE)],
            "'x' is a hard link to '/etc/shadow', an absolute path",
        ),
        (
            [Entry("s", link="/etc/shadow")],
            [Entry("x", link="s", kind=tarfile.LNKTYPE)],
            "'x' is a hard link to 's', which is no file before it in the archive",
        ),
        (
            [Entry("f", b"")],
            [Entry(".wh.f", b""), Entry("x", link="f", kind=tarfile.LNKTYPE)],
            "'x' is a hard link to 'f', which is no file before it in the archive",
        ),
        ([], [Entry("etc/.wh...", b"")], "'etc/.wh...' is a whiteout of an unknown kind"),
        ([], [Entry("etc/.wh.", b"")], "'etc/.wh.' is a whiteout of an unknown kind"),
        (
            [],
            [Entry("etc/.wh..wh.plnk", b"")],
            "'etc/.wh..wh.plnk' is a whiteout of an unknown kind",
        ),
        ([], [Entry(".wh.etc/x", b"")], "'.wh.etc/x' lies below a whiteout"),
    ],
)
def test_hostile_layer_is_refused_by_number_member_and_reason(
    layout: LayoutBuilder, lower: list[Entry], upper: list[Entry], reason: str
) -> None:
    path = layout.write_index(layout.add_image([[*BASE, *lower], upper]))

    assert refusal_of(path) == (
        f"layer 2 of app was not imported: its member {reason}; build the image again without it"
    )


def test_device_node_is_refused_with_the_option_that_leaves_it_out(layout: LayoutBuilder) -> None:
    layers = [[*BASE, Entry("dev/x", kind=tarfile.CHRTYPE)]]
    path = layout.write_index(layout.add_image(layers))

    assert refusal_of(path) == (
        "layer 1 of app was not imported: its member 'dev/x' is a device node; "
        "leave such nodes out with --skip-devices: a guest gets its own"
    )


def test_image_without_a_system_is_refused(layout: LayoutBuilder) -> None:
    path = layout.write_index(layout.add_image([[Entry("app", b"static program")]]))

    assert refusal_of(path) == (
        "app was not imported: it holds no root file system, for it has neither usr nor bin at its "
        "top; give an image that holds a whole system"
    )


def test_image_that_does_not_fit_is_refused(layout: LayoutBuilder) -> None:
    big = Entry("usr/zeros", bytes(2 * MIB))
    path = layout.write_index(layout.add_image([[*BASE, big]], packing="gzip"))

    with pytest.raises(OutOfSpace) as caught:
        flatten(path, room=MIB)

    assert str(caught.value) == (
        "app was not imported: unpacked it takes more than 2.0 MiB, and 1 MiB are free; "
        "free some space and try again"
    )


def spoil(layout: LayoutBuilder, change: Callable[[bytes], bytes | None], number: int) -> str:
    """Change or remove blob ``number`` (0 manifest, 1 configuration, 2 layer); return its digest."""
    manifest = layout.add_image([BASE], packing="gzip")
    inner = json.loads(layout.blob(manifest["digest"]).read_text())
    chosen = [manifest, inner["config"], inner["layers"][0]][number]["digest"]
    content = change(layout.blob(chosen).read_bytes())
    if content is None:
        layout.blob(chosen).unlink()
    else:
        layout.blob(chosen).write_bytes(content)
    layout.write_index(manifest)
    return str(chosen)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_altered_blob_is_refused(layout: LayoutBuilder, number: int) -> None:
    digest = spoil(layout, lambda content: content[:-1] + bytes([content[-1] ^ 1]), number)

    expected = f"app is damaged: blob {digest} is not what its name says{AGAIN}"
    assert refusal_of(layout.path) == expected


@pytest.mark.parametrize("number", [0, 1, 2])
def test_truncated_blob_is_refused(layout: LayoutBuilder, number: int) -> None:
    sizes = []

    def cut(content: bytes) -> bytes:
        sizes.append(len(content))
        return content[:-1]

    digest = spoil(layout, cut, number)

    assert refusal_of(layout.path) == (
        f"app is damaged: blob {digest} has {sizes[0] - 1} bytes, not {sizes[0]}{AGAIN}"
    )


@pytest.mark.parametrize("number", [0, 1, 2])
def test_missing_blob_is_refused(layout: LayoutBuilder, number: int) -> None:
    digest = spoil(layout, lambda content: None, number)

    assert refusal_of(layout.path) == f"app is damaged: it has no blob {digest}{AGAIN}"


def test_blob_that_is_a_link_out_of_the_layout_is_refused(
    layout: LayoutBuilder, tmp_path: Path
) -> None:
    manifest = layout.add_image([BASE])
    blob = layout.blob(manifest["digest"])
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")
    layout.write_index(manifest)

    name = f"blobs/{manifest['digest'].replace(':', '/')}"
    assert refusal_of(layout.path) == (
        f"app is damaged: {name} cannot be read: Too many levels of symbolic links{AGAIN}"
    )


def test_layer_that_unpacks_to_something_else_is_refused(layout: LayoutBuilder) -> None:
    manifest = layout.add_image([BASE], diff_ids=[digest_of(b"something else")])

    assert refusal_of(layout.write_index(manifest)) == (
        "layer 1 of app is damaged: what it unpacks to is not what the image's configuration says"
        + AGAIN
    )


def test_configuration_that_speaks_of_other_layers_is_refused(layout: LayoutBuilder) -> None:
    manifest = layout.add_image([BASE], diff_ids=[])

    assert refusal_of(layout.write_index(manifest)) == (
        f"app is damaged: the image has 1 layers, and its configuration speaks of 0{AGAIN}"
    )


@pytest.mark.parametrize("digest", ["sha256:../../../../etc/passwd", "md5:00", ""])
def test_digest_that_is_none_is_refused(layout: LayoutBuilder, digest: str) -> None:
    manifest = {**layout.add_image([BASE]), "digest": digest}

    assert refusal_of(layout.write_index(manifest)) == (
        f"app is damaged: {digest!r} is no SHA-256 or SHA-512{AGAIN}"
    )


def test_unknown_media_type_of_a_layer_is_refused(layout: LayoutBuilder) -> None:
    kind = f"{OCI}.layer.v1.tar+encrypted"
    path = layout.write_index(layout.add_image([BASE], layer_type=kind))

    assert refusal_of(path) == (
        f"app was not imported: its layer 1 is of the unknown media type '{kind}'; "
        "known are tar layers, plain or packed with gzip or zstd"
    )


def test_layer_that_is_packed_otherwise_than_it_says_is_refused(layout: LayoutBuilder) -> None:
    path = layout.write_index(layout.add_image([BASE], layer_type=f"{OCI}.layer.v1.tar+gzip"))

    assert refusal_of(path).startswith("layer 1 of app is ")


def test_layout_of_other_platforms_names_them(layout: LayoutBuilder) -> None:
    path = layout.write_index(
        {**layout.add_image([BASE], platform=OTHER), "platform": OTHER},
        layout.add_image([BASE], platform={**PLATFORM, "os": "windows"}),
    )

    assert refusal_of(path) == (
        f"app holds no image for linux/{PLATFORM['architecture']}, only linux/s390x, "
        f"windows/{PLATFORM['architecture']}; fetch the image for this machine's platform"
    )


def test_index_of_something_unknown_names_it(layout: LayoutBuilder) -> None:
    path = layout.write_index(layout.add(b"chart", "application/vnd.chart"))

    assert refusal_of(path) == (
        f"app holds no image for linux/{PLATFORM['architecture']}, only the unknown media type "
        "'application/vnd.chart'; fetch the image for this machine's platform"
    )


def test_image_for_this_machine_is_found_in_nested_indexes(layout: LayoutBuilder) -> None:
    ours = layout.add_image([[*BASE, Entry("etc/ours", b"")]])
    inner = layout.add_json(
        {"manifests": [layout.add_image([BASE], platform=OTHER), ours]}, "index"
    )
    path = layout.write_index(layout.add_json({"manifests": [inner]}, "index"))
    flatten(path)

    assert "etc/ours" in root_of(path)


def test_indexes_without_end_are_refused(layout: LayoutBuilder) -> None:
    found = layout.add_image([BASE])
    for _ in range(12):
        found = layout.add_json({"manifests": [found]}, "index")

    assert refusal_of(layout.write_index(found)) == (
        "app was not imported: its indexes are nested deeper than 8; "
        "copy the image to a layout of its own"
    )


def test_one_of_several_images_is_chosen_by_its_name(layout: LayoutBuilder) -> None:
    path = layout.write_index(
        layout.add_image([[*BASE, Entry("etc/one", b"")]], name="one"),
        layout.add_image([[*BASE, Entry("etc/two", b"")]], name="two"),
    )
    flatten(path, image="two")

    assert "etc/two" in root_of(path)
    assert refusal_of(path) == "app holds several images: one, two; say which one with --image NAME"
    assert refusal_of(path, image="three") == (
        "app holds no image called 'three'; it holds one, two"
    )


def test_directory_that_is_no_layout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()

    assert refusal_of(tmp_path / "root") == (
        "root is no OCI image layout: it has no file oci-layout; "
        "give an OCI image layout, a directory or a tar, or the tar of a root file system"
    )


def test_layout_of_another_version_is_refused(layout: LayoutBuilder) -> None:
    (layout.path / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')

    assert refusal_of(layout.path) == (
        "app is an OCI image layout of the unknown version '2.0.0'; "
        "copy it with a program that writes version 1.0.0"
    )


def test_layout_without_index_is_refused(layout: LayoutBuilder) -> None:
    assert refusal_of(layout.path) == f"app is damaged: it has no file index.json{AGAIN}"


def test_document_that_is_no_json_is_refused(layout: LayoutBuilder) -> None:
    (layout.path / "index.json").write_text("{")

    assert refusal_of(layout.path) == (
        f"app is damaged: its file index.json cannot be read: Input data was truncated{AGAIN}"
    )


def test_tar_of_a_layout_that_is_cut_short_is_refused(
    layout: LayoutBuilder, tmp_path: Path
) -> None:
    layout.write_index(layout.add_image([BASE]))
    path = layout.as_tar(tmp_path / "app.tar")
    path.write_bytes(path.read_bytes()[:6000])

    assert refusal_of(path) == (
        "app.tar is cut short or damaged: unexpected end of data; fetch or pack it again"
    )
    assert not Path(f"{path}.work").exists()


def test_nothing_of_a_tar_but_the_layout_is_unpacked(layout: LayoutBuilder, tmp_path: Path) -> None:
    layout.write_index(layout.add_image([BASE]))
    path = layout.as_tar(tmp_path / "app.tar")
    with tarfile.open(path, "a") as tar:
        tar.addfile(tarfile.TarInfo("../outside"))
        link = tarfile.TarInfo("blobs/sha256/" + "0" * 64)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    flatten(path)

    assert not (tmp_path / "outside").exists()
    assert "usr/lib/os-release" in root_of(path)
