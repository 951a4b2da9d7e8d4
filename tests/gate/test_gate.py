"""Every known way to get a green verdict without doing the work must give a red one."""

import dataclasses
import importlib.util
import io
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from gate import lint, manifest, summary
from gate.manifest import (
    DRAWING,
    PROFILES,
    SKIPS,
    STEPS,
    STORY_TOKENS,
    STORY_VALUES,
    VALUES_AN_EXAMPLE,
    Required,
    cover_points,
)  # fmt: skip
from gate.verdict import STALE
from tools import evidence
from tools.sources import SOURCES

ROOT = Path(__file__).resolve().parents[2]
NOW = "digest of the sources as they are"
FUZZING = "tests/fuzz/test_decoder.py::test_chosen_shapes[mha]"
DRAWN = "tests/fuzz/test_decoder.py::test_random_shapes[0]"
PLAIN = ("tests/sim/test_toy.py::test_one", "tests/sim/test_toy.py::test_two")
STORY = "tests/sim/test_story.py::test_story"
NO_JAX = SKIPS[0]

TASK = SimpleNamespace(engine="yices", mode="prove", obligations=2)
TABLE = [("one", "nano"), ("one", "stories260k"), ("two", "nano"), ("one", "nano@32")]

REQUIRED = Required(
    sources=NOW,
    table=dict.fromkeys(TABLE, TASK),  # type: ignore[arg-type]
    proofs=frozenset(TABLE[:3]),
    swept=frozenset(("one", "two")),
    linted={"ruff": 7},
    netlists=frozenset((("nano", 4, "ecp5", False), ("nano", 4, "ecp5", True))),
    tests=frozenset((FUZZING, DRAWN, *PLAIN, STORY)),
    profile="dev",
    skips=(NO_JAX,),
    least_tests={"tests/sim": 3, "tests/fuzz": 2},
)


def result(id: str, config: str) -> dict[str, Any]:
    return {
        "id": id, "config": config, "engine": "yices", "mode": "prove", "obligations": 2,
        "status": "PASS", "seconds": 1.5, "confirmed_by": "bitwuzla", "unconfirmed": "",
        "proof": {"status": "PASS"}, "confirmation": {"status": "PASS"},
        "cover": {"status": "PASS"}, "bug": {"status": "FAIL"},
    }  # fmt: skip


def case(test: str, **fields: Any) -> dict[str, Any]:
    return {"test": test, "outcome": "passed", "reason": "", "seconds": 1.0} | fields


def record(*cases: dict[str, Any]) -> dict[str, Any]:
    flags = {"asserts": True, "profile": "dev", "derandomized": False, "collected": []}
    flags["reached"] = sorted(cover_points())
    return {"sources": NOW, **flags, "cases": list(cases)}


def whole() -> dict[str, Any]:
    """The records after all jobs have succeeded."""
    compared = {name: {"examples": n, "steps": n, "values": n * VALUES_AN_EXAMPLE}
                for name, n in ((FUZZING, 15), (DRAWN, 2))}  # fmt: skip
    return {
        "formal/results.json": {
            "sources": NOW, "complete": True, "missing": [],
            "results": [result(*key) for key in TABLE[:3]],
        },
        "formal/sweep.json": {
            "sources": NOW, "seed": 20260730, "complete": True,
            "results": [
                {"id": id, "proved": [{}, {}], "undecided": [{}], "red": None, "detail": ""}
                for id in ("one", "two")
            ],
        },
        "lint.json": {"sources": NOW, "checks": [{"check": "ruff", "ok": True, "files": 7}]},
        "synth/ports.json": {
            "verdicts": [
                {"config": "nano", "lanes": 4, "device": "ecp5", "declared": 9, "bug": bug,
                 "ok": True} for bug in (False, True)
            ],
        },
        "story.json": {
            "sources": NOW, "arguments": [], "tokens": 300, "values": 300 * STORY_VALUES,
            "equal": True, "seconds": 5.0, "tokens_per_s": 60.0, "cycles_per_token": 43_000.0,
        },
        "fuzz/summary.json": record(*(case(name, **count) for name, count in compared.items())),
        "tests/summary.json": record(*map(case, (*PLAIN, STORY))),
        "gate-steps.json": [
            {"step": name, "ok": True, "seconds": 1.5, "sources": NOW} for name in STEPS
        ],
    }  # fmt: skip


