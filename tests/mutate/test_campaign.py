"""A small campaign, controls, verdicts, reports, the command line."""

import dataclasses
import json

import pytest
from click.testing import CliRunner

from mutate import __main__ as command
from mutate import baseline, pool, report
from mutate.campaign import Campaign
from mutate.cases import Case
from mutate.controls import EQUIVALENT, FATAL, UNCHANGED, chosen
from mutate.unit_tests import asked
from tools.errors import BadInput
from tools.sources import ROOT

#: Killed by comparison, twice in one build; killed by elaboration; not executed in nano.
NAMES = (
    "design/rope.py:Rope.elaborate:rounding:0",
    "design/argmax.py:Argmax.elaborate:comparison:0",
    "design/argmax.py:Argmax.elaborate:bound:0",
    "design/kv_reader.py:WordReader._request:priority:0",
)


def case(name: str = NAMES[0]) -> Case:
    mutant = pool.named(name)
    return Case(mutant.name, mutant.path, pool.change(mutant), mutant)


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> dict[str, Case]:
    folder = tmp_path_factory.mktemp("mutate")
    campaign = Campaign(folder, lambda text: None, proofs=False, tests=False, decoders=("nano",))
    cases = list(campaign.run([pool.named(name) for name in NAMES]))
    again = list(campaign.run([pool.named(name) for name in NAMES]))
    assert again == cases, "what was judged is remembered"
    return {entry.name: entry for entry in cases}


def test_every_kind_of_verdict(judged):
    rounding, argmax, bound, unused = (judged[name] for name in NAMES)
    for entry in (rounding, argmax):
        assert [kill.detector for kill in entry.kills] == ["comparison"]
        assert entry.kills[0].cycle and entry.kills[0].detail.startswith("nano: run ")
        assert entry.executed_in == entry.differs_in == ["nano"]
    assert bound.kills[0].detector == "elaboration" and "TypeError" in bound.reason
    assert unused.status == "SURVIVOR" and not unused.asked


def test_the_report(judged, tmp_path):
    cases = list(judged.values())
    report.write(tmp_path / "report.json", cases, {"seed": 0})
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["schemaVersion"] == "2" and written["config"] == {"seed": 0}
    mutants = [entry for file in written["files"].values() for entry in file["mutants"]]
    assert {entry["id"]: entry["status"] for entry in mutants} == {
        NAMES[0]: "Killed", NAMES[1]: "Killed", NAMES[2]: "Killed", NAMES[3]: "Survived",
    }  # fmt: skip
    for path, file in written["files"].items():
        lines = (ROOT / path).read_text("utf-8").splitlines()
        assert file["source"].splitlines() == lines
        for entry in file["mutants"]:
            start, end = entry["location"]["start"], entry["location"]["end"]
            if start["line"] == end["line"]:
                text = lines[start["line"] - 1][start["column"] - 1 : end["column"] - 1]
                assert text == pool.change(pool.named(entry["id"])).before
    assert report.scores(cases, every=False) == "score: 75.0 % (3 of 4)"
    assert "fuzz alone: 75.0 %" in report.scores(cases, every=True)
    assert report.matrix(cases).row_count == 4


def test_a_card_says_what_where_and_who_ought_to_have_seen_it(judged):
    text = report.card(judged[NAMES[3]])
    assert text.startswith(f"SURVIVOR {NAMES[3]}\n  design/kv_reader.py:")
    assert "  - with m.If(left != 0):" in text and "  + with m.If(~values):" in text
    assert "ought to have seen it: tests/design/test_external_cache.py" in text


def test_identity_is_an_answer_only_where_it_was_executed_and_not_for_golden():
    found = case()
    assert found.status == "SURVIVOR"
    found.executed_in = ["nano"]
    assert found.status == "EQUIVALENT" and found.reason == "identical netlists of nano"
    assert dataclasses.replace(found, differs_in=["nano"]).status == "SURVIVOR"
    assert dataclasses.replace(found, path="golden/steps.py").status == "SURVIVOR"
    proved = dataclasses.replace(found, differs_in=["nano"], proved_in=["nano"])
    assert proved.status == "EQUIVALENT" and "proved by ABC" in proved.reason
    late = dataclasses.replace(found, differs_in=["nano"], undecided=["elaboration: no answer"])
    assert late.status == "SURVIVOR" and late.reason == "elaboration: no answer"
    found.killed("comparison", "a\n  difference", 7)
    found.killed("comparison", "another")
    assert found.status == "KILLED" and found.reason == "comparison: a difference (cycle 7)"


