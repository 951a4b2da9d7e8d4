"""A second engine repeats each proof, and its verdict counts."""

from pathlib import Path

import pytest

from formal import judge
from formal.engines import table as engines
from formal.engines.outcome import Outcome
from formal.engines.table import ENGINES, Engine
from formal.model import Netlist
from formal.runner import Runner
from formal.tasks import TASKS
from tests.formal.toy_tasks import toy

MODEL = Netlist("", ["holds"])


@pytest.mark.parametrize(
    "first, answer, red, why",
    [
        ("yices", Outcome("PASS", found=("holds",)), "", ""),
        ("yices", Outcome("PASS"), "obligations lost on the way to the engine: holds", ""),
        ("yices", Outcome("FAIL", named=("holds",)), "bitwuzla disagrees with yices: fail", ""),
        ("yices", Outcome("UNKNOWN"), "bitwuzla disagrees with yices: unknown", ""),
        ("yices", Outcome("ERROR"), "bitwuzla disagrees with yices: error", ""),
        ("yices", Outcome("TIMEOUT", seconds=60.2), "", "bitwuzla: over 60 s"),
        ("pdr", Outcome("UNKNOWN"), "", "bitwuzla: no induction without the invariants"),
    ],
)
def test_the_second_word(first, answer, red, why):
    sentences = judge.confirmation(MODEL, answer, ENGINES[first], ENGINES["bitwuzla"])
    assert [
        sentence.startswith(start) for sentence, start in zip(sentences, (red, why), strict=True)
    ]
    assert [bool(sentence) for sentence in sentences] == [bool(red), bool(why)]


@pytest.mark.parametrize(
    "status, verdict, confirmed_by", [("FAIL", "RED", ""), ("TIMEOUT", "PASS", "")]
)
def test_an_engine_that_disagrees_turns_the_property_red(
    run, monkeypatch, status, verdict, confirmed_by
):
    def run_liar(job, folder):
        return Outcome(status, netlist=job.digest)

    liar = Engine("liar", "smtbmc liar", "bitwuzla", run=run_liar)
    monkeypatch.setitem(engines.ENGINES, "liar", liar)
    result = run(toy(confirm="liar"), cache=False)
    assert (result.status, result.confirmed_by) == (verdict, confirmed_by)
    assert bool(result.unconfirmed) == (verdict == "PASS")


@pytest.mark.parametrize("status, times", [("PASS", 1), ("UNKNOWN", 1), ("TIMEOUT", 2)])
def test_that_an_engine_ran_out_of_time_is_asked_again(tmp_path, monkeypatch, status, times):
    jobs = []

    def run_second(job, folder):
        jobs.append(job)
        claims = ("done_answers_a_start", "done_lasts_a_cycle")
        return Outcome(status, found=claims, netlist=job.digest)

    # pytest loads this module with its own loader, so its results would not be cached.
    run_second.__module__ = "formal.engines.sby"
    monkeypatch.setitem(
        engines.ENGINES, "second", Engine("second", "pdr second", "pyosys", run=run_second)
    )
    task = toy(arguments={"hints": False}, obligations=2, engine="pdr", confirm="second")
    results = [Runner(build=tmp_path).run(task, "nano") for _ in range(2)]
    assert [(result.detail, result.late) for result in results] == [("", status == "TIMEOUT")] * 2
    assert len(jobs) == times


def test_what_no_engine_can_confirm_says_why(run):
    result = run(toy(unconfirmed="bitwuzla: over 600 s"))
    assert (result.status, result.confirmation) == ("PASS", None)
    assert (result.confirmed_by, result.unconfirmed) == ("", "bitwuzla: over 600 s")


def test_pdr_is_a_second_word_for_an_induction(run):
    pytest.importorskip("pyosys")
    assert run(toy(confirm="pdr")).confirmed_by == "pdr"


def test_with_another_first_engine_the_second_differs_too(run):
    assert run(toy(), engine="bitwuzla").confirmed_by == "yices"


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"confirm": "yices"}, "'yices' cannot confirm itself"),
        ({"confirm": "pdr", "unconfirmed": "too slow"}, "confirmed by 'pdr', or unconfirmed"),
    ],
)
def test_a_contradictory_task_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        toy(**changes)


def test_the_lock_file_has_every_engine_that_a_task_needs():
    """With only the packages of the lock file, a missing optional engine must not be fatal."""
    lock = (Path(__file__).parents[2] / "requirements.lock").read_text(encoding="utf-8")
    runner = Runner()
    for task in TASKS:
        for engine in runner.engines_for(task).values():
            assert f"\n{engine.package}==" in f"\n{lock}", (task.id, engine.name)