def judge(build: Path, left: dict[str, Any], required: Required = REQUIRED) -> tuple[bool, str]:
    """The verdict on the records `left`, and its output."""
    for name, content in left.items():
        path = build / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    console = Console(width=300, record=True, file=io.StringIO())
    ok = summary.show(console, build, required, gate=True).ok
    assert json.loads((build / "gate.json").read_text())["ok"] is ok
    ET.parse(build / "gate.xml")
    return ok, console.export_text()


def test_all_that_is_required_is_green(tmp_path):
    ok, text = judge(tmp_path, whole())
    assert ok, text
    assert "3 of 3 required proofs; 1 of 4 in the table were not run" in text
    assert "proved for 4 configurations, out of time on 2" in text
    assert "Verdict: GREEN" in text


def test_allowed_skips_are_counted_and_explained(tmp_path):
    left = whole()
    left["tests/summary.json"]["cases"][2] |= {
        "outcome": "skipped", "reason": f"{NO_JAX.reason}: jax is not installed",
    }  # fmt: skip
    ok, text = judge(tmp_path, left)
    assert ok, text
    assert f"Verdict: GREEN, 1 skipped ({NO_JAX.reason}: {NO_JAX.why})" in text
    # The reason does not hold where JAX is installed.
    ok, text = judge(tmp_path, left, dataclasses.replace(REQUIRED, skips=()))
    assert not ok
    assert "test_story" in text


Change = Callable[[dict[str, Any]], Any]


def of(name: str, change: Change) -> Change:
    return lambda left: change(left[name])


def proofs(change: Change) -> Change:
    return of("formal/results.json", change)


def first(change: Change) -> Change:
    return proofs(lambda file: change(file["results"][0]))


def fuzz(change: Change) -> Change:
    return of("fuzz/summary.json", change)


def units(change: Change) -> Change:
    return of("tests/summary.json", change)


def sweep(change: Change) -> Change:
    return of("formal/sweep.json", change)


def linting(change: Change) -> Change:
    return of("lint.json", change)


def ports(change: Change) -> Change:
    return of("synth/ports.json", change)


def story(change: Change) -> Change:
    return of("story.json", change)


def steps(change: Change) -> Change:
    return of("gate-steps.json", change)


