"""Builds, proofs and compiled code match the files on the disk, whatever their times.

Each test runs in a copy of the repository: one process builds, something is edited, and the next
process must not get the build of the old text. No real tool runs: a library is the text that it
would be compiled from.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("tools", "spec", "design", "golden", "properties", "formal", "sim", "gate", "tests")

BEGIN = """
import os, sys
from pathlib import Path

def edit(path, old, new):
    path = Path(path)
    times = path.stat()
    text = path.read_text()
    assert text.count(old) == 1, (path, text.count(old))
    path.write_text(text.replace(old, new))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
"""
BUILD = """
import sim.build
from spec.config import CONFIGS
import design.decoder  # with all its components

def run_yosys(script, folder):
    (folder / "script.ys").touch()
    (folder / "design.cc").write_text((folder / "design.il").read_text())
    return ""

def compile_library(compiler, flags, source, folder):
    parts = [path.read_text() for path in sorted(folder.iterdir())]
    (folder / "decoder.so").write_text("".join(parts))

sim.build.run_yosys = run_yosys
sim.build.compile_library = compile_library
sim.build.tune = lambda text, **options: text

def build():
    print(sim.build.build(CONFIGS["nano"], "quick", quiet=True).library.read_text())
"""
PROVE = """
from formal.runner import Runner
from tests.formal.toy_tasks import toy

def prove():
    print(Runner(proofs_only=True).run(toy(), "nano").detail)
"""
ATTEND = """
import numpy as np
from golden.fast.attention import _attend

def attend():
    total, sums = np.zeros((1, 1, 1, 1), np.int64), np.zeros((1, 1, 1), np.int64)
    rows, room = np.zeros((1, 1, 1, 1), np.int16), np.zeros((2, 1, 1, 1), np.int64)
    query, below = np.zeros((1, 1, 1, 1), np.int32), np.ones(1, np.int32)
    _attend(1, query, rows, rows, 0, 0, 0, -9, 9, below, room.astype(np.int32), room, total, sums)
    print(total.item())
"""
#: Edits that keep the length of the file and change the build.
SOFTMAX = ("design/softmax.py", "empty.eq(1)", "empty.eq(0)")
HARNESS = ("sim/harness.py", "self.resettable else 0)", "self.resettable else 1)")
DRIVER = ("sim/driver/driver.cc", "<cinttypes>", "<cstdint>  ")
TUNE = ("sim/tune/order.py", "import Counter", "import  Counter")
_AFTER = "\n        with m.If(self.o.valid"
TOY = ("tests/formal/toys.py", f"self.done.eq(0){_AFTER}", f"self.done.eq(1){_AFTER}")


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], str]:
    """Run a program in a copy of the repository; returns its output."""
    for folder in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)

    def python(program: str) -> str:
        hidden = ("PYTHONDONTWRITEBYTECODE", "VERIDECODE_CACHE", "NUMBA_CACHE_DIR", "PYTHONPATH")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        done = subprocess.run(
            [sys.executable, "-c", BEGIN + program],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return python


def elsewhere(cache: str) -> str:
    """First line of a program: use the build cache `cache`."""
    return f"os.environ['VERIDECODE_CACHE'] = {cache!r}\n"


@pytest.mark.parametrize("edited", [SOFTMAX, HARNESS, DRIVER], ids=lambda edit: edit[0])
def test_a_simulation_is_of_the_sources_on_the_disk(run, edited):
    before = run(elsewhere("one") + BUILD + f"edit(*{edited})\nbuild()")
    after = run(elsewhere("one") + BUILD + "build()")
    assert after == run(elsewhere("two") + BUILD + "build()")
    # Modules were imported before the edit, so the edit does not affect them.
    assert (before == after) == (edited == DRIVER)


@pytest.mark.parametrize("edited", [HARNESS, DRIVER, TUNE], ids=lambda edit: edit[0])
def test_a_simulation_is_built_again_after_an_edit_and_not_otherwise(run, edited):
    made = BUILD + "\nprint(sim.build.build(CONFIGS['nano'], 'quick', quiet=True).cached)"
    assert [run(made), run(made)] == ["False\n", "True\n"]
    run(f"edit(*{edited})")
    assert [run(made), run(made)] == ["False\n", "True\n"]


def test_a_proof_is_about_the_sources_on_the_disk(run):
    assert run(PROVE + f"edit(*{TOY})\nprove()") == "\n"
    detail = run(PROVE + "prove()")
    assert detail.startswith("violated: "), "the cached result of the old text was used"


def test_a_proof_is_not_about_the_code_that_python_compiled_before(run):
    assert run(PROVE + "prove()") == "\n"
    run(f"edit(*{TOY})")
    detail = run(PROVE + "prove()")
    assert detail.startswith("violated: "), "code of the old text was used"


def test_golden_runs_no_machine_code_of_other_sources(run):
    assert run(ATTEND + "attend()") == "0\n"
    run("edit('golden/fast/attention.py', 'value = np.int64(0)', 'value = np.int64(7)')")
    assert run(ATTEND + "attend()") == "7\n", "code of the old text was used"


def test_an_engine_that_runs_other_sources_than_we_do_is_refused(run):
    edited = "edit('formal/engines/programs/native_yosys.py', 'tee -q', 'tee  -q')"
    begin = "from formal.engines.programs import launch\nfrom tools.sources import SOURCES\n"
    # The file is part of the cache key of proofs; another process reads it later.
    digested = begin + "SOURCES.digest('formal.engines.sby')\n"
    refused = "try: launch.environment()\nexcept RuntimeError as error: print(error)"
    edited_twice = edited.replace("'tee -q'", "'tee -q -o'").replace("'tee  -q'", "'tee  -q -o'")
    output = run(f"{digested}{edited_twice}\n{refused}")
    changed = "formal/engines/programs/native_yosys.py"
    assert output == f"{changed} changed while this was running: run it again\n"
    assert run(begin + refused) == ""


def test_a_program_is_compiled_from_what_was_digested(run):
    program = """
from tools.compiled import compiled
from tools.sources import SOURCES
source = Path("formal/engines/programs/fork_client.cpp").resolve()
SOURCES.content(source)
source.write_text("no C++")
print(compiled(source, Path("build")).is_file())
"""
    assert run(program) == "True\n"


def test_modules_loaded_before_our_loader_have_no_digest(run):
    digested = "from tools.sources import SOURCES\nprint(SOURCES.digest('golden.fixed_math'))"
    assert run(f"import golden.fixed_math\n{digested}") != "None\n"
    run("Path('golden/__init__.py').write_text('')")
    by_others = f"import golden\n{digested}"
    assert run(by_others) == "None\n"


def test_every_file_read_is_digested(run):
    """Elaborates one task of each harness, and checks every file opened meanwhile."""
    program = """
from formal import cache, tasks
from formal.runner import Runner
from tools.sources import ROOT, SOURCES

opened = set()
def note(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        opened.add(Path(arguments[0]))
sys.addaudithook(note)

runner = Runner(proofs_only=True)
for task in {task.harness.__module__: task for task in tasks.TASKS}.values():
    opened.clear()
    runner._netlist(task, task.all_configs[0])
    reached = SOURCES.reached(*cache._modules(task, None))
    ours = {path for path in opened if path.is_relative_to(ROOT)}
    print(*(path for path in ours - reached if "build" not in path.parts), sep="\\n", end="")
"""
    assert run(program) == ""
