import pytest

from wirt import units
from wirt.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("512M", 512 * 2**20),
        ("512MiB", 512 * 2**20),
        ("512MB", 512 * 2**20),
        ("1.5 GiB", 3 * 2**29),
        ("1k", 1024),
        (" 2T ", 2 * 2**40),
        ("0", 0),
        ("7B", 7),
    ],
)
def test_parse_bytes_of_a_size_counts_binary(text: str, size: int) -> None:
    assert units.parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1", "1e9", "1,5G", "12q", "1 2", "0x10", "1.M"])
def test_parse_bytes_of_anything_else_says_what_to_write(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        units.parse_bytes(text)

    assert str(caught.value) == (
        f"{text!r} is not a size; write a number with K, M, G or T, such as 512M"
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (512 * 2**20, "512 MiB"),
        (3 * 2**29, "1.5 GiB"),
        (2**50, "1024 TiB"),
    ],
)
def test_render_bytes_takes_the_largest_unit_below(size: int, text: str) -> None:
    assert units.render_bytes(size) == text


@pytest.mark.parametrize("size", [1, 1024, 5 * 2**20, 3 * 2**29, 7 * 2**40])
def test_render_bytes_can_be_parsed_again(size: int) -> None:
    assert units.parse_bytes(units.render_bytes(size)) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1.5", 1.5), ("250ms", 0.25), ("30s", 30.0), ("10m", 600.0), ("2 h", 7200.0), ("3MIN", 180)],
)
def test_parse_seconds_of_a_duration_counts_seconds(text: str, seconds: float) -> None:
    assert units.parse_seconds(text) == seconds


def test_parse_seconds_of_more_than_a_year_is_refused() -> None:
    assert units.parse_seconds("8760h") == 365 * 24 * 3600
    with pytest.raises(InvalidInput, match="is too long; write at most 8760h, which is a year"):
        units.parse_seconds("99999999999999h")


@pytest.mark.parametrize("text", ["", "s", "-1s", "1d", "1h30m"])
def test_parse_seconds_of_anything_else_says_what_to_write(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        units.parse_seconds(text)

    assert str(caught.value) == (
        f"{text!r} is not a duration; write a number with ms, s, m or h, such as 30s"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (0.0124, "12 ms"),
        (1.523, "1.52 s"),
        (59.94, "59.9 s"),
        (200, "3 min 20 s"),
        (3900, "1 h 05 min"),
    ],
)
def test_render_seconds_for_a_person(seconds: float, text: str) -> None:
    assert units.render_seconds(seconds) == text


@pytest.mark.parametrize(
    ("text", "cpus", "rendered"),
    [
        ("0", (0,), "0"),
        ("3,0-1", (0, 1, 3), "0-1,3"),
        ("2, 2-4,3", (2, 3, 4), "2-4"),
        ("8191", (8191,), "8191"),
    ],
)
def test_list_of_cpus_is_read_in_any_order_and_written_as_the_kernel_does(
    text: str, cpus: tuple[int, ...], rendered: str
) -> None:
    assert units.parse_cpus(text) == cpus
    assert units.render_cpus(cpus) == rendered


@pytest.mark.parametrize(
    "text", ["", "-1", "0-", "3-1", "0;1", "0,,1", "8192", "0-99999", "٣", "x"]
)
def test_list_of_cpus_that_is_none_says_what_to_write(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        units.parse_cpus(text)

    assert str(caught.value) == (
        f"{text!r} is no list of CPUs; write numbers and ranges, such as 0,2-3"
    )