SKIPPED = {"outcome": "skipped", "reason": "no reason that is allowed"}
LEFT_OUT: dict[str, tuple[Change, str]] = {
    "no proofs": (lambda left: left.pop("formal/results.json"), "Proved: nothing yet"),
    "no fuzzing": (lambda left: left.pop("fuzz/summary.json"), "Compared: nothing yet"),
    "no tests": (lambda left: left.pop("tests/summary.json"), "Tested: nothing yet"),
    "no steps": (lambda left: left.pop("gate-steps.json"), "Steps: nothing yet"),
    # The story.
    "no story": (lambda left: left.pop("story.json"), "Story: nothing yet"),
    "a story that broke off": (story(lambda file: file.pop("tokens")), "was not finished"),
    "a value that differs": (story(lambda file: file.update(equal=False)), "DIFFERS"),
    "a short story": (story(lambda file: file.update(tokens=99)), f"must be {STORY_TOKENS} and"),
    "a story of few values": (
        story(lambda file: file.update(values=9)),
        f"{STORY_VALUES:,} values",
    ),
    "another story": (story(lambda file: file.update(arguments=["x"])), "of another story"),
    "a story of other sources": (story(lambda file: file.update(sources="older")), STALE),
    # The proofs: `complete` is not trusted, and one record is not enough.
    "no record": (proofs(lambda file: file["results"].clear()), "0 results, must have 1"),
    "one record": (proofs(lambda file: file.update(results=file["results"][:1])), "0 results"),
    "a record twice": (proofs(lambda file: file["results"].append(file["results"][0])), "2 resul"),
    "a strange record": (
        proofs(lambda file: file["results"].append(result("three", "nano"))),
        "is not in the table",
    ),
    "a missing theorem": (proofs(lambda file: file["missing"].append("no task proves x")), "no ta"),
    "an unknown proof": (first(lambda one: one.update(status="UNKNOWN")), "UNKNOWN"),
    "no cover": (first(lambda one: one.update(cover=None)), "cover without PASS"),
    "no planted bug": (first(lambda one: one.update(bug=None)), "bug without FAIL"),
    "no proof": (first(lambda one: one.update(proof=None)), "proof without PASS"),
    "no second engine": (first(lambda one: one.update(confirmed_by=None)), "no second engine"),
    "another engine": (first(lambda one: one.update(engine="z3")), "engine z3, in the table yices"),
    "bounded": (first(lambda one: one.update(mode="bmc")), "mode bmc"),
    "fewer obligations": (first(lambda one: one.update(obligations=1)), "obligations 1"),
    "proofs of other sources": (proofs(lambda file: file.update(sources="older")), STALE),
    "sources that changed": (proofs(lambda file: file.update(sources=None)), STALE),
    "only a part was run": (
        proofs(lambda file: file.update(complete=True) or file["results"].pop()),
        "2 of",
    ),
    # The sweep.
    "no sweep": (lambda left: left.pop("formal/sweep.json"), "Swept: nothing yet"),
    "a property not swept": (sweep(lambda file: file["results"].pop()), "no configuration drawn"),
    "nothing drawn": (
        sweep(lambda file: file["results"][0].update(proved=[], undecided=[])),
        "no configuration drawn",
    ),
    "refuted": (sweep(lambda file: file["results"][0].update(red={"lanes": 2})), "lanes"),
    "swept other sources": (sweep(lambda file: file.update(sources="older")), STALE),
    # Lint and RAM ports.
    "no lint": (lambda left: left.pop("lint.json"), "Linted: nothing yet"),
    "a check less": (linting(lambda file: file["checks"].clear()), "did not run"),
    "a strange check": (
        linting(lambda file: file["checks"][0].update(check="x")),
        "is not req",
    ),
    "a file not looked at": (linting(lambda file: file["checks"][0].update(files=6)), "must be 7"),
    "a red check": (linting(lambda file: file["checks"][0].update(ok=False)), "7 files"),
    "lint of other sources": (linting(lambda file: file.update(sources="older")), STALE),
    "no netlists": (lambda left: left.pop("synth/ports.json"), "Mapped: nothing yet"),
    "a netlist less": (ports(lambda file: file["verdicts"].pop(0)), "has 0 results, must have 1"),
    "no planted reader": (ports(lambda file: file["verdicts"].pop()), "nano-4, ecp5, planted"),
    "a netlist twice": (ports(lambda file: file["verdicts"].append(file["verdicts"][0])), "2 res"),
    "a strange netlist": (ports(lambda file: file["verdicts"][0].update(lanes=8)), "must have 0"),
    "a red netlist": (ports(lambda file: file["verdicts"][0].update(ok=False)), "RED"),
    "no memory": (ports(lambda file: file["verdicts"][0].update(declared=0)), "RED"),
    # The fuzzing.
    "a fuzz test deselected": (fuzz(lambda file: file["cases"].pop()), "did not run"),
    "a fuzz test skipped": (fuzz(lambda file: file["cases"][0].update(SKIPPED)), "no reason that"),
    "few examples": (fuzz(lambda file: file["cases"][0].update(examples=14)), "must be 15 and 750"),
    "few values": (fuzz(lambda file: file["cases"][0].update(values=749)), "must be 15 and 750"),
    "no counts": (fuzz(lambda file: file["cases"][0].pop("examples")), "0 examples"),
    "another profile": (fuzz(lambda file: file.update(profile="default")), "is not one of dev, ci"),
    "a larger profile, not reached": (fuzz(lambda file: file.update(profile="ci")), "must be 150"),
    "a cover point not reached": (
        fuzz(lambda file: file.update(profile="ci", reached=file["reached"][1:])),
        "was not reached by any case",
    ),
    "no cover points": (fuzz(lambda file: file.pop("reached")), "Compared: nothing yet"),
    "derandomized": (fuzz(lambda file: file.update(derandomized=True)), "the same examples"),
    "fuzzing of other sources": (fuzz(lambda file: file.update(sources="older")), STALE),
    # The tests.
    "a test deselected": (units(lambda file: file["cases"].pop(0)), "did not run"),
    "no test": (units(lambda file: file["cases"].clear()), "0 of 3 passed"),
    "a test skipped": (units(lambda file: file["cases"][0].update(SKIPPED)), "no reason that is"),
    "a test failed": (units(lambda file: file["cases"][0].update(outcome="failed, call")), "fail"),
    "only set up": (units(lambda file: file["cases"][0].update(outcome="not called")), "not call"),
    "a strange test": (units(lambda file: file["cases"].append(case("tests/x.py::x"))), "is not"),
    "no assertions": (units(lambda file: file.update(asserts=False)), "without assertions"),
    "tests of other sources": (units(lambda file: file.update(sources="older")), STALE),
    # The steps.
    "a single step": (
        steps(lambda ran: ran.__delitem__(slice(1, None))),
        "are story, must be story",
    ),
    "a step less": (steps(lambda ran: ran.pop(3)), "must be story, lint, tests, formal"),
    "a red step": (steps(lambda ran: ran[4].update(ok=False)), "nox -s ports"),
    "a step of other sources": (steps(lambda ran: ran[4].update(sources="older")), STALE),
}


