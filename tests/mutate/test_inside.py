"""What runs in the process of a mutant, where the machine fails and not the mutant."""

from pathlib import Path

import pytest

from formal.engines.outcome import Outcome
from formal.runner import Result, Runner
from mutate.inside import proofs
from mutate.process import call


@pytest.mark.parametrize(
    ("proof", "refuted", "undecided"),
    [
        (Outcome("PASS"), "", ""),
        (Outcome("FAIL"), "wrong", ""),
        (Outcome("UNKNOWN"), "wrong", ""),
        (Outcome("TIMEOUT"), "", "TIMEOUT: wrong"),
        (Outcome("ERROR"), "", "ERROR: wrong"),
        (None, "", "ERROR: wrong"),
    ],
)
def test_an_engine_that_fails_refutes_nothing(monkeypatch, proof, refuted, undecided):
    def run(self, task, config):
        detail = "" if proof and proof.status == "PASS" else "wrong"
        return Result(task=task, config=config, engine="bitwuzla", detail=detail, proof=proof)

    monkeypatch.setattr(Runner, "run", run)
    answer = proofs.prove(proofs.tasks()[0], Path("nowhere"))
    assert (answer["refuted"], answer["undecided"]) == (refuted, undecided)


def test_what_a_harness_raises_refutes(monkeypatch, tmp_path):
    def broken(request):
        raise TypeError("it does not fit")

    monkeypatch.setattr(proofs, "in_process", broken)
    answer = proofs.prove(proofs.tasks()[0], tmp_path, cache=False)
    assert answer["refuted"] == "TypeError: it does not fit" and not answer["undecided"]


def test_the_cache_of_proofs_hides_no_executed_lines(tmp_path):
    given = ("mutate.inside.proofs:prove", "softmax.score_of_its_beat", tmp_path)
    first, cached, again = (
        call(*given, cache, observe=("design",)) for cache in (False, True, False)
    )
    for answer in (first, cached, again):
        assert answer.status == "done" and not answer.value["refuted"], answer.detail
    assert first.lines == again.lines != cached.lines


@pytest.mark.parametrize(
    ("body", "status", "failed"),
    [
        ("pass", "done", False),
        ("assert False", "done", True),
        ("raise MemoryError", "unanswered", True),
    ],
)
def test_a_test_fails_but_not_for_want_of_memory(tmp_path, body, status, failed):
    file = tmp_path / "test_one.py"
    file.write_text(f"def test_it():\n    {body}\n")
    answer = call("mutate.inside.tests:run", (str(file),))
    assert answer.status == status, answer.detail
    if answer.value:
        assert bool(answer.value["failed"]) == failed and answer.value["passed"] == (not failed)
