"""Whether what a decoder told was computed within its formats: golden looks, which counts."""

from collections.abc import Sequence

import numpy as np

from golden.fixed_decoder import FixedDecoder
from golden.quantise import Model

#: Tokens that are looked at; the largest values of real models stand at the first ones.
LOOKED = 32


def saturated(model: Model, tokens: Sequence[int]) -> str:
    """In words, the values that saturated in the first `LOOKED` of `tokens`; nothing where all fit.

    RTL computes what golden does, so this holds for either.
    """
    decoder = FixedDecoder(model)
    looked = tokens[:LOOKED]
    for token in looked:
        decoder.step(np.array([token]))
    sentence = decoder.saturation.sentence()
    return sentence and f"{sentence}, in the first {len(looked)} tokens"
