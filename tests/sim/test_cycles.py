"""Exact cycles are part of the verdict."""

import pytest

from sim import cycles


@pytest.mark.parametrize("config", cycles.CASES, ids=cycles.case_name)
def test_every_token_takes_the_cycles_that_were_accepted(config):
    name = cycles.case_name(config)
    changes = cycles.changes(name, cycles.accepted().get(name), cycles.measured(config))
    assert not changes, f"{changes}; accept with: python -m sim cycles --accept"


def test_the_file_has_no_other_cases():
    assert set(cycles.accepted()) == {cycles.case_name(config) for config in cycles.CASES}


@pytest.mark.parametrize(
    ("before", "now", "sentence"),
    [
        ([5, 6], [5, 6], ""),
        (None, [5], "cycles of x: not in the file"),
        ([5], [5, 6], "cycles of x: 1 positions in the file, 2 measured"),
        ([5, 6, 7], [10, 6, 7], "cycles of x changed: +5 at position 0; 18 to 23 in all"),
        (
            [5, 6, 7, 8, 9, 9], [4, 6, 9, 10, 8, 8],
            "cycles of x changed: -1 at position 0, +2 at position 2 to 3, -1 at position 4 to 5;"
            " 44 to 45 in all",
        ),
        (
            [0] * 8, [1, 2, 3, 4, 5, 0, 0, 0],
            "cycles of x changed: +1 at position 0, +2 at position 1, +3 at position 2 and 2 more"
            " runs; 0 to 15 in all",
        ),
    ],
)  # fmt: skip
def test_what_changed_is_said(before, now, sentence):
    assert cycles.changes("x", before, now) == sentence


def test_accepting_keeps_the_cases_that_were_not_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(cycles, "FILE", tmp_path / "cycles.json")
    cycles.FILE.write_text('{"a": [1], "b": [2]}')
    cycles.accept({"b": [3, 4]})
    assert cycles.accepted() == {"a": [1], "b": [3, 4]}
