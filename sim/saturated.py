"""A warning if the fixed-point formats were too narrow for a text, from golden and float."""

from collections.abc import Sequence

import numpy as np

from golden.accuracy import divergence
from golden.checkpoint import Checkpoint
from golden.fast.decoder import FixedDecoder
from golden.float_decoder import FloatDecoder
from golden.quantise import Model

#: Number of tokens checked; the largest values of real models are at the first ones.
CHECKED = 32
#: KL divergence to float, in nats a token, above which a warning is printed.
LARGE_KL = 1e-2


def warning(checkpoint: Checkpoint, model: Model, tokens: Sequence[int]) -> str:
    """The number of saturated values in the first `CHECKED` of `tokens`, and the KL divergence to
    float; empty if both are fine. Golden is used, because it computes the same as the RTL."""
    decoder, reference = FixedDecoder(model), FloatDecoder(checkpoint, 1, np.float32)
    scale = model.config.numerics.logits.scale
    divergences = []
    for token in tokens[:CHECKED]:
        exact, fixed = reference.step([token])[0], decoder.step(np.array([token]))[0] / scale
        divergences.append(divergence(exact.astype(np.float64), fixed))
    mean = float(np.mean(divergences))
    parts = [decoder.saturation.sentence()]
    if parts[0] or mean > LARGE_KL:
        parts.append(f"KL to float is {mean:.2g} nats a token")
    words = "; ".join(part for part in parts if part)
    return words and f"{words}, in the first {len(divergences)} tokens"
