"""Whether fixed point held what a decoder told: golden looks, which counts, and float beside it."""

from collections.abc import Sequence

import numpy as np

from golden.accuracy import divergence
from golden.checkpoint import Checkpoint
from golden.fast.decoder import FixedDecoder
from golden.float_decoder import FloatDecoder
from golden.quantise import Model

#: Tokens that are looked at; the largest values of real models stand at the first ones.
LOOKED = 32
#: KL to float, nats a token, that is worth a warning by itself.
WORRYING = 1e-2


def warning(checkpoint: Checkpoint, model: Model, tokens: Sequence[int]) -> str:
    """In words, what saturated in the first `LOOKED` of `tokens`, and how far from float that, or
    whatever else, led; nothing where all is well. RTL computes what golden does."""
    decoder, reference = FixedDecoder(model), FloatDecoder(checkpoint, 1, np.float32)
    scale = model.config.numerics.logits.scale
    divergences = []
    for token in tokens[:LOOKED]:
        exact, found = reference.step([token])[0], decoder.step(np.array([token]))[0] / scale
        divergences.append(divergence(exact.astype(np.float64), found))
    mean = float(np.mean(divergences))
    parts = [decoder.saturation.sentence()]
    if parts[0] or mean > WORRYING:
        parts.append(f"KL to float is {mean:.2g} nats a token")
    words = "; ".join(part for part in parts if part)
    return words and f"{words}, in the first {len(divergences)} tokens"
