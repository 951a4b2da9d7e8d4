"""What did not change costs nothing; what did is asked about again, and nothing else."""

import importlib
import sys
import time
from pathlib import Path

import pytest

from formal import cache, sources
from formal.canary import Canary
from formal.engines import ENGINES
from formal.outcome import Job
from formal.runner import Runner
from tests.formal import toys
from tests.formal.toy_tasks import DONE_STAYS, toy


@pytest.fixture
def rooms(tmp_path, monkeypatch):
    """Two components of a repository of their own, in the modules room_a and room_b."""
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    monkeypatch.setattr(sources, "STARTED", sources.STARTED)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("room_a", "room_b"):
        (tmp_path / f"{name}.py").write_text(Path(toys.__file__).read_text("utf-8"), "utf-8")
    yield tmp_path
    for name in ("room_a", "room_b"):
        sys.modules.pop(name, None)
    forget_sources()


def forget_sources():
    """What a new process knows of the files: nothing yet."""
    sources.STARTED = time.time() + 1
    for remembered in (sources._content, sources._needed):
        remembered.cache_clear()
    importlib.invalidate_caches()


@pytest.fixture
def prove(tmp_path, monkeypatch):
    """Prove the theorems of both rooms as a new process would: what was built, what was asked."""
    built = []

    def build_under(canary, factory, *args, **kwargs):
        built.append(factory.__module__)
        return original(canary, factory, *args, **kwargs)

    original = cache.build_under
    monkeypatch.setattr(cache, "build_under", build_under)

    def prove_both():
        built.clear()
        forget_sources()
        asked = []
        for name in ("room_a", "room_b"):
            sys.modules.pop(name, None)
            room = importlib.import_module(name)
            bug = Canary(DONE_STAYS.name, name, DONE_STAYS.snippet, DONE_STAYS.replacement)
            task = toy(id=name, harness=room.safety, canary=bug)
            result = Runner(build=tmp_path / "build").run(task, "nano")
            assert result.detail == ""
            if not result.cached:
                asked.append(name)
        return sorted(set(built)), asked

    return prove_both


def test_a_changed_line_concerns_only_what_depends_on_it(rooms, prove):
    assert prove() == (["room_a", "room_b"], ["room_a"])  # room_b asks the very same questions
    assert prove() == ([], [])

    changed = rooms / "room_b.py"
    source = changed.read_text("utf-8")
    changed.write_text(source + "\n# Said nothing.\n", "utf-8")
    assert prove() == (["room_b"], [])

    wider = source.replace("self.left = Signal(range(length))", "self.left = Signal(9)")
    assert wider != source
    changed.write_text(wider, "utf-8")
    assert prove() == (["room_b"], ["room_b"])


def test_what_is_written_while_a_session_runs_is_not_remembered(rooms, prove, monkeypatch):
    assert prove()[0] == ["room_a", "room_b"]
    monkeypatch.setattr(sources, "STARTED", 0)
    assert sources.digest(["room_a"]) is None
    task = toy(id="room_a", harness=importlib.import_module("room_a").safety)
    assert cache._origin(task, None, None, {}) is None


def test_a_model_reaches_the_files_of_its_component_and_no_others():
    def names(module):
        return {str(path.relative_to(sources.ROOT)) for path in sources.reached([module])}

    one_layer, whole = names("formal.harness.kv"), names("formal.harness.assembled")
    assert {"design/kv_cache.py", "design/derived.py", "properties/dialect.py"} <= one_layer
    assert {"design/softmax.py", "design/kv_cache.py", "design/decoder.py"} <= whole
    assert "design/softmax.py" not in one_layer
    assert "amaranth" not in {name.split("/")[0] for name in whole}


def test_an_engine_reaches_the_programs_that_it_starts_and_no_other_engine():
    def names(engine):
        module = ENGINES[engine].run.__module__
        return {path.name for path in sources.reached([module])}

    programs = {"bitwuzla_smt2.py", "native_yosys.py", "wheel_program.py"}
    assert {"sby.py", "tools.py"} | programs <= names("yices")
    assert {"explore.py", "explore.cpp", "graph.py", "toolchain.py"} <= names("explore")
    assert {"l2s.py", "tools.py"} <= names("l2s")
    assert {"paths.py", "graph.py"} <= names("cone")
    assert "explore.cpp" not in names("yices")


def test_an_answer_of_other_machinery_is_not_remembered(monkeypatch):
    job, engine = Job("", "prove", "smtbmc yices", 2, 60), ENGINES["yices"]
    before = cache._question(job, engine)
    assert before == cache._question(job, engine)
    monkeypatch.setattr(sources, "_content", lambda path: f"{path.name} was changed")
    assert cache._question(job, engine) != before
    monkeypatch.setattr(sources, "STARTED", 0)
    assert cache._question(job, engine) is None


def test_without_the_cache_everything_is_asked(build):
    assert not Runner(build=build, cache=False).run(toy(), "nano").cached
    assert Runner(build=build).run(toy(), "nano").cached
