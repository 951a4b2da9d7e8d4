"""Fresh processes with another content of one file."""

import os
import subprocess
import sys
import tempfile
import time

import pytest

from mutate import process
from mutate.process import call
from tools.sources import ROOT

FIXED = "spec/fixed.py"
CONTENT = (ROOT / FIXED).read_bytes()
MUTATED = CONTENT.replace(b"return self.i + self.f", b"return self.i - self.f")


def test_the_mutant_is_what_is_imported_and_what_is_digested():
    as_it_is = call("tests.mutate.under:width")
    changed = call("tests.mutate.under:width", path=FIXED, content=MUTATED)
    assert (as_it_is.status, changed.status) == ("done", "done")
    assert as_it_is.value[0] == 18 and changed.value[0] == -6
    assert as_it_is.value[1] != changed.value[1]
    assert (ROOT / FIXED).read_bytes() == CONTENT


def test_an_exception_is_reported():
    broken = CONTENT.replace(b"return self.i + self.f", b"return self.j")
    answer = call("tests.mutate.under:width", path=FIXED, content=broken)
    assert answer.status == "raised"
    assert answer.detail.startswith("AttributeError: 'SQ' object has no attribute 'j'")
    assert call("tests.mutate.under:nothing").status == "raised"


def test_a_mutant_of_what_was_loaded_before_is_refused():
    answer = call("tests.mutate.under:width", path="tools/sources.py", content=b"")
    assert answer.status == "unanswered"
    assert answer.detail == "tools/sources.py was read before it was replaced"


@pytest.mark.parametrize(
    ("function", "limit", "status", "detail"),
    [
        ("crash", 60.0, "crashed", "ended by SIGABRT, and it printed nothing"),
        ("leave", 60.0, "unanswered", "ended by SIGKILL, and it printed nothing"),
        ("give_up", 60.0, "unanswered", "exit code 3: no more"),
        ("lack_space", 60.0, "unanswered", "OSError: [Errno 28] No space left on device"),
        ("lack_memory", 60.0, "unanswered", "MemoryError: "),
        ("spin", 0.5, "late", "no answer in 0.5 s of CPU time"),
        ("start_and_spin", 0.5, "late", "no answer in 0.5 s of CPU time"),
        ("sleep", 0.05, "unanswered", "no answer in 1 s, in which it hardly ran"),
        ("doze", 0.4, "done", ""),
    ],
)
def test_an_answer_says_why_there_is_none(function, limit, status, detail):
    """A crash is an answer; being stopped is none. The limit is one of CPU time."""
    answer = call(f"tests.mutate.under:{function}", limit=limit)
    assert (answer.status, answer.detail) == (status, detail)
    assert answer.value is None


def test_what_it_prints_goes_to_the_log(tmp_path):
    for _ in range(2):
        call("tests.mutate.under:give_up", log=tmp_path / "log")
    assert (tmp_path / "log").read_text() == "no more\n" * 2


def test_the_environment_is_always_the_same(monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
    monkeypatch.setenv("VERIDECODE_CACHE", "nowhere")
    added = {"VERIDECODE_CACHE": "somewhere"}
    environment, folder = call("tests.mutate.under:surroundings", environment=added).value
    assert environment["VERIDECODE_CACHE"] == "somewhere" and folder == str(ROOT)
    environment, _ = call("tests.mutate.under:surroundings").value
    assert not environment.keys() & {"PYTEST_ADDOPTS", "VERIDECODE_CACHE"}


def test_a_server_that_somebody_ended_is_started_anew():
    server = process._server().process
    server.kill()
    server.wait()
    assert call("tests.mutate.under:width").status == "done"


def test_what_others_have_loaded_does_not_matter():
    """Python's own fork server is one for the whole process, and may have loaded what is mutated;
    so may the main module."""
    script = """
import multiprocessing
import spec.fixed
from mutate.process import call
from tools.sources import SOURCES
if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["spec.fixed"])
    other = context.Process(target=print)
    other.start()
    other.join()
    content = SOURCES.content(SOURCES.root / "spec/fixed.py")
    changed = content.replace(b"return self.i + self.f", b"return self.i - self.f")
    print(call("tests.mutate.under:width", path="spec/fixed.py", content=changed))
"""
    assert "status='done', value=(-6," in run_script(script)


def test_what_a_late_process_started_ends_with_it(tmp_path):
    path = tmp_path / "pid"
    assert call("tests.mutate.under:start_and_sleep", str(path), limit=0.2).status == "unanswered"
    with pytest.raises(ProcessLookupError):
        for _ in range(100):  # until the system has cleared it away
            os.kill(int(path.read_text()), 0)
            time.sleep(0.1)


def test_golden_computes_the_same_in_every_run():
    """Whatever the hashes of the interpreter, on which the order of sets depends."""
    script = """
from mutate.process import call
if __name__ == "__main__":
    print(call("mutate.inside.comparison:golden", "nano").value)
"""
    digests = {run_script(script, PYTHONHASHSEED=str(seed)) for seed in (1, 2)}
    assert len(digests) == 1 and "None" not in digests.pop()


def run_script(script: str, **environment: str) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(script)
        file.flush()
        return subprocess.run(
            [sys.executable, file.name],
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            check=True,
        ).stdout


def test_executed_lines_are_reported():
    lines = call("tests.mutate.under:width", observe=("spec",)).lines
    texts = [CONTENT.decode().splitlines()[number - 1] for number in lines[FIXED]]
    assert any("return self.i + self.f" in text for text in texts)
    assert not any("return 2.0**self.f" in text for text in texts)
