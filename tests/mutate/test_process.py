"""Fresh processes with another content of one file."""

import os
import subprocess
import sys
import tempfile
import time

import pytest

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


def test_a_crash_is_an_answer_but_being_stopped_is_none():
    assert call("tests.mutate.under:crash").status == "crashed"
    assert call("tests.mutate.under:leave").status == "unanswered"
    answer = call("tests.mutate.under:sleep", limit=1.0)
    assert answer.status == "unanswered" and answer.value is None


def test_what_a_late_process_started_ends_with_it(tmp_path):
    path = tmp_path / "pid"
    assert call("tests.mutate.under:start_and_sleep", str(path), limit=3.0).status == "unanswered"
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
