"""A property without a proof is red."""

import types

from click.testing import CliRunner

import properties
from formal import missing, tasks
from formal.__main__ import main
from formal.ledger.audit import Line, Outside
from formal.runner import Result
from formal.tasks.configs import CORE, WIDE
from properties.done_pulse import DonePulse
from tests.formal import toys
from tests.formal.toy_tasks import toy


def test_every_theorem_has_a_task():
    stated = missing.theorems()
    assert DonePulse in stated
    assert missing.from_table(tasks.TASKS, stated) == []


def test_parts_of_theorems_are_no_theorems():
    assert not [kind for kind in missing.theorems(properties) if kind.__name__.startswith("_")]
    empty = types.SimpleNamespace(__path__=[], __name__="nothing")
    assert missing.theorems(empty) == set()


def test_a_table_with_holes_is_told():
    rows = [
        toy(),
        toy(),
        toy(id="toy.nowhere", configs=(), unproved=dict.fromkeys((*CORE, *WIDE), "")),
    ]
    assert missing.from_table(rows, {DonePulse, toys.Stays}) == [
        "no task proves tests.formal.toys.Stays",
        "toy is in the table more than once",
        "toy.nowhere has no configuration",
    ]


def test_a_result_that_did_not_come_is_told():
    green = Result(task=toy(), config="nano", engine="yices")
    pairs = [(toy(), "nano"), (toy(), "stories260k")]
    assert missing.from_results(pairs, [green]) == ["toy stories260k has 0 results"]
    assert missing.from_results(pairs[:1], [green, green]) == ["toy nano has 2 results"]


def test_a_session_with_all_green_and_one_missing_is_red(build, monkeypatch):
    for module in ("formal.tasks", "formal.__main__"):
        monkeypatch.setattr(f"{module}.TASKS", (toy(),))
    monkeypatch.setattr("formal.__main__.BUILD", build)
    monkeypatch.setattr("formal.__main__.LINES", (Line(("toy",), ("*",), (Outside("a toy"),)),))
    monkeypatch.setattr(missing, "theorems", lambda: {DonePulse})
    assert CliRunner().invoke(main, ["prove"], standalone_mode=False).return_value == 0
    monkeypatch.setattr(missing, "theorems", lambda: {DonePulse, toys.Stays})
    answer = CliRunner().invoke(main, ["prove"], standalone_mode=False)
    assert answer.return_value == 1
    assert "MISSING no task proves tests.formal.toys.Stays" in answer.output
    assert "1 of 1 properties hold, 1 missing" in answer.output


def test_a_session_that_supposes_what_nobody_pays_for_is_red(build, monkeypatch):
    for module in ("formal.tasks", "formal.__main__"):
        monkeypatch.setattr(f"{module}.TASKS", (toy(),))
    monkeypatch.setattr("formal.__main__.BUILD", build)
    monkeypatch.setattr("formal.__main__.LINES", ())
    monkeypatch.setattr(missing, "theorems", lambda: {DonePulse})
    answer = CliRunner().invoke(main, ["prove"], standalone_mode=False)
    assert answer.return_value == 1
    assert "toy nano supposes start_when_idle: no line of the ledger" in answer.output
