import csv
import io
import json
import statistics

import msgspec
from tests.unit.measured import run, sample, series

from wirt.bench import compare, export
from wirt.bench.sample import HOST, Run

MEASURED = run(
    [*series(HOST, [100.0, 110.0]), *series("lxc", [90.0, 99.0]), sample("qemu", 7.0, test="pipe")],
    about={"environment": {"kernel": "6.1", "cpu": {"model": "Xeon"}}},
)


def test_object_has_run_environment_and_results_with_the_promised_keys() -> None:
    built = export.build_object(compare.analyse(MEASURED))

    assert list(built)[:3] == ["run", "environment", "results"]
    assert built["run"] == "20260101-1200"
    assert built["environment"] == {"kernel": "6.1", "cpu": {"model": "Xeon"}}
    assert len(built["results"]) == 3
    for result in built["results"]:
        promised = [
            "suite",
            "test",
            "subject",
            "copies",
            "value",
            "unit",
            "n",
            "ratio",
            "ci_low",
            "ci_high",
            "index",
            "verdict",
        ]
        assert set(promised) <= set(result)


def test_object_gives_the_host_index_10_and_what_has_no_host_none() -> None:
    host, _, qemu = export.build_object(compare.analyse(MEASURED))["results"]

    assert (host["ratio"], host["index"], host["verdict"]) == (1.0, 10.0, "baseline")
    assert (qemu["ratio"], qemu["index"], qemu["verdict"]) == (None, None, "cannot tell")


def test_object_loses_nothing_of_the_analysis() -> None:
    analysis = compare.analyse(MEASURED)
    built = export.build_object(analysis)
    plain = msgspec.to_builtins(analysis)
    about = plain.pop("header")
    about.pop("kind", None)

    assert all(built[key] == plain[key] for key in plain)
    assert all(built[key] == about[key] for key in about)


def test_json_is_the_object() -> None:
    analysis = compare.analyse(MEASURED)
    text = export.render_json(analysis)

    assert text.endswith("}\n")
    assert json.loads(text) == export.build_object(analysis)


def test_comparison_json_has_both_runs() -> None:
    built = json.loads(export.render_comparison_json(compare.compare_runs(MEASURED, MEASURED)))

    assert (built["run_a"], built["run_b"]) == ("20260101-1200", "20260101-1200")
    assert built["results"][0]["ratio"] == 1.0


def test_csv_has_a_line_for_each_result_and_leaves_the_unknown_empty() -> None:
    text = export.render_csv(compare.analyse(MEASURED).results)
    rows = list(csv.DictReader(io.StringIO(text)))

    assert text.startswith(
        "suite,test,subject,copies,value,unit,n,ratio,ci_low,ci_high,index,verdict,spread,capped,"
        "host_value,median\n"
    )
    assert [row["subject"] for row in rows] == ["host", "lxc", "qemu"]
    assert rows[2]["ratio"] == rows[2]["index"] == ""
    assert rows[2]["verdict"] == "cannot tell"
    assert float(rows[0]["median"]) == statistics.median(
        one.value for one in MEASURED.samples if one.subject == HOST and one.phase == "measure"
    )


def test_samples_csv_has_every_pass_with_its_detail_as_json() -> None:
    raw: Run = run([sample(HOST, 1.0, phase="warmup", detail={"count": 3})])
    [row] = csv.DictReader(io.StringIO(export.render_samples_csv(raw)))

    assert row["phase"] == "warmup"
    assert row["value"] == "1.0"
    assert json.loads(row["detail"]) == {"count": 3}
