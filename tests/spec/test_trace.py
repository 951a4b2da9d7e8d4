"""Tensors of the trace: each has a size, and golden records as many values."""

import numpy as np
from hypothesis import given

from golden.checkpoint import random_checkpoint
from golden.fast.decoder import FixedDecoder
from golden.quantise import quantise
from spec.config import Config
from spec.derived import ceil_pow2
from spec.trace import ONCE, Tensor, sizes
from tests.strategies import configs


@given(configs())
def test_sizes_hold_what_golden_records_at_full_context(config: Config):
    shape = config.shape
    decoder = FixedDecoder(quantise(random_checkpoint(shape, 1), config))
    for _ in range(shape.seq_len):
        decoder.step(np.array([0]), trace=True)
    room = sizes(config)
    without = set() if shape.qkv_bias else {Tensor.BIAS}
    assert room.keys() == decoder.trace.keys() == set(Tensor) - without
    for tensor, values in decoder.trace.items():
        layers = 1 if tensor in ONCE else shape.layers
        if tensor in (Tensor.SCORE, Tensor.WEIGHT):
            assert values.shape == (layers, shape.heads, shape.seq_len)
            assert room[tensor] == shape.heads * ceil_pow2(shape.seq_len)
        else:
            assert values.shape == (layers, room[tensor]), tensor
