"""Cases that once differed (`python -m sim keep`), compared in every run."""

import pytest

from golden.image import load_case
from sim.__main__ import REGRESSIONS
from sim.replay import run_case

KEPT = sorted(REGRESSIONS.glob("*.safetensors"))


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_a_kept_case_does_not_differ_again(file) -> None:
    run = run_case(*load_case(file), "quick", quiet=True)
    assert run.difference is None, f"{run.difference}: python -m sim replay {file} --opinions"
    assert run.values


def test_there_are_kept_cases():
    assert KEPT
