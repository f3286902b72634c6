import re
from pathlib import Path

import pytest
from tests.unit.measured import siege

from wirt.bench import compare
from wirt.bench.importers.imported import Origin
from wirt.bench.importers.siege import (
    FIELDS,
    import_siege,
    parse_siege_json,
    parse_siege_text,
    rate_together,
    response_seconds,
    sum_servers,
)
from wirt.bench.importers.unixbench import import_unixbench
from wirt.errors import InvalidInput

GOLDEN = Path(__file__).parents[1] / "golden" / "imports"
ORIGIN = Origin(run="old", wirt="0.1.0", at=1767268800.0)


def read(name: str) -> str:
    return (GOLDEN / name).read_text()


def test_import_unixbench_4_as_a_mail_program_broke_it_finds_every_line() -> None:
    run = import_unixbench(read("unixbench-4.1.0.txt"), ORIGIN)
    figures = {sample.test: sample for sample in run.samples}

    assert len(run.samples) == len(figures) == 28
    assert figures["dhry2reg"].value == 1753562.1
    assert figures["dhry2reg"].seconds == 10.0
    assert figures["dhry2reg"].detail["passes"] == 10
    assert figures["fsdisk-r"].unit == "KBps"
    assert figures["fsdisk-r"].value == 336659.0
    assert {figures[test].value for test in ("arithoh", "C", "dc", "hanoi", "short")} == {
        3996200.7,
        409.7,
        34294.6,
        29280.8,
        208206.7,
    }


def test_import_unixbench_4_gives_the_reports_own_final_score_by_the_10_item_rule() -> None:
    analysis = compare.analyse(import_unixbench(read("unixbench-4.1.0.txt"), ORIGIN))
    index = next(i for i in analysis.indices if i.rule == "unixbench-4.1 (10 items)")

    assert round(index.value, 1) == 198.4
    assert index.missing == []


def test_import_unixbench_4_with_two_reports_makes_two_blocks() -> None:
    run = import_unixbench(read("unixbench-4.1.0-wide.txt"), ORIGIN)

    assert [(s.test, s.block, s.value) for s in run.samples if s.test == "whetstone"] == [
        ("whetstone", 0, 434.6),
        ("whetstone", 1, 417.8),
    ]
    assert run.header.blocks == 2


def test_import_unixbench_4_takes_date_and_system_from_the_report() -> None:
    header = import_unixbench(read("unixbench-4.1.0-wide.txt"), ORIGIN).header

    assert header.started == 1031260799.0
    assert header.environment["imported_from"] == "UnixBench 4.1.0"
    assert header.environment["system"].startswith("Linux localhost.localdomain 2.5.33")
    assert header.profile == "imported"


@pytest.mark.parametrize(("copies", "score"), [(1, 172.2), (4, 563.4)])
def test_import_unixbench_5_gives_the_reports_own_score_for_each_number_of_copies(
    copies: int, score: float
) -> None:
    analysis = compare.analyse(import_unixbench(read("unixbench-5.1.3.txt"), ORIGIN))
    index = next(i for i in analysis.indices if (i.rule, i.copies) == ("unixbench-5", copies))

    assert round(index.value, 1) == score
    assert index.missing == []


def test_import_unixbench_5_takes_date_and_version_from_the_report() -> None:
    run = import_unixbench(read("unixbench-5.1.3.txt"), ORIGIN)

    assert run.header.started == 1744398536.0
    assert run.header.environment["imported_from"] == "UnixBench 5.1.3"
    assert len(run.samples) == 24


def test_import_unixbench_of_a_test_that_wirt_has_not_keeps_it_under_its_name() -> None:
    text = (
        "BYTE UNIX Benchmarks (Version 5.1.3)\n"
        "2D graphics: rectangles                        1500.5 score (3.0 s, 15 samples)\n"
        "Dhrystone 2 without register variables     30971628.9 lps   (10.0 s, 7 samples)\n"
    )

    run = import_unixbench(text, ORIGIN)

    assert [sample.test for sample in run.samples] == [
        "2d-graphics-rectangles",
        "dhrystone-2-without-register-variables",
    ]
    assert run.header.started == ORIGIN.at


def test_import_unixbench_of_a_guest_carries_its_name() -> None:
    origin = Origin(run="old", wirt="0.1.0", at=0.0, subject="web1")
    run = import_unixbench(read("unixbench-5.1.3.txt"), origin)

    assert {sample.subject for sample in run.samples} == {"web1"}
    assert [subject.name for subject in run.header.subjects] == ["web1"]


def test_import_unixbench_of_another_text_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        import_unixbench("hello", ORIGIN)

    assert str(caught.value) == (
        "this is not a report of UnixBench; "
        "give the text report from its results directory, not the HTML page"
    )


