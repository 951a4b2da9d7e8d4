"""The runner accepts true theorems only, and detects vacuous proofs."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from formal import elaborate, judge, model, runner, tasks
from formal.__main__ import main
from formal.engines.outcome import Outcome
from formal.engines.programs import launch
from formal.ledger.audit import Line, Outside
from formal.runner import Runner
from formal.tasks.configs import CORE, WIDE
from properties.done_pulse import DonePulse, DonePulseFair, DonePulseRanking
from spec.config import CONFIGS
from tests.formal import toys
from tests.formal.toy_tasks import DONE_STAYS, NEVER_DONE, false, toy
from tools.planting import PlantedBug, build_under


def test_a_true_theorem_is_green_and_remembered(run):
    result = run(toy())
    assert (result.status, result.detail) == ("PASS", "")
    assert result.proof.found == (
        "active_while_pending",
        "done_answers_a_start",
        "done_lasts_a_cycle",
    )
    assert result.cover.named == ("answered_twice",)
    assert result.bug.named == ("done_lasts_a_cycle",)
    assert result.confirmed_by == "bitwuzla"
    assert run(toy()) == result  # with the same times: from the cache
    assert run(toy()).cached


def test_pdr_needs_no_hint(run):
    pytest.importorskip("pyosys")
    hintless = toy(arguments={"hints": False}, obligations=2, engine="pdr")
    assert run(hintless).status == "PASS"


def test_a_ranking_function_shows_liveness(run):
    task = toy(
        theorem=DonePulseRanking,
        harness=toys.ranking,
        arguments={},
        obligations=5,
        bug=NEVER_DONE,
    )
    assert run(task, engine="bitwuzla").status == "PASS"


@pytest.mark.parametrize(
    "forget, status", [("", "PASS"), ("assume_fair_o_a", "RED"), ("assume_fair_o_b", "RED")]
)
@pytest.mark.parametrize("engine", ["l2s", "explore"])
def test_liveness_needs_the_fairness_of_every_stream(run, engine, forget, status):
    if engine == "l2s":
        pytest.importorskip("pyosys")
    task = toy(
        theorem=DonePulseFair,
        harness=toys.pair_fair,
        arguments={"forget": forget},
        obligations=1,
        bug=PlantedBug(
            "done is lost",
            "tests.formal.toys",
            "Pair.elaborate",
            "self.done.eq(self.o_b.ready)",
            "self.done.eq(0)",
        ),
        engine=engine,
    )
    assert run(task).status == status


def test_yosys_as_webassembly_answers_the_same(run, tmp_path, monkeypatch):
    pytest.importorskip("pyosys")
    native = run(toy())
    monkeypatch.setattr(launch, "native_yosys", lambda: False)
    slow = Runner(build=tmp_path).run(toy(), "nano")
    for kind in ("proof", "cover", "bug"):
        one, other = getattr(native, kind), getattr(slow, kind)
        assert (one.status, one.named, one.found) == (other.status, other.named, other.found)


def test_a_false_theorem_is_red_with_its_trace(run):
    result = run(false())
    assert result.status == "RED"
    assert result.detail == "violated: never_runs after 2 cycles"
    assert Path(result.proof.trace).is_file()


def test_without_the_hint_the_induction_is_unproved_and_red(run):
    result = run(toy(arguments={"hints": False}, obligations=2))
    assert result.status == "RED"
    assert result.detail.startswith("unproved: no violation within the depth")


def test_a_vacuous_theorem_is_red(run):
    result = run(false(arguments={"vacuous": True}))
    assert result.proof.status == "PASS"
    assert result.status == "RED"
    assert result.detail == "vacuous: witness not reached: started"


def test_contradictory_assumptions_are_red(run):
    assert run(false(arguments={"vacuous": True, "contradictory": True})).status == "RED"


def test_a_search_must_suppose_what_the_proof_supposes(run):
    result = run(false(arguments={"vacuous": True}, search={"vacuous": False}))
    assert result.detail == "vacuous: the model of the cover run does not suppose never_started"


def test_a_search_that_loses_suppositions_on_the_way_is_red():
    whole = model.Netlist("", ["holds"], ["promise"], ["seen"])
    reached = Outcome("PASS", named=("seen",), found=("seen",))
    error = judge.cover(whole, whole, reached)
    assert error == "suppositions lost on the way to the engine: promise"
    blind = dataclasses.replace(whole, witnesses=[])
    error = judge.cover(blind, blind, reached)
    assert error == "vacuous: the theorem has no witness"
    whole_input = dataclasses.replace(reached, assumed=("promise",))
    assert not judge.cover(whole, whole, whole_input)


def test_a_bug_must_be_caught_by_what_the_proof_claims():
    bare = model.Netlist("", ["holds"], [], ["seen"])
    caught = Outcome("FAIL", named=("another",))
    error = judge.bug(toy(), bare, caught)
    assert error == "the planted bug is caught by unknown claims: another"


def test_a_proof_that_runs_out_of_time_is_red(run):
    endless = toy(mode="bmc", reason="to wait for", depth=10**6, timeout=1)
    assert run(endless).detail.startswith("unproved: timeout of the engine")


def test_a_harness_that_cannot_build_is_red_and_the_others_go_on(build):
    broken = toy(id="toy.broken", arguments={"hints": True, "nonsense": 1})
    pairs = [(broken, "nano"), (toy(), "nano")]
    decided = {r.task.id: r for r in Runner(build=build).run_all(pairs, jobs=1)}
    assert decided["toy"].status == "PASS"
    assert decided["toy.broken"].detail.startswith("TypeError: ")


def test_processes_make_the_same_netlists_and_hand_on_what_harnesses_raise():
    config, arguments = CONFIGS["nano"], {"hints": True}
    bugs = (None, DONE_STAYS)
    wanted = [elaborate.Request(toys.safety, config, bug, arguments) for bug in bugs]
    broken = elaborate.Request(toys.safety, config, None, arguments | {"nonsense": 1})
    with elaborate.processes(2) as elsewhere:
        assert list(map(elsewhere, wanted)) == list(map(elaborate.in_process, wanted))
        with pytest.raises(TypeError, match="nonsense"):
            elsewhere(broken)


def test_a_process_that_has_read_other_sources_makes_nothing(monkeypatch):
    known = elaborate.SOURCES.digest_of
    changed = elaborate.SOURCES.root / "formal" / "model.py"
    monkeypatch.setattr(
        elaborate.SOURCES, "digest_of", lambda path: "" if path == changed else known(path)
    )
    wanted = elaborate.Request(toys.safety, CONFIGS["nano"], None, {"hints": True})
    with elaborate.processes(1) as elsewhere:
        with pytest.raises(RuntimeError, match=r"formal/model\.py changed while this was running"):
            elsewhere(wanted)


def test_an_undeclared_obligation_is_red(run):
    result = run(toy(obligations=4))
    assert (result.status, result.detail) == ("RED", "4 obligations declared, 3 stated")


def test_an_obligation_lost_on_the_way_is_red(tmp_path):
    def dropping(wanted):
        whole = elaborate.in_process(wanted)
        text = re.sub(
            r"  cell \$check \\assert_done_lasts_a_cycle\n(    .*\n)*  end\n", "", whole.text
        )
        assert text != whole.text
        return dataclasses.replace(whole, text=text)

    result = Runner(build=tmp_path, elaborate=dropping).run(toy(), "nano")
    assert result.status == "RED"
    assert result.detail == "obligations lost on the way to the engine: done_lasts_a_cycle"


def test_a_bug_that_is_not_caught_is_red(run):
    harmless = PlantedBug(
        "none at all", "tests.formal.toys", "Countdown.elaborate", "self.left - 1", "self.left + ~0"
    )
    result = run(toy(bug=harmless))
    assert result.status == "RED"
    assert result.detail == "the planted bug is not caught (pass): none at all"


def test_a_bug_that_has_no_place_is_red(run):
    lost = PlantedBug("lost", "tests.formal.toys", "Countdown.elaborate", "self.done.eq(2)", "")
    result = run(toy(bug=lost))
    assert result.status == "RED"
    assert "`node` does not occur in tests.formal.toys.Countdown.elaborate" in result.detail


def test_a_bug_leaves_no_trace():
    before = dict(sys.modules)
    under = model.netlist(build_under(DONE_STAYS, toys.safety, CONFIGS["nano"], hints=True))
    assert {name: sys.modules[name] for name in before} == before
    assert under.text != model.netlist(toys.safety(CONFIGS["nano"], hints=True)).text


def test_a_bounded_proof_must_say_why():
    with pytest.raises(ValueError, match="a bounded proof, and no other, gives its reason"):
        toy(mode="bmc")


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["prove", "kv.nonsense"], "property 'kv.nonsense' is not in the table"),
        (["prove", "--config", "huge"], "--config 'huge' is not one of nano, stories260k"),
        (["prove", "kv.in_range", "--config", "nano"], "nothing selected"),
        (["prove", "kv", "--config", "stories15m"], "nothing selected is proved for --config"),
        (["prove", "--engine", "magic"], "engine 'magic' is not one of yices"),
        (["prove", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["prove", "--waves"], "--waves shows planted bugs: use it with --bugs"),
        (["explain", "kv.nonsense"], "property 'kv.nonsense' is not in the table"),
        (["prove", "--nonsense"], "No such option"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, sentence):
    done = subprocess.run(
        [sys.executable, "-m", "formal", *arguments],
        capture_output=True,
        text=True,
        cwd=runner.ROOT,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ") and sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_verdict_is_the_exit_code(build, monkeypatch):
    green = toy()
    red = toy(id="toy.red", obligations=4)
    monkeypatch.setattr(tasks, "TASKS", (green, red))
    monkeypatch.setattr("formal.__main__.TASKS", (green, red))
    monkeypatch.setattr("formal.__main__.BUILD", build)
    both = CliRunner().invoke(main, ["prove", "--jobs", "1"], standalone_mode=False)
    assert both.return_value == 1
    records = json.loads((build / "results.json").read_text())["results"]
    assert [(r["id"], r["status"], r["result"]) for r in records] == [
        ("toy", "PASS", "PASS"),
        ("toy.red", "RED", "PASS"),
    ]
    assert "theorem: Each done answers exactly one start" in both.output
    one = CliRunner().invoke(main, ["prove", "toy.red", "--bugs"], standalone_mode=False)
    assert one.return_value == 0


def test_what_the_core_leaves_is_counted_and_all_asks_it(build, monkeypatch):
    elsewhere = {*CORE, *WIDE} - {"nano", "nano@2"}
    task = toy(unproved=dict.fromkeys(elsewhere, "nobody asked"))
    for module in ("formal.tasks", "formal.__main__"):
        monkeypatch.setattr(f"{module}.TASKS", (task,))
    monkeypatch.setattr("formal.__main__.BUILD", build)
    monkeypatch.setattr("formal.__main__.LINES", (Line(("toy",), ("*",), (Outside("a toy"),)),))
    monkeypatch.setattr("formal.missing.theorems", lambda: {DonePulse})

    def prove(*arguments):
        shown = CliRunner().invoke(main, ["prove", *arguments], standalone_mode=False)
        assert shown.return_value == 0
        content = json.loads((build / "results.json").read_text())
        configs = [record["config"] for record in content["results"]]
        return shown.output, configs, content["tier"], content["complete"], content["not_asked"]

    output, *core = prove()
    assert core == [["nano"], "core", True, 1]
    assert "not run: 1 of 2 in the table" in output
    output, *everything = prove("--all")
    assert everything == [["nano", "nano@2"], "all", True, 0]
    assert "not run" not in output
    # A part of a tier is not complete.
    assert prove("--config", "nano@2")[1:] == (["nano@2"], "core", False, 1)


def test_a_task_says_what_is_different_at_a_configuration(run):
    task = toy(obligations=4, at={"nano": {"obligations": 3}})
    assert run(task).status == "PASS"
    assert run(dataclasses.replace(task, at={})).detail == "4 obligations declared, 3 stated"


@pytest.mark.parametrize("where", ["nano@3", "nano"])
def test_unproved_is_only_what_the_table_has_and_the_task_does_not_prove(where):
    with pytest.raises(ValueError, match=f"unproved where\\? {where}"):
        toy(unproved={where: "no reason"})


def test_list_shows_every_property():
    listed = CliRunner().invoke(main, ["list"], standalone_mode=False)
    assert all(task.id in listed.output for task in tasks.TASKS)
