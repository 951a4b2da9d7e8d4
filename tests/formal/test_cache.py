"""Unchanged properties come from the cache; only changed ones are proved again."""

import dataclasses
import importlib
import sys
from pathlib import Path

import pytest

from formal import cache, elaborate
from formal.engines.outcome import Job
from formal.engines.table import ENGINES
from formal.runner import Runner
from spec.config import CONFIGS
from tests.formal import toys
from tests.formal.toy_tasks import DONE_STAYS, toy
from tools import sources
from tools.sources import SOURCES, Sources


@pytest.fixture
def rooms(tmp_path, monkeypatch):
    """Two components in a separate repository, in the modules room_a and room_b."""
    monkeypatch.setattr(sources, "SOURCES", Sources(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("room_a", "room_b"):
        (tmp_path / f"{name}.py").write_text(Path(toys.__file__).read_text("utf-8"), "utf-8")
    yield tmp_path
    for name in ("room_a", "room_b"):
        sys.modules.pop(name, None)


def forget_sources():
    """Forget all files, like a new process."""
    before = sources.SOURCES
    if before in sys.meta_path:
        sys.meta_path.remove(before)
    sources.SOURCES = Sources(before.root)
    sources.SOURCES.install()
    importlib.invalidate_caches()
    for name in ("room_a", "room_b"):
        sys.modules.pop(name, None)


@pytest.fixture
def prove(tmp_path, monkeypatch):
    """Prove the theorems of both rooms like a new process; returns the builds and the proofs."""
    built = []

    def build_under(bug, factory, *args, **kwargs):
        built.append(factory.__module__)
        return original(bug, factory, *args, **kwargs)

    original = elaborate.build_under
    monkeypatch.setattr(elaborate, "build_under", build_under)

    def prove_both():
        built.clear()
        forget_sources()
        proved = []
        for name in ("room_a", "room_b"):
            room = importlib.import_module(name)
            bug = dataclasses.replace(DONE_STAYS, module=name)
            task = toy(id=name, harness=room.safety, bug=bug)
            result = Runner(build=tmp_path / "build").run(task, "nano")
            assert result.detail == ""
            if not result.cached:
                proved.append(name)
        return sorted(set(built)), proved

    return prove_both


def test_a_changed_line_concerns_only_what_depends_on_it(rooms, prove):
    assert prove() == (["room_a", "room_b"], ["room_a"])  # room_b has the same jobs
    assert prove() == ([], [])

    changed = rooms / "room_b.py"
    source = changed.read_text("utf-8")
    changed.write_text(source + "\n# Said nothing.\n", "utf-8")
    assert prove() == (["room_b"], [])

    wider = source.replace("self.left = Signal(range(length))", "self.left = Signal(9)")
    assert wider != source
    changed.write_text(wider, "utf-8")
    assert prove() == (["room_b"], ["room_b"])


def test_what_is_edited_while_a_session_runs_is_not_remembered(rooms, prove):
    forget_sources()
    task = toy(id="room_a", harness=importlib.import_module("room_a").safety)
    origin = cache._origin(task, None, None, {})
    path = rooms / "room_a.py"
    before = path.read_text("utf-8")
    path.write_text(before + "\n# Said nothing.\n", "utf-8")
    assert cache._origin(task, None, None, {}) == origin  # what runs is what was imported
    assert not sources.SOURCES.on_disk("room_a")
    remembers = cache.Cache(rooms / "cache")
    remembers.netlist(task, CONFIGS["nano"], None, {"hints": True})
    assert not (rooms / "cache").exists()
    path.write_text(before, "utf-8")
    remembers.netlist(task, CONFIGS["nano"], None, {"hints": True})
    assert (rooms / "cache").exists()


def test_a_harness_without_a_name_of_its_own_is_not_remembered():
    unnamed = toy(harness=lambda config: toys.safety(config, hints=True))
    assert cache._origin(unnamed, None, None, {}) is None
    assert cache._origin(toy(), None, None, {"with": object()}) is None
    assert cache._origin(toy(), None, None, {"with": 1}) is not None


def test_a_model_reaches_the_files_of_its_component_and_no_others():
    def names(module):
        return {str(path.relative_to(sources.ROOT)) for path in SOURCES.reached(module)}

    one_layer, whole = names("formal.harness.kv"), names("formal.harness.assembled")
    assert {"design/kv_cache.py", "spec/derived.py", "properties/dialect.py"} <= one_layer
    assert {"design/softmax.py", "design/kv_cache.py", "design/decoder.py"} <= whole
    assert "design/softmax.py" not in one_layer
    assert "amaranth" not in {name.split("/")[0] for name in whole}


def test_an_engine_reaches_the_programs_that_it_starts_and_no_other_engine():
    def names(engine):
        module = ENGINES[engine].run.__module__
        return {path.name for path in SOURCES.reached(module)}

    programs = {"bitwuzla_smt2.py", "native_yosys.py", "wheel_program.py"}
    assert {"sby.py", "launch.py"} | programs <= names("yices")
    assert {"explore.py", "explore.cpp", "graph.py", "compiler.py"} <= names("explore")
    assert {"l2s.py", "launch.py"} <= names("l2s")
    assert {"paths.py", "graph.py"} <= names("cone")
    assert "explore.cpp" not in names("yices")


def test_an_answer_of_other_machinery_is_not_remembered(monkeypatch):
    job, engine = Job("", "prove", "smtbmc yices", 2, 60), ENGINES["yices"]
    before = cache._question(job, engine)
    assert before == cache._question(job, engine)
    monkeypatch.setattr(SOURCES, "digest_of", lambda path: f"{path.name} was changed")
    assert cache._question(job, engine) != before
    monkeypatch.setattr(SOURCES, "digest", lambda *modules: None)
    assert cache._question(job, engine) is None


def test_without_the_cache_everything_is_asked(build):
    assert not Runner(build=build, cache=False).run(toy(), "nano").cached
    assert Runner(build=build).run(toy(), "nano").cached