def test_import_unixbench_of_a_report_without_results_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        import_unixbench("BYTE UNIX Benchmarks (Version 5.1.3)\n", ORIGIN)

    assert str(caught.value) == (
        "this report of UnixBench 5.1.3 has no results; "
        "give the whole report of a run that came to its end"
    )


def test_parse_siege_json_of_genuine_output_reads_every_field() -> None:
    figures = parse_siege_json(read("siege.json"))

    assert list(figures) == list(FIELDS)
    assert figures["transactions"] == 3137
    assert figures["transaction_rate"] == 1802.87
    assert figures["failed_transactions"] == 0


def test_parse_siege_json_with_chatter_around_it_finds_the_figures() -> None:
    text = "{not this}\nHTTP/1.1 200 0.01 secs\n" + read("siege.json") + "\n[alert] bye\n"

    assert parse_siege_json(text)["concurrency"] == 1.94


def test_parse_siege_json_of_another_text_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_siege_json('{"transactions": 5}')

    assert str(caught.value) == "this is not the JSON output of Siege; run siege with --json-output"


def test_parse_siege_text_of_genuine_output_reads_every_field() -> None:
    figures = parse_siege_text(read("siege.txt"))

    assert list(figures) == list(FIELDS)
    assert figures["transactions"] == 1075
    assert figures["elapsed_time"] == 0.81
    assert figures["longest_transaction"] == 0.03


def test_parse_siege_text_with_milliseconds_turns_them_into_seconds() -> None:
    text = read("siege.txt").replace("0.00 secs", "1.50 ms")

    assert parse_siege_text(text)["response_time"] == pytest.approx(0.0015)


def test_parse_siege_text_of_an_old_siege_turns_bytes_into_its_megabytes() -> None:
    text = read("siege.txt")
    old = re.sub(r"(Data transferred:\s+)\S+\s+MB", r"\g<1>4273708 bytes", text)

    assert old != text
    assert parse_siege_text(old)["data_transferred"] == pytest.approx(4.273708)


def test_parse_siege_text_in_a_unit_that_siege_has_not_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_siege_text(read("siege.txt").replace(" trans/sec", " furlongs"))

    assert str(caught.value).startswith(
        "this is not the output of Siege: Transaction rate is in 'furlongs'; it can be in ms, "
    )


def test_parse_siege_text_cut_short_names_what_is_missing() -> None:
    text = read("siege.txt").split("Concurrency")[0]

    with pytest.raises(InvalidInput) as caught:
        parse_siege_text(text)

    assert str(caught.value) == (
        "this is not the output of Siege: concurrency is missing; "
        "give the whole summary, from Transactions to Shortest transaction"
    )


def test_response_seconds_of_a_fast_server_is_not_lost_to_rounding() -> None:
    figures = parse_siege_json(read("siege.json"))

    assert figures["response_time"] == 0.0
    assert response_seconds(figures) == pytest.approx(0.00108, abs=0.00001)


def test_response_seconds_without_a_transaction_is_what_siege_says() -> None:
    assert response_seconds(siege(transactions=0.0, response_time=0.0)) == 0.0


def test_sum_servers_adds_what_table_3_1_adds() -> None:
    total = sum_servers(
        [
            siege(availability=100.0, longest_transaction=0.5, shortest_transaction=0.02),
            siege(availability=90.0, longest_transaction=0.7, shortest_transaction=0.01),
        ]
    )

    assert total["transactions"] == 2000
    assert total["data_transferred"] == 10
    assert total["transaction_rate"] == 200
    assert total["throughput"] == 1
    assert total["concurrency"] == pytest.approx(19.8)
    assert total["response_time"] == pytest.approx(2 * 0.099)
    assert total["availability"] == 95
    assert total["elapsed_time"] == 10
    assert total["longest_transaction"] == 0.7
    assert total["shortest_transaction"] == 0.01


def test_rate_together_is_what_all_answered_until_the_last_was_done() -> None:
    """Their own rates, 100 and 50 a second, held together for half of the time only."""
    servers = [
        siege(transactions=1000, elapsed_time=10.0, transaction_rate=100.0),
        siege(transactions=1000, elapsed_time=20.0, transaction_rate=50.0),
    ]

    assert rate_together(servers) == 100


def test_rate_together_of_a_time_too_short_for_the_clock_of_siege_is_none() -> None:
    assert rate_together([siege(elapsed_time=0.0)]) == 0


def test_rate_together_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no servers"):
        rate_together([])


def test_sum_servers_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no servers"):
        sum_servers([])


@pytest.mark.parametrize("name", ["siege.json", "siege.txt"])
def test_import_siege_makes_a_run_with_a_network_row(name: str) -> None:
    run = import_siege(read(name), ORIGIN)
    analysis = compare.analyse(run)

    assert run.header.started == ORIGIN.at
    assert [(row.subject, row.servers, row.n) for row in analysis.network] == [("host", 1, 1)]
    assert analysis.network[0].rate == run.samples[0].value
