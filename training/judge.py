"""Judges the stories of a model by the grammar that it learned them from."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.checkpoints import load_checkpoint
from golden.float_decoder import FloatDecoder
from golden.sampler import Sampler
from golden.tokenizers import tokenizer_of
from tools.errors import BadInput
from training.tales import tell
from training.teller import recognise


@dataclass(frozen=True, kw_only=True)
class Told:
    """One story of a model.

    `ended`: the model ended it; `whole`: it is a complete story of the grammar; `good` is the
    number of characters before it leaves the grammar.
    """

    text: str
    tokens: int
    ended: bool
    whole: bool
    good: int


def stories(
    model: Path,
    count: int,
    temperature: float,
    seed: int = 1,
    progress: Callable[[int], object] = lambda position: None,
) -> list[Told]:
    """`count` stories without a prompt, by the float decoder.

    Story n is the one that ``python -m sim generate MODEL --backend float --topp 1 --seed S``
    prints for S = `seed` + n. Raises :class:`BadInput` for a `count` that is not positive, and for
    errors of the model or the sampling parameters.
    """
    if count < 1:
        raise BadInput(f"--count = {count} must be positive")
    checkpoint = load_checkpoint(model)
    shape = checkpoint.shape
    tokenizer = tokenizer_of(model, shape.vocab)
    samplers = [Sampler(shape.vocab, temperature, 1.0, seed + n) for n in range(count)]
    decoder = FloatDecoder(checkpoint, count, np.float32)
    ids: list[list[int]] = [[shape.first_id] for _ in range(count)]
    ended = [False] * count
    for position in range(shape.seq_len):
        logits = decoder.step(np.array([story[-1] for story in ids]))
        for n, sampler in enumerate(samplers):
            token = sampler.sample(logits[n])
            if not ended[n] and token in shape.end_ids:
                ended[n] = True
            elif not ended[n]:
                ids[n].append(token)
        progress(position + 1)
        if all(ended):
            break
    return [
        _judged(tokenizer.decode_all(story).decode(errors="replace"), len(story) - 1, done)
        for story, done in zip(ids, ended, strict=True)
    ]


def _judged(text: str, tokens: int, ended: bool) -> Told:
    whole, good = recognise(tell, text)
    return Told(text=text, tokens=tokens, ended=ended, whole=whole and ended, good=good)


def share(told: list[Told]) -> float:
    """The share of whole stories."""
    return math.fsum(story.whole for story in told) / len(told)
