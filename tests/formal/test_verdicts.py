"""Verdicts do not depend on other proofs, their order, or threads."""

import ast
import dataclasses
import json
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from formal.engines import graph, paths
from formal.engines import table as engines
from formal.engines.outcome import Job, Outcome
from formal.engines.table import ENGINES, Engine
from formal.runner import Runner
from tests.formal import toys
from tests.formal.toy_tasks import toy
from tools.planting import PlantedBug

ROOT = Path(__file__).parents[2]


@contextmanager
def interleaved() -> Iterator[None]:
    """Threads that start inside switch at any line of the engine `paths`."""

    def line(frame, event, argument):
        time.sleep(random.random() / 100)
        return line

    def call(frame, event, argument):
        return line if frame.f_code.co_filename == paths.__file__ else None

    threading.settrace(call)
    try:
        yield
    finally:
        threading.settrace(None)  # type: ignore[arg-type]


def toy_graph(joined: bool) -> str:
    """The output of synthesis for a netlist of a wire that is `joined` to another, or is not."""
    bits = {"apart_from_word": [2], "apart_to_word": [2 if joined else 3]}
    ports = {name: {"direction": "output", "bits": port} for name, port in bits.items()}
    ports["free"] = {"direction": "input", "bits": [2, 3]}
    return json.dumps({"modules": {"top": {"ports": ports, "netnames": {}, "cells": {}}}})


def test_an_answer_is_about_its_own_netlist_on_every_thread(tmp_path, monkeypatch):
    def synthesise(netlist: str, folder: Path, timeout: int) -> None:
        (folder / "model.il").write_text(netlist)
        (folder / "graph.json").write_text(toy_graph("joined" in netlist))

    monkeypatch.setattr(graph, "synthesise", synthesise)

    def ask(number: int) -> tuple[str, str]:
        netlist = f"{number} {'joined' if number % 2 else 'apart'}"
        job = Job(netlist, "prove", "through registers", 2, 60)
        answer = paths.run(job, tmp_path / str(number))
        assert answer.netlist == job.digest
        return netlist, answer.status

    with interleaved(), ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(80)))
    wrong = [
        (name, status)
        for name, status in answers
        if status != ("FAIL" if "joined" in name else "PASS")
    ]
    assert not wrong


def test_two_configurations_with_the_same_claims_keep_their_verdicts(tmp_path, monkeypatch):
    """True at nano, false at stories260k: proved repeatedly by eight threads in parallel."""
    synthesise, known = graph.synthesise, dict[str, str]()

    def quickly(netlist: str, folder: Path, timeout: int) -> None:
        """Each netlist only once, so that the threads meet where the graphs are read."""
        if netlist not in known:
            synthesise(netlist, folder, timeout)
            known[netlist] = (folder / "graph.json").read_text()
        (folder / "model.il").write_text(netlist)
        (folder / "graph.json").write_text(known[netlist])

    monkeypatch.setattr(graph, "synthesise", quickly)
    tasks = [
        toy(
            id=f"toy.{number}",
            theorem=toys.WordStaysInside,
            harness=toys.mailbox_cut_when_short,
            arguments={},
            obligations=2,
            bug=PlantedBug(
                "a bit of the word stands in for the tag",
                "tests.formal.toys",
                "Mailbox.elaborate",
                "self.o_tag.eq(read.data[0])",
                "self.o_tag.eq(read.data[1])",
            ),
            engine="cone",
        )
        for number in range(24)
    ]
    pairs = [(task, config) for task in tasks for config in ("nano", "stories260k")]
    with interleaved():
        runner = Runner(build=tmp_path, cache=False)
        results = list(runner.run_all(pairs, jobs=8))
    assert len(results) == len(pairs)
    assert {(result.config, result.detail) for result in results} == {
        ("nano", ""),
        ("stories260k", "violated: look_to_word after None cycles"),
    }


def about_another(job: Job, folder: Path) -> Outcome:
    """An engine whose outcome is about another netlist."""
    claims = ("active_while_pending", "done_answers_a_start", "done_lasts_a_cycle")
    other = dataclasses.replace(job, netlist=f"{job.netlist}\n")
    return Outcome("PASS", found=claims, netlist=other.digest)


@pytest.mark.parametrize("run_as", ["engine", "confirm"])
def test_an_answer_about_another_netlist_is_refused(run, monkeypatch, run_as):
    other = Engine("other", "smtbmc other", "bitwuzla", run=about_another, second="yices")
    monkeypatch.setitem(engines.ENGINES, "other", other)
    result = run(toy(**{run_as: "other"}), cache=False)
    assert result.detail == "the engine's answer is about another netlist than it was given"


