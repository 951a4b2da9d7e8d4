"""Planted bugs as cases, and what is said of those that nobody sees."""

import dataclasses

import pytest

from mutate import planted
from mutate.cases import Case
from tools.sources import ROOT


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return planted.cases()


def test_every_planted_bug_is_a_changed_file(cases):
    assert len({case.name for case in cases}) == len(cases) > 150
    for case in cases[:5]:
        source = (ROOT / case.path).read_text()
        first, last = case.change.statement
        assert 1 <= first <= case.change.line <= last <= source.count("\n")
        compile(case.change.content, case.path, "exec")


def test_only_what_the_fuzzing_sees_is_right(cases, monkeypatch):
    seen, missed, proved, late = (dataclasses.replace(case) for case in cases[:4])
    for case in (seen, missed, proved, late):
        case.kills, case.undecided = [], []
    seen.killed("comparison", "nano: run 0", 12)
    proved.killed("proofs", "schedule.token")
    late.undecided.append("fuzzing: no answer")
    red = list(planted.wrong([seen, missed, proved, late]))
    assert [sentence.split(": ")[-1] for sentence in red] == [
        "the fuzzing does not see it", "the fuzzing does not see it", "no answer",
    ]  # fmt: skip
    monkeypatch.setitem(planted.UNSEEN, missed.name, "nothing depends on it")
    assert not list(planted.wrong([missed]))
    monkeypatch.setitem(planted.UNSEEN, seen.name, "nothing depends on it")
    assert "against its entry" in next(planted.wrong([seen]))
    assert planted.table([seen, missed]).row_count == 2
