"""The output for people and programs: traces, tables, results.json, junit.xml, explain."""

import dataclasses
import io
import json
import types
import typing
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from formal.__main__ import main
from formal.engines import l2s
from formal.engines.outcome import Job, Outcome
from formal.model import netlist
from formal.report import console as report
from formal.report import pages, results, waves
from formal.report.live import Board
from formal.report.statements import place, signals, statements
from formal.runner import ROOT, Runner
from formal.tasks import TASKS
from formal.tasks.configs import PROOF_CONFIGS
from spec.config import CONFIGS
from tests.formal import toys
from tests.formal.toy_tasks import false, toy


def console() -> Console:
    return Console(width=200, record=True, file=io.StringIO())


def conforms(value: object, kind: object) -> bool:
    """Whether a JSON value is of the type."""
    if typing.is_typeddict(kind):
        fields = typing.get_type_hints(kind)
        return (
            isinstance(value, dict)
            and set(value) == set(fields)
            and all(conforms(value[name], kind) for name, kind in fields.items())
        )
    if isinstance(kind, types.UnionType):
        return any(conforms(value, option) for option in typing.get_args(kind))
    if typing.get_origin(kind) is list:
        return isinstance(value, list) and all(
            conforms(element, typing.get_args(kind)[0]) for element in value
        )
    if typing.get_origin(kind) is typing.Literal:
        return value in typing.get_args(kind)
    if typing.get_origin(kind) is dict:
        of_key, of_value = typing.get_args(kind)
        return isinstance(value, dict) and all(
            conforms(key, of_key) and conforms(element, of_value) for key, element in value.items()
        )
    if kind is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    return type(value) is kind


@pytest.fixture(scope="module")
def decided(build):
    """A green result and a red one."""
    runner = Runner(build=build)
    return [runner.run(toy(), "nano"), runner.run(false(), "nano")]


def test_results_json_is_of_its_schema(tmp_path, decided):
    path = tmp_path / "results.json"
    results.write_json(
        path, decided, ["one is missing"], complete=True, sources="digest", tier="core", not_asked=7
    )
    content = json.loads(path.read_text())
    assert conforms(content, results.File)
    assert not conforms(content | {"results": [{"id": 1}]}, results.File)
    assert (content["unconfirmed"], content["unconfirmed_by_time"]) == (0, 0)
    green, red = content["results"]
    assert (green["status"], green["confirmed_by"]) == ("PASS", "bitwuzla")
    assert (green["cover"]["cycles"], green["bug"]["cycles"]) == (5, 4)
    assert (red["status"], red["proof"]["names"]) == ("RED", ["never_runs"])
    assert Path(red["proof"]["trace"]).is_file()
    (claim,) = red["claims"]
    assert (claim["name"], claim["sentence"]) == ("never_runs", "Nothing is ever offered.")
    assert claim["place"].startswith("tests/formal/toys.py:") and green["claims"] == []
    assert content["tools"]["amaranth"] and content["date"]


def test_a_trace_below_the_repository_is_named_from_its_root(decided):
    trace = str(ROOT / "build" / "formal" / "x" / "trace.vcd")
    proof = dataclasses.replace(decided[1].proof, trace=trace)
    record = results.record(dataclasses.replace(decided[1], proof=proof))
    assert record["proof"]["trace"] == "build/formal/x/trace.vcd"


def test_the_claims_of_a_theorem_with_memories_are_read_more_than_once():
    """Its model is elaborated once: Amaranth refuses a second time."""
    (task,) = [task for task in TASKS if task.id == "kv.naive"]
    model = _model(task)
    claims = [one for one in statements(model) if one.name == "same_word_v"]
    assert "rd_v" in signals(model, claims)


def test_a_second_engine_that_ran_out_of_time_is_counted(tmp_path, decided):
    green, red = decided
    late = dataclasses.replace(
        green, confirmation=Outcome("TIMEOUT"), confirmed_by="", unconfirmed="bitwuzla: over 60 s"
    )
    declared = dataclasses.replace(green, confirmation=None, confirmed_by="", unconfirmed="slow")
    path = tmp_path / "results.json"
    results.write_json(
        path, [green, late, declared], [], complete=True, sources="", tier="core", not_asked=0
    )
    content = json.loads(path.read_text())
    assert (content["unconfirmed"], content["unconfirmed_by_time"]) == (2, 1)
    assert report.verdict([green], []) == "1 of 1 properties hold"
    assert report.verdict([green, late, declared, red], ["one"]) == (
        "3 of 4 properties hold, 2 without a second engine, 1 of these out of time, 1 missing, RED"
    )


@pytest.mark.parametrize("kind", [results.File, results.Record, results.Run])
def test_the_schema_is_documented(kind):
    page = (ROOT / "docs" / "verification.md").read_text("utf-8")
    assert [name for name in typing.get_type_hints(kind) if f"`{name}`" not in page] == []


