"""A few hundred damaged files; `python -m tests.golden.damage` reads any number."""

import time
from pathlib import Path

import numpy as np
import pytest

from tests.golden import damage
from tests.golden.damage import Case, _answer, answers
from tools.errors import BadInput


def test_damaged_files_are_read_or_refused(tmp_path):
    seed = time.time_ns()
    results = list(answers(tmp_path, 600, seed))
    assert [(seed, result) for result in results if result.wrong is not None] == []
    assert sum(result.refused is not None for result in results) > 300
    assert {result.case for result in results} == {case.name for case in damage.cases()}


def raising(error: Exception):
    def read(path: Path) -> object:
        raise error

    return read


def wasteful(path: Path) -> object:
    return np.ones(100 << 20, np.uint8)


def slow(path: Path) -> object:
    begin = time.process_time()
    while time.process_time() < begin + 2 * damage.SECONDS:
        pass
    return None


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (raising(ValueError("odd")), "ValueError: odd"),
        (raising(BadInput("two\nlines")), "not one sentence"),
        (raising(BadInput("of some file")), "names no file"),
        (slow, "took 0.2"),
        (wasteful, " MB"),
    ],
)
def test_what_must_not_happen_is_seen(tmp_path, monkeypatch, read, wrong):
    if read is wasteful:
        monkeypatch.setattr(damage, "SECONDS", 60)
    answer = _answer(Case("planted", "file", b"", {}, read), tmp_path / "file", b"")
    assert answer.wrong is not None and wrong in answer.wrong
