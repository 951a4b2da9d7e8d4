"""The token loop: which ids come out, and what the decoder is asked."""

import numpy as np
import pytest

from design.errors import BadInput
from golden.generate import generate
from golden.sampler import Sampler


class Script:
    """A decoder that wants the given ids, one a step, and remembers what it was fed."""

    def __init__(self, *wanted: int) -> None:
        self.wanted = wanted
        self.fed: list[int] = []

    def step(self, token: int) -> np.ndarray:
        self.fed.append(token)
        return np.eye(16)[self.wanted[len(self.fed) - 1]]


def run(script: Script, prompt: list[int], steps: int) -> list[int]:
    return list(generate(script.step, prompt, steps, Sampler(16, temperature=0)))


def test_prompt_is_forced_then_sampled():
    script = Script(9, 9, 7, 8, 9)
    assert run(script, [1, 4, 5], 4) == [4, 5, 7, 8]
    assert script.fed == [1, 4, 5, 7]


def test_steps_may_end_within_the_prompt():
    assert run(Script(9, 9), [1, 4, 5], 1) == [4]
    assert run(Script(), [1, 4, 5], 0) == []


@pytest.mark.parametrize("prompt", [[1], [1, 4, 1, 5]])
def test_bos_ends_the_text(prompt):
    assert run(Script(4, 1, 9, 9), prompt, 4) == [4]


def test_eos_does_not_end_the_text():
    assert run(Script(2, 3), [1], 2) == [2, 3]


def test_empty_prompt():
    with pytest.raises(BadInput, match="prompt is empty"):
        run(Script(), [], 4)