def test_the_page_of_proofs_is_that_of_the_table():
    assert pages.PAGE.read_text("utf-8") == pages.page(TASKS), "python -m formal table --write"


def test_junit_counts_what_is_red_and_what_is_missing(tmp_path, decided):
    path = tmp_path / "junit.xml"
    results.write_junit(path, decided, ["one is missing"])
    toys_suite, missing_suite = ET.parse(path).getroot()
    assert (toys_suite.get("tests"), toys_suite.get("failures")) == ("2", "1")
    assert (missing_suite.get("tests"), missing_suite.get("failures")) == ("1", "1")
    failure = toys_suite.find("testcase[@name='toy.false[nano]']/failure")
    assert failure.get("message") == "violated: never_runs after 2 cycles"
    assert failure.text == "The countdown never runs."


def test_a_failure_shows_the_sentence_the_trace_and_its_last_cycles(build, decided):
    screen = console()
    report.print_result(screen, decided[1], Runner(build=build))
    output = screen.export_text()
    assert "theorem: The countdown never runs." in output
    assert "never_runs: Nothing is ever offered. (tests/formal/toys.py:" in output
    (row,) = [line.split() for line in output.splitlines() if "theorem.o__valid" in line]
    assert row == ["theorem.o__valid", "0", "1"]

    trace = Path(decided[1].proof.trace)
    known = {".".join(signal.path) for signal in waves.read(trace)}
    surfer = trace.with_suffix(".sucl").read_text().splitlines()
    added = [line.split()[1] for line in surfer if line.startswith("variable_add ")]
    assert surfer[0] == f"load_file {trace}"
    assert added and set(added) <= known
    gtkwave = trace.with_suffix(".gtkw").read_text().splitlines()
    assert f'[dumpfile] "{trace}"' in gtkwave
    assert set(added) <= set(gtkwave)


def test_a_violated_liveness_shows_its_loop(tmp_path):
    pytest.importorskip("pyosys")
    unfair = netlist(toys.pair_fair(CONFIGS["nano"], forget="assume_fair_o_b"))
    found = l2s.run(Job(unfair.text, "prove", "", 0, 60), tmp_path)
    assert (found.status, found.named) == ("FAIL", ("answered",))
    values = {signal.label: signal.values for signal in waves.read(Path(found.trace))}
    assert {len(samples) for samples in values.values()} == {found.cycles}
    again = [n for n, bit in enumerate(values["loop"]) if bit == "1"]
    assert len(again) > 1
    # Requested, unanswered, the second stream never ready; the last state equals the first.
    assert {values["theorem.pending"][n] for n in again} == {"1"}
    assert "1" not in {values["o_b__ready"][n] for n in again[:-1]}
    registers = ("theorem.pending", "theorem.broken", "dut.done", "dut.fsm_state")
    for name in registers:
        assert values[name][again[0]] == values[name][again[-1]]


def test_a_planted_bug_is_shown_on_demand(build, monkeypatch):
    monkeypatch.setattr("formal.tasks.TASKS", (toy(),))
    monkeypatch.setattr("formal.__main__.BUILD", build)
    arguments = ["prove", "toy", "--bugs", "--waves"]
    output = CliRunner().invoke(main, arguments, standalone_mode=False)
    assert output.return_value == 0
    assert "done_lasts_a_cycle: Done is a pulse." in output.output
    assert "theorem.was_done" in output.output
    assert list((build / "toy-nano" / "bug").rglob("trace.gtkw"))


def test_every_claim_of_the_table_has_its_sentence():
    nameless = [
        f"{task.id}: {statement.name} ({place(statement)})"
        for task in {task.theorem: task for task in TASKS}.values()
        for statement in statements(_model(task))
        if statement.kind == "assert" and not statement.sentence
    ]
    assert nameless == []


def _model(task):
    return task.harness(PROOF_CONFIGS[task.all_configs[0]], **task.arguments)


def test_explain_tells_all(monkeypatch):
    output = CliRunner().invoke(main, ["explain", "kv.row_done"], standalone_mode=False).output
    for part in (
        "Each row is reported ready, not busy and done, once",
        "k-induction, k = 2",
        "bitwuzla, within 60 s",
        "Only an announced row is written.",
        "Busy means announced and not complete.",
        "a row is done as soon as it is announced",
        "row_open & row_full",
        "nano, stories260k",
    ):
        assert part in output
    refused = CliRunner().invoke(main, ["explain", "nonsense"])
    assert refused.exit_code


def test_the_board_shows_what_runs_and_what_is_red():
    board = Board(console(), total=3)
    board.watch(toy(), "nano", "proof")
    board.count(red=True)
    board.console.print(board.render())
    output = board.console.export_text()
    assert "toy" in output and "proof" in output and "0 s" in output
    assert "1 of 3 decided" in output and "1 RED" in output
    board.watch(toy(), "nano", "")
    board.console.print(board.render())
    assert "proof" not in board.console.export_text()
