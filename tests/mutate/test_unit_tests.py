"""The nearest tests, which must pass on the unchanged sources, in time."""

import pytest

from mutate import unit_tests
from mutate.answer import Answer
from mutate.baseline import Broken
from mutate.cases import Case
from mutate.controls import UNCHANGED


def asked(monkeypatch, folder, as_it_is: Answer, changed: Answer) -> Case:
    """A case after its tests; they answer `as_it_is` without it and `changed` with it."""

    def call(function, *arguments, path="", **given):
        return changed if path else as_it_is

    monkeypatch.setattr(unit_tests, "call", call)
    case = UNCHANGED.case()
    unit_tests.Tests(folder, lambda text: None).run([case])
    return case


def done(failed: str = "", passed: int = 1) -> Answer:
    return Answer("done", {"failed": failed, "passed": passed})


@pytest.mark.parametrize(
    ("changed", "kills", "undecided"),
    [
        (done(), 0, 0),
        (done("test_a"), 1, 0),
        (Answer("raised", detail="SystemExit: 1"), 1, 0),
        (Answer("crashed", detail="ended by SIGSEGV"), 1, 0),
        (Answer("late", detail="no answer"), 0, 3),
        (Answer("unanswered", detail="ended by SIGKILL"), 0, 3),
    ],
)
def test_only_what_is_known_kills(monkeypatch, tmp_path, changed, kills, undecided):
    case = asked(monkeypatch, tmp_path, done(), changed)
    assert (len(case.kills), len(case.undecided)) == (kills, undecided)


@pytest.mark.parametrize("as_it_is", [Answer("late"), done(passed=0)])
def test_tests_that_take_too_long_or_are_none_are_not_asked(monkeypatch, tmp_path, as_it_is):
    assert not asked(monkeypatch, tmp_path, as_it_is, done("test_a")).asked
    # It is remembered.
    assert not asked(monkeypatch, tmp_path, done(), done("test_a")).asked


@pytest.mark.parametrize(
    ("as_it_is", "message"),
    [
        (done("test_a"), "fails on the unchanged sources: test_a"),
        (Answer("unanswered", detail="ended by SIGKILL"), "ended by SIGKILL"),
    ],
)
def test_tests_that_fail_on_what_is_unchanged_are_red(monkeypatch, tmp_path, as_it_is, message):
    with pytest.raises(Broken, match=message):
        asked(monkeypatch, tmp_path, as_it_is, done())
    assert asked(monkeypatch, tmp_path, done(), done("test_a")).kills, "that is not remembered"