def test_controls_fit_the_sources_and_there_are_enough():
    assert len(EQUIVALENT) == len(FATAL) == 10
    for control in chosen(quick=False):
        changed = control.case().change
        assert (changed.content == (ROOT / control.path).read_bytes()) == (control is UNCHANGED)
        compile(changed.content, control.path, "exec")
    assert {control.killed_by for control in FATAL} == {"elaboration", "comparison", "unit tests"}
    with pytest.raises(BadInput, match="occurs 0 times"):
        dataclasses.replace(UNCHANGED, before="nowhere").case()


def test_a_control_with_a_wrong_verdict_is_a_sentence():
    survivor, killed = case(), case()
    killed.killed("comparison", "found")
    assert not UNCHANGED.wrong(survivor) and not FATAL[1].wrong(killed)
    assert "must be killed by nobody, but: KILLED" in UNCHANGED.wrong(killed)
    assert "must be killed by comparison, but: SURVIVOR" in FATAL[1].wrong(survivor)
    assert "must be killed by elaboration" in FATAL[0].wrong(killed)


def test_the_nearest_tests_have_its_name():
    assert asked("design/rope.py")[0] == "tests/design/test_rope.py"
    assert asked("golden/tokenizers/gguf.py")[0] == "tests/golden/test_tokenizer_gguf.py"
    assert "tests/golden/test_checkpoint_huggingface.py" in asked("golden/formats/safetensors.py")
    assert asked("spec/tables.py")[0] == "tests/spec/test_tables.py"


def run(*arguments: str) -> tuple[int, str]:
    ran = CliRunner().invoke(command.main, list(arguments))
    return ran.exit_code, ran.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "x"], "mutant 'x' is not in the pool"),
        (["run", "x"], "mutant 'x' is not in the pool"),
        (["run", "--changed", "no-such"], "'no-such' is no revision"),
        (["run", "--file", "design/none.py"], "'design/none.py' is no file with mutants"),
        (["list", "tools/cli.py"], "'tools/cli.py' is no file with mutants"),
        (["run", NAMES[0], "--changed", "HEAD"], "not by both"),
        (["run", "--sample", "0"], "0 is not in the range"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    code, output = run(*arguments)
    assert code == 2
    assert output.startswith("error: ") and message in output and output.count("\n") == 1


def test_list_and_show():
    code, output = run("list", "design/rope.py")
    assert code == 0 and NAMES[0] in output.splitlines()
    code, output = run("show", NAMES[0])
    assert code == 0 and "-" in output and "Rounding.TRUNCATE" in output


class Undecided(Campaign):
    """Comes to no end."""

    def __post_init__(self):
        self.judged = 0

    def _judge(self, cases, *, every=None):
        self.judged += len(cases)
        for case in cases:
            case.undecided.append("comparison: no answer")


def test_what_was_not_decided_is_judged_again(tmp_path):
    campaign = Undecided(tmp_path, lambda text: None)
    for number in (1, 2):
        (survivor,) = campaign.run([pool.named(NAMES[0])])
        assert survivor.reason == "comparison: no answer" and campaign.judged == number
    for number in (3, 4):
        (sentence,) = campaign.check([FATAL[1]])
        assert "but: SURVIVOR, comparison: no answer" in sentence and campaign.judged == number


class Nothing(Campaign):
    """Judges nothing."""

    def __post_init__(self):
        pass

    def check(self, controls):
        return []

    def run(self, mutants):
        return iter(())


class Unsound(Nothing):
    """Has a wrong control."""

    def check(self, controls):
        return ["a control is wrong"]


class Failing(Nothing):
    """The unchanged sources do not pass."""

    def check(self, controls):
        raise baseline.Broken("a test fails on the unchanged sources")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Nothing, "RED: no mutant was judged"),
        (Unsound, "RED: 1 controls are wrong"),
        (Failing, "RED: a test fails on the unchanged sources"),
    ],
)
def test_a_run_without_answers_is_red(monkeypatch, tmp_path, kind, message):
    monkeypatch.setattr(command, "Campaign", kind)
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    monkeypatch.setattr(command, "REPORT", tmp_path / "report.json")
    code, output = run("run")
    assert code == 1
    assert message in output


def test_the_command_runs_once_at_a_time(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    with command._alone(), pytest.raises(BadInput, match="another"), command._alone():
        pass
