"""The token loop: the ids that it yields, and the calls of the decoder."""

import dataclasses

import numpy as np
import pytest

from golden.generate import generate
from golden.sampler import Sampler
from spec.shape import Shape
from tools.errors import BadInput

PLAIN = Shape(dim=8, hidden=12, layers=2, heads=4, kv_heads=2, vocab=16, seq_len=8)


class Script:
    """A decoder that wants the given ids, one a step, and remembers what it was fed."""

    def __init__(self, *wanted: int) -> None:
        self.wanted = wanted
        self.fed: list[int] = []

    def step(self, token: int) -> np.ndarray:
        self.fed.append(token)
        return np.eye(16)[self.wanted[len(self.fed) - 1]]


def run(script: Script, prompt: list[int], steps: int, shape: Shape = PLAIN) -> list[int]:
    choose = Sampler(16, temperature=0).sample
    return list(generate(script.step, prompt, steps, choose, shape))


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


@pytest.mark.parametrize("end", [3, 7])
def test_any_of_the_end_ids_ends_the_text(end):
    shape = dataclasses.replace(PLAIN, end_ids=(7, 3), bos=None)
    # Within the prompt, end-of-text ids are markers of a chat.
    assert run(Script(9, 9, 1, end, 9), [4, 3, 7], 5, shape) == [3, 7, 1]


def test_bos_that_is_no_end_id_ends_nothing():
    shape = dataclasses.replace(PLAIN, end_ids=(2,), bos=1)
    assert run(Script(9, 9, 1, 2, 9), [1, 1, 5], 5, shape) == [1, 5, 1]


def test_eos_does_not_end_the_text():
    assert run(Script(2, 3), [1], 2) == [2, 3]


def test_empty_prompt():
    with pytest.raises(BadInput, match="prompt is empty"):
        run(Script(), [], 4)
