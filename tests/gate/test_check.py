"""`nox -s check`: what an edit touches, in which order it is asked about, and the first red."""

import subprocess
import sys
from pathlib import Path

import pytest

from formal.tasks import select
from gate.check import proofs, tests
from gate.check.changes import Changes
from gate.check.history import History
from mutate.red import scratch_copy

ROOT = Path(__file__).resolve().parents[2]
SOFTMAX = "design/softmax.py"


def edit(path: str, *functions: str) -> Changes:
    """As if these functions of `path` differed."""
    return Changes({path: frozenset(functions or ("",))})


def test_functions_inside_of_others_are_not_named():
    changes = edit(SOFTMAX, "", "Unit.elaborate", "Unit.elaborate.inner", "helper")
    assert changes.outermost(SOFTMAX) == ["Unit.elaborate", "helper"]


def test_what_is_not_checked_is_left_out():
    names = ("design/edited.py", "docs/page.md", "synth/new.py", "tools/gone.py")
    changes = Changes({name: frozenset({""}) for name in names})
    assert changes.checked == ["design/edited.py", "tools/gone.py"]


def test_proofs_with_a_bug_in_the_changed_function_come_first():
    pairs = proofs.affected(edit(SOFTMAX, "Softmax.elaborate"), History("proofs"))
    in_function = [
        pair
        for pair in pairs
        if (pair[0].bug.module, pair[0].bug.function) == ("design.softmax", "Softmax.elaborate")
    ]
    assert in_function
    assert set(map(_name, pairs[: len(in_function)])) == set(map(_name, in_function))
    assert pairs[0][1] == "nano"


def test_a_theorem_affects_the_proofs_that_import_it():
    pairs = proofs.affected(edit("properties/maximum.py"), History("proofs"))
    ids = {task.id for task, _ in pairs}
    assert "arith.maximum" in ids
    assert "schedule.token" not in ids
    assert proofs.affected(edit("golden/tokenizers/gguf.py"), History("proofs")) == []


def test_a_file_that_is_gone_affects_everything():
    pairs = proofs.affected(edit("design/gone.py"), History("proofs"))
    assert sorted(map(_name, pairs)) == sorted(map(_name, select((), None)))


def test_what_objected_before_comes_first():
    history = History("proofs")
    history.red("composition.answered nano", [SOFTMAX])
    first = proofs.affected(edit(SOFTMAX), history)[0]
    assert _name(first) == "composition.answered nano"
    history.red("tests/sim/test_toy.py", [SOFTMAX])
    assert tests.affected(edit(SOFTMAX), history)[0] == "tests/sim/test_toy.py"


def _name(pair) -> str:
    return f"{pair[0].id} {pair[1]}"


@pytest.mark.parametrize(
    "path, first",
    [
        (SOFTMAX, "tests/design/test_softmax.py"),
        ("golden/tokenizers/gguf.py", "tests/golden/test_tokenizer_gguf.py"),
        ("tests/sim/test_toy.py", "tests/sim/test_toy.py"),
    ],
)
def test_the_nearest_tests_come_first(path: str, first: str):
    files = tests.affected(edit(path), History("tests"))
    assert files[0] == first
    assert ("tests/fuzz/test_decoder.py" in files) == (path == SOFTMAX)


def test_fixtures_affect_the_tests_below_them():
    files = tests.affected(edit("tests/fuzz/conftest.py"), History("tests"))
    assert {"tests/fuzz/test_decoder.py", "tests/fuzz/test_regressions.py"} <= set(files)
    assert "tests/spec/test_shape.py" not in files


def test_history_that_cannot_be_read_is_empty(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("gate.check.history.FOLDER", tmp_path)
    history = History("tests")
    history.took("a", 1.234)
    history.red("a", ["b", "c"])
    history.write()
    assert History.read("tests") == history
    assert history.objections("a", ["b", "c", "d"]) == 2
    (tmp_path / "tests-history.json").write_text("{")
    assert History.read("tests") == History("tests")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A committed copy of the repository."""
    scratch_copy(tmp_path / "repository")
    return tmp_path / "repository"


def check(folder: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "gate.check"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert not result.stderr
    return result.returncode, result.stdout


def test_the_first_red_ends_the_check(copy: Path):
    assert check(copy) == (0, "nothing to check differs from HEAD\n")
    with (copy / "docs" / "speed.md").open("a") as page:
        page.write("more\n")
    assert check(copy) == (0, "nothing to check differs from HEAD; 1 other file differs\n")
    softmax = copy / SOFTMAX
    text = softmax.read_text()
    softmax.write_text(text.replace("empty | (score > maximum)", "empty | (score < maximum)"))
    code, printed = check(copy)
    assert code == 1
    assert f"changed: {SOFTMAX} (Softmax.elaborate)\n" in printed
    # Whichever lane was faster.
    assert "RED  arith." in printed or "FAILED tests/" in printed
    assert "\nRED after " in printed