def test_witnesses_shown_by_a_proof_of_another_netlist_are_refused(run, monkeypatch):
    def run_explore(job: Job, folder: Path) -> Outcome:
        answer = ENGINES["explore"].run(job, folder)
        return answer.cover and dataclasses.replace(
            answer, cover=dataclasses.replace(answer.cover, netlist="another")
        )

    other = dataclasses.replace(ENGINES["explore"], name="other", run=run_explore)
    monkeypatch.setitem(engines.ENGINES, "other", other)
    result = run(toy(arguments={"hints": False}, obligations=2, engine="other"), cache=False)
    assert result.detail == "the engine's answer is about another netlist than it was given"


def test_a_remembered_answer_about_another_netlist_is_refused(tmp_path):
    runner = Runner(build=tmp_path)
    assert runner.run(toy(), "nano").detail == ""
    for path in (tmp_path / "cache" / "answers").iterdir():
        path.write_text(json.dumps(json.loads(path.read_text()) | {"netlist": "another"}))
    assert "about another netlist" in runner.run(toy(), "nano").detail


@pytest.mark.parametrize("engine", ["yices", "pdr", "explore"])
def test_an_engine_names_the_netlist_that_it_found_in_its_folder(tmp_path, monkeypatch, engine):
    """A netlist that is replaced before the engine reads it is detected."""
    original = Path.write_text

    def write_text(path: Path, text: str, *args, **kwargs) -> int:
        return original(path, text + "\n" * (path.name == "model.il"), *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", write_text)
    task = toy(arguments={"hints": False}, obligations=2, engine=engine)
    assert "about another netlist" in Runner(build=tmp_path).run(task, "nano").detail


def test_two_runs_of_the_same_never_share_a_folder(tmp_path, monkeypatch):
    inside: list[Path] = []

    def run_slow(job: Job, folder: Path) -> Outcome:
        assert folder not in inside
        inside.append(folder)
        time.sleep(0.05)
        inside.remove(folder)
        return Outcome("FAIL", named=("never",), netlist=job.digest)

    slow = Engine("slow", "smtbmc slow", "bitwuzla", run=run_slow)
    monkeypatch.setitem(engines.ENGINES, "slow", slow)
    pairs = [(toy(engine="slow"), "nano")] * 4
    results = list(Runner(build=tmp_path, cache=False).run_all(pairs, jobs=4))
    assert [result.detail for result in results] == ["violated: never after None cycles"] * 4


#: What a module may keep, with the reason why no verdict can depend on it.
KEPT = {
    "formal/engines/table.py installed": "versions of packages, those that this process imported",
    "formal/engines/programs/launch.py _starters": "programs of this process",
    "formal/engines/programs/launch.py _fork_server": "a program of this process",
    "formal/report/statements.py _theorems": "sources, which this process reads once; for messages",
    "sim/build.py _built": "libraries, each in a folder named by its contents",
    "sim/observed.py _built": "decoders, by configuration and folder of libraries",
    "sim/rtl_decoder.py _library": "libraries, by that folder",
    "tools/compiler.py find_compiler": "a program of this machine",
    "tools/compiler.py processor": "a property of this machine",
    "tools/nearest.py imports_to": "sources, which this process reads once; they order, not judge",
    "tools/nearest.py nearest": "the same",
    "tools/nearest.py tests_below": "names of files; they order, not judge",
}
_CACHES = {"functools.cache", "functools.lru_cache", "cache", "lru_cache"}
_CHANGES = {"append", "appendleft", "add", "update", "setdefault", "pop", "clear", "extend"}


def kept_by(source: str) -> set[str]:
    """Names of a module that its functions change, and functions with a cache."""
    tree = ast.parse(source)
    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    changed: set[str] = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                match node:
                    case ast.Global():
                        changed.update(node.names)
                    case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)):
                        changed |= {name} & names if method in _CHANGES else set()
                    case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                        changed |= {name} & names
    return changed | {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and {ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list} & _CACHES
    }


@pytest.mark.parametrize(
    "source, names",
    [
        ("_LAST = deque()\ndef f(x):\n    _LAST.append(x)\n    return _LAST[-1]", {"_LAST"}),
        ("_MET = {}\ndef f(x):\n    _MET[x] = 1", {"_MET"}),
        ("def f(x):\n    global seen\n    seen = x", {"seen"}),
        ("@functools.cache\ndef f(x):\n    return x", {"f"}),
        ("TABLE = {1: 2}\ndef f(x):\n    own = []\n    own.append(TABLE[x])", set()),
    ],
)
def test_what_a_module_keeps_is_found(source, names):
    assert kept_by(source) == names


def test_nothing_that_judges_keeps_anything():
    kept = {
        f"{path.relative_to(ROOT)} {name}"
        for folder in ("tools", "formal", "properties", "sim", "gate")
        for path in (ROOT / folder).rglob("*.py")
        for name in kept_by(path.read_text("utf-8"))
    }
    assert kept == set(KEPT)
