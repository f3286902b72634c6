"""The table of tests, their command lines and the reading of their lines."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from wirt.bench.workloads import (
    INDEX_4_1,
    INDEX_5,
    WORKLOADS,
    Group,
    Manifest,
    build_argv,
    find_workload,
    load_manifest,
    parse_line,
)
from wirt.errors import Corrupt, Failed, InvalidInput, NotFound

LINE = (
    '{"test":"shell8","count":21,"seconds":1.050000,"timebase":60,"value":1200,"unit":"lpm",'
    '"start":1358.020646,"realtime":1795467018.330150}\n'
)


def test_index_of_4_1_has_its_eleven_tests() -> None:
    assert set(INDEX_4_1) == {
        *("dhry2reg", "whetstone", "execl", "fstime", "fsbuffer", "fsdisk", "pipe", "context1"),
        *("spawn", "shell8", "syscall"),
    }


def test_index_of_5_adds_shell1() -> None:
    assert set(INDEX_5) - set(INDEX_4_1) == {"shell1"}
    assert set(INDEX_4_1) < set(INDEX_5)


def test_every_test_of_an_index_has_a_baseline_and_no_other() -> None:
    with_baseline = {test for test, workload in WORKLOADS.items() if workload.baseline}

    assert with_baseline == set(INDEX_4_1) | set(INDEX_5)


def test_the_three_figures_cover_the_index() -> None:
    for test in INDEX_5:
        assert WORKLOADS[test].group is not Group.MISC


def test_find_workload_unknown_lists_what_there_is() -> None:
    with pytest.raises(InvalidInput) as caught:
        find_workload("dhrystone")

    assert str(caught.value).startswith(
        "there is no test 'dhrystone'; choose one of dhry2reg, whetstone, "
    )


def test_argv_of_a_program_with_one_test() -> None:
    argv = build_argv("pipe", 0.25, "/bundle", "/tmp")

    assert argv == ["/bundle/pipe", "--seconds", "0.250", "--dir", "/tmp"]


def test_argv_of_a_family_names_the_test() -> None:
    argv = build_argv("fsdisk", 30, "/bundle", "/var/tmp")

    assert argv == [
        *("/bundle/fscopy", "--test", "fsdisk"),
        *("--seconds", "30.000", "--dir", "/var/tmp"),
    ]


def test_argv_with_root_concerns_the_compiler_only() -> None:
    compiler = build_argv("C", 1, "/bundle", "/tmp", root="/tree")
    other = build_argv("dc", 1, "/bundle", "/tmp", root="/tree")

    assert compiler[-2:] == ["--chroot", "/tree"]
    assert "--chroot" not in other


def test_parse_line_returns_the_figures() -> None:
    result = parse_line(LINE, "shell8")

    assert (result.count, result.timebase, result.value) == (21, 60, 1200)
    assert result.realtime == 1795467018.330150


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "test shell8 printed no result"),
        (
            "Segmentation fault\n",
            "test shell8 printed something else than its result: JSON is malformed",
        ),
        (
            LINE + LINE,
            "test shell8 printed something else than its result: JSON is malformed",
        ),
        (
            LINE.replace('"start":1358.020646,', ""),
            "test shell8 printed something else than its result: Object missing",
        ),
        (
            LINE.replace("shell8", "shell1"),
            "test shell8 in lpm printed a result of shell1 in lpm",
        ),
        (LINE.replace('"count":21', '"count":0'), "test shell8 did nothing: "),
        (
            LINE.replace('"value":1200', '"value":1300'),
            "test shell8 printed figures that contradict each other: ",
        ),
    ],
)
def test_parse_line_that_is_no_result_fails(text: str, message: str) -> None:
    with pytest.raises(Failed) as caught:
        parse_line(text, "shell8")

    assert caught.value.message.startswith(message)


def make_bundle(directory: Path) -> Path:
    """Make a bundle of one file with its manifest."""
    (directory / "pipe").write_bytes(b"program")
    manifest = {
        "format": 1,
        "compiler": {"version": "gcc 12", "libc": "glibc 2.36", "flags": "-O2"},
        "files": {"pipe": hashlib.sha256(b"program").hexdigest()},
    }
    (directory / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    return directory


def test_load_manifest_returns_what_was_built(tmp_path: Path) -> None:
    manifest = load_manifest(make_bundle(tmp_path))

    assert isinstance(manifest, Manifest)
    assert manifest.compiler.flags == "-O2"
    assert list(manifest.files) == ["pipe"]


def test_load_manifest_without_a_bundle_says_how_to_build(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        load_manifest(tmp_path)

    assert str(caught.value) == (
        f"there are no workloads in {tmp_path}; build them with: make -C workloads"
    )


def test_load_manifest_of_a_changed_program_refuses_it(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    (tmp_path / "pipe").write_bytes(b"another program")

    with pytest.raises(Corrupt) as caught:
        load_manifest(tmp_path)

    assert caught.value.message == f"{tmp_path / 'pipe'} is not the file that was built"


def test_load_manifest_of_a_lost_program_refuses_it(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    (tmp_path / "pipe").unlink()

    with pytest.raises(Corrupt) as caught:
        load_manifest(tmp_path)

    assert caught.value.message == f"{tmp_path / 'pipe'} is not the file that was built"


def test_load_manifest_cut_short_refuses_it(tmp_path: Path) -> None:
    path = make_bundle(tmp_path) / "manifest.json"
    path.write_bytes(path.read_bytes()[:20])

    with pytest.raises(Corrupt) as caught:
        load_manifest(tmp_path)

    assert caught.value.message.startswith(f"{path} cannot be read: ")


def test_load_manifest_of_a_newer_format_refuses_it(tmp_path: Path) -> None:
    path = make_bundle(tmp_path) / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":2'))

    with pytest.raises(Corrupt) as caught:
        load_manifest(tmp_path)

    assert caught.value.message == f"{path} has format 2, known is 1"