@pytest.mark.parametrize(("change", "words"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_omissions_are_red(tmp_path, change, words):
    left = whole()
    change(left)
    ok, text = judge(tmp_path, left)
    assert not ok
    assert words in text
    assert "Verdict: RED" in text


def test_another_profile_is_red(tmp_path):
    ok, text = judge(tmp_path, whole(), dataclasses.replace(REQUIRED, profile="nightly"))
    assert not ok
    assert "must be nightly" in text


def test_a_collection_that_lost_tests_is_red(tmp_path):
    """Otherwise the lost tests would not be required."""
    left = whole()
    left["tests/summary.json"]["cases"].pop(0)
    ok, text = judge(
        tmp_path, left, dataclasses.replace(REQUIRED, tests=REQUIRED.tests - {PLAIN[0]})
    )
    assert not ok
    assert "2 tests are collected, must be at least 3" in text


def test_every_fuzz_test_that_compares_has_a_least_number_of_examples():
    assert PROFILES["dev"].least(FUZZING) == PROFILES["dev"].chosen
    assert PROFILES["ci"].least(DRAWN) * DRAWING == PROFILES["ci"].drawn
    recording = [
        line.partition("def ")[2].partition("(")[0]
        for path in (ROOT / "tests" / "fuzz").glob("test_*.py")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("def test_") and "fuzz_record," in line
    ]
    assert len(recording) == 7
    assert all(PROFILES["dev"].least(f"tests/fuzz/test_any.py::{name}") for name in recording)


def test_the_requirements_match_the_repository():
    """A real collection: the least numbers of the manifest must be reached, but not by far."""
    required = manifest.required(gate=True)
    counted = manifest.by_folder(required.tests)
    assert counted.keys() == required.least_tests.keys()
    for folder, least in required.least_tests.items():
        assert least <= counted[folder] <= 1.5 * least, f"LEAST_TESTS of {folder}"
    assert set(required.tests) >= {
        "tests/fuzz/test_decoder.py::test_random_shapes[0]",
        "tests/gate/test_gate.py::test_the_requirements_match_the_repository",
    }
    core = manifest.required(gate=False)
    assert set(core.tests) == required.in_folder("tests/fuzz")
    assert core.table == required.table
    assert core.proofs < required.proofs == required.table.keys()
    assert required.swept and not core.swept
    assert required.linted.keys() == lint.CHECKS.keys() and min(required.linted.values()) > 100
    assert ("small", 8, "ecp5", True) in required.netlists and len(required.netlists) == 12


def test_the_digest_is_of_contents_alone(tmp_path):
    (tmp_path / "design").mkdir()
    source = tmp_path / "design" / "one.py"
    source.write_text("a = 1\n")
    before, times = evidence.sources(tmp_path), source.stat()
    (tmp_path / "design" / "__pycache__").mkdir()
    (tmp_path / "design" / "__pycache__" / "one.pyc").touch()
    (tmp_path / "notes.txt").touch()
    assert evidence.sources(tmp_path) == before
    source.write_text("a = 2\n")
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert evidence.sources(tmp_path) != before
    source.write_text("a = 1\n")
    assert evidence.sources(tmp_path) == before
    source.rename(source.with_name("two.py"))
    assert evidence.sources(tmp_path) != before


def test_sources_that_change_or_were_imported_otherwise_have_no_digest(monkeypatch):
    now = evidence.sources()
    assert "tools/evidence.py" in SOURCES.digests()
    assert evidence.Watch().digest() == now
    watch = evidence.Watch()
    monkeypatch.setattr(evidence, "sources", lambda: "others")
    assert watch.digest() is None
    monkeypatch.undo()
    assert watch.digest() == now
    for name in ("evidence.py", "gone.py"):
        path = evidence.ROOT / "formal" / name
        monkeypatch.setitem(SOURCES._contents, path, b"as it was imported")
        assert watch.digest() is None
        monkeypatch.undo()


NARROWING = (
    "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "HYPOTHESIS_PROFILE", "VERIDECODE_CACHE", "CI",
    "PYTHONOPTIMIZE", "PYTHONPATH", "PYTHONSTARTUP", "NOXSESSION", "VERIDECODE_FORK_SERVER",
)  # fmt: skip


def test_a_job_sees_no_variable_that_chooses_what_is_run():
    seen = evidence.environment(dict.fromkeys((*NARROWING, "HOME", "LC_ALL", "CXX"), "x"))
    assert sorted(seen) == ["CXX", "HOME", "LC_ALL", "PATH"]


@pytest.mark.parametrize("session", ["gate", "fuzz"])
@pytest.mark.parametrize("arguments", [["--profile"], ["--profile", "tiny"]])
def test_a_wrong_profile_is_refused_before_anything_runs(session, arguments):
    refused = nox(session, *arguments)
    assert "takes --profile dev|ci|nightly, which" in refused.stdout
    assert "pytest" not in refused.stdout


@pytest.mark.parametrize("arguments", [["-k", "least"], ["-x"], ["--profile", "dev", "-k", "x"]])
def test_the_gate_refuses_what_would_narrow_it(arguments):
    refused = nox("gate", *arguments)
    assert "takes --profile dev|ci|nightly, which" in refused.stdout
    assert "gate: lint" not in refused.stdout


class Quit(Exception):
    """Raised by a session that refuses its arguments."""


def test_the_gate_runs_every_step_in_a_clean_environment(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    assert spec and spec.loader
    noxfile = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(noxfile)
    stale = tmp_path / "summary.json"
    stale.touch()
    monkeypatch.setattr(noxfile, "BUILD", tmp_path)
    for name in ("FORMAL_RESULTS", "TESTS_RECORD", "FUZZ_RECORD", "SWEEP_RECORD", "PORTS_RECORD"):
        monkeypatch.setattr(noxfile, name, tmp_path / name)
    monkeypatch.setattr(noxfile, "RECORDS", [stale])
    for name in NARROWING:
        monkeypatch.setenv(name, "x")
    calls: list[str] = []

    def run(*command: str, env: dict[str, str], include_outer_env: bool, **_: Any) -> None:
        assert not include_outer_env
        assert not set(env) & set(NARROWING)
        calls.append(" ".join(command[1:]))
        if "ports" in command:
            raise noxfile.CommandFailed("red")

    def error(why: str) -> None:
        raise Quit(why)

    session = SimpleNamespace(posargs=["--profile", "ci"], log=lambda text: 0, run=run, error=error)
    with pytest.raises(Quit, match="no verdict"):
        noxfile.gate.func(session)
    assert not stale.exists()
    steps = json.loads((tmp_path / "gate-steps.json").read_text())
    assert [(step["step"], step["ok"]) for step in steps] == [(n, n != "ports") for n in STEPS]
    assert {step["sources"] for step in steps} == {evidence.sources()}
    assert "-m formal prove --all" in calls
    assert "-m gate.sweep" in calls
    assert calls[-2:] == ["-m gate.summary --gate --profile ci", "-m gate.report"]
    (fuzzing,) = [call for call in calls if "tests/fuzz" in call.split()]
    assert "--hypothesis-profile=ci" in fuzzing


def nox(session: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nox", "-s", session, "--install-only", "--", *arguments]
    answer = subprocess.run(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert answer.returncode != 0, answer.stdout
    return answer


TINY = """\
import pytest
@pytest.mark.parametrize("n", range(3))
def test_each(n):
    assert n != {wrong}
@pytest.mark.skipif({skips}, reason="not today")
def test_other():
    pass
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A project of four tests."""
    project = tmp_path_factory.mktemp("tiny")
    (project / "test_tiny.py").write_text(TINY.format(wrong=7, skips=False))
    (project / "narrow.ini").write_text("[pytest]\naddopts = -k other\n")
    return project


ALL = {
    "test_tiny.py::test_each[0]", "test_tiny.py::test_each[1]", "test_tiny.py::test_each[2]",
    "test_tiny.py::test_other",
}  # fmt: skip


def record_of(project: Path, *arguments: str, python: tuple[str, ...] = (), **variables: str):
    """The record of pytest, run in `project`."""
    path = project / "record.json"
    path.unlink(missing_ok=True)
    subprocess.run(
        [sys.executable, *python, "-m", "pytest", "-q", "-p", "tests.recorder",
         f"--record={path}", f"--rootdir={project}", *arguments, str(project / "test_tiny.py")],
        cwd=ROOT, env=evidence.environment() | variables, stdout=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return json.loads(path.read_text())


def passed(written: dict[str, Any]) -> set[str]:
    return {one["test"] for one in written["cases"] if one["outcome"] == "passed"}


@pytest.mark.parametrize("arguments", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_the_record_of_a_whole_run_has_every_test(tiny, arguments):
    written = record_of(tiny, *arguments)
    assert passed(written) == ALL
    assert written["asserts"] is True
    assert written["sources"] == evidence.sources()


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ([], {"PYTEST_ADDOPTS": "-k other"}),
        ([], {"PYTEST_ADDOPTS": "--setup-only"}),
        (["-k", "each"], {}),
        (["-n", "2", "-k", "each"], {}),
        (["-m", "not parametrize"], {}),
        (["--deselect", "test_tiny.py::test_each[1]"], {}),
        (["-c", "{0}/narrow.ini"], {}),
        (["-o", "python_functions=test_other"], {}),
        (["--collect-only"], {}),
        (["--setup-plan"], {}),
        (["--maxfail=1", "-x", "--deselect=test_tiny.py::test_other"], {}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "".join(value.values()),
)
def test_the_record_of_a_narrowed_run_lacks_tests(tiny, arguments, variables):
    written = record_of(tiny, *(text.format(tiny) for text in arguments), **variables)
    assert passed(written) < ALL


def test_no_profile_repeats_its_examples_where_there_is_CI(tiny):
    """In CI, Hypothesis has another default profile, which ours must not inherit."""
    assert record_of(tiny, CI="true")["derandomized"] is True
    path = tiny / "profiles.json"
    for profile in PROFILES:
        subprocess.run(
            [sys.executable, *evidence.PYTEST, "tests/fuzz", "-q", "-k", "share",
             f"--record={path}", f"--hypothesis-profile={profile}"],
            cwd=ROOT, env=evidence.environment() | {"CI": "true"}, check=True,
        )  # fmt: skip
        written = json.loads(path.read_text())
        assert (written["profile"], written["derandomized"]) == (profile, False)


def test_the_record_has_the_outcome_of_each_test(tmp_path):
    (tmp_path / "test_tiny.py").write_text(TINY.format(wrong=1, skips=True))
    written = record_of(tmp_path, "-x")
    outcomes = {one["test"]: (one["outcome"], one["reason"]) for one in written["cases"]}
    assert outcomes == {
        "test_tiny.py::test_each[0]": ("passed", ""),
        "test_tiny.py::test_each[1]": ("failed, call", ""),
    }
    written = record_of(tmp_path, python=("-O",))
    assert written["asserts"] is False
    outcomes = {one["test"]: (one["outcome"], one["reason"]) for one in written["cases"]}
    assert outcomes["test_tiny.py::test_other"] == ("skipped", "not today")
