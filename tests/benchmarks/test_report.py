"""Targets, the table and the JSON of a benchmark."""

import io
import json

import pytest
from rich.console import Console

from benchmarks import report
from benchmarks.measure import interleaved
from benchmarks.report import Row


@pytest.mark.parametrize(
    ("value", "limits", "met"),
    [
        (3.0, {}, None),
        (None, {"at_least": 1.0}, None),
        (1.0, {"at_least": 1.0}, True),
        (0.9, {"at_least": 1.0}, False),
        (2.0, {"at_most": 2.0}, True),
        (2.1, {"at_least": 0.5, "at_most": 2.0}, False),
    ],
)
def test_a_target_is_met_or_missed(value, limits, met):
    assert Row("topic", "name", value, "x", **limits).met is met


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({}, ""),
        ({"at_least": 5000.0}, "at least 5,000"),
        ({"at_most": 1.5}, "at most 1.500"),
        ({"at_least": 0.5, "at_most": 2.0}, "0.500 to 2"),
    ],
)
def test_a_target_in_words(limits, words):
    assert Row("topic", "name", 1.0, "x", **limits).target == words


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0.7521, "0.752"), (7, "7"), (43.62, "43.6"), (1234567.8, "1,234,568")],
)
def test_numbers_are_short(value, shown):
    assert report.number(value) == shown


ROWS = [
    Row("speed", "ours", 250.0, "tokens/s", at_least=200.0),
    Row("speed", "theirs", None, "tokens/s", note="not installed"),
    Row("size", "growth", 2.5, "x", at_most=2.0),
]


def test_the_table_shows_what_is_missed_and_what_is_missing():
    out = io.StringIO()
    Console(file=out, width=120).print(report.table(ROWS))
    text = out.getvalue()
    for line in (["ours", "250", "at least 200", "yes"], ["theirs", "-", "not installed"]):
        assert any(all(word in shown for word in line) for shown in text.splitlines())
    assert any("growth" in shown and "no" in shown for shown in text.splitlines())
    assert text.count("speed") == 1


def test_the_json_holds_every_row(tmp_path):
    report.write(tmp_path / "new" / "bench.json", ROWS)
    read = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert read["schema"] == report.SCHEMA
    assert set(read["machine"]) == {"processor", "python"}
    keys = {"topic", "name", "value", "unit", "at_least", "at_most", "note", "met"}
    assert [set(row) for row in read["rows"]] == [keys] * 3
    assert [row["met"] for row in read["rows"]] == [True, None, False]
    assert read["rows"][1]["value"] is None


def test_jobs_take_turns_and_the_best_counts():
    turns = []

    def job(name, amounts):
        amounts = iter(amounts)

        def work():
            turns.append(name)
            return next(amounts)

        return work

    rates = interleaved({"a": job("a", [1, 1e9]), "b": job("b", [0, 0])}, 2)
    assert turns == ["a", "b", "a", "b"]
    assert rates["a"] > 1e9
    assert rates["b"] == 0
