"""Cycles per token, measured in compiled simulation."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from golden.checkpoint import random_checkpoint
from golden.image import pack
from golden.quantise import quantise
from sim.rtl_decoder import RtlDecoder
from spec.config import Config
from synth.tools import cached

#: Positions to measure, at most the whole context; the same number as for the README's speeds.
POSITIONS = 256


def cycles_per_token(config: Config, text: str) -> dict[str, Any]:
    """Mean over the first positions of a sequence, each token sampled, no stalls.

    The weights are random, because the cycles of a token depend only on its position. (Those of the
    classifier are zero, so that no answer is BOS, which would end the text.) `text` is the RTLIL of
    the decoder, the key of the cache.
    """
    positions = min(POSITIONS, config.shape.seq_len)

    def measure(_: Path) -> dict[str, Any]:
        checkpoint = random_checkpoint(config.shape, seed=0, shared=False)
        zeros = np.zeros((config.shape.vocab, config.shape.dim), np.float32)
        endless = dataclasses.replace(checkpoint, weights={**checkpoint.weights, "wcls": zeros})
        with RtlDecoder(config, pack(quantise(endless, config)), quiet=True) as rtl:
            for position in range(positions):
                rtl.step(position % config.shape.vocab, first=position == 0)
            return {"positions": positions, "cycles_per_token": rtl.cycles / positions}

    name = f"{config.name}-{config.geometry.lanes}-cycles"
    return cached(name, [text, str(positions)], measure, by=__name__)
