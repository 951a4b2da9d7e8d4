"""Tensors of the trace: each has a size, and golden records as many values."""

import numpy as np
from hypothesis import given

from golden.checkpoint import random_checkpoint
from golden.fast.decoder import FixedDecoder
from golden.quantise import quantise
from spec.config import Config, named
from spec.derived import ceil_pow2
from spec.fixed import SQ
from spec.trace import ONCE, STAGES, Tensor, format_of, sizes, stage_of
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


@given(configs())
def test_every_tensor_has_a_stage_and_every_value_fits_its_format(config: Config):
    assert sorted(t.value for some in STAGES.values() for t in some) == sorted(
        t.value for t in Tensor
    )
    decoder = FixedDecoder(quantise(random_checkpoint(config.shape, 1), config))
    decoder.step(np.array([0]), trace=True)
    for tensor, values in decoder.trace.items():
        assert tensor in STAGES[stage_of(tensor)]
        for element, value in enumerate(values[0].ravel().tolist()):
            form = format_of(config, tensor, element)
            # 1.0 does not fit the format of weights of softmax; hardware needs no sign there.
            room = SQ(form.i + 1, form.f) if form and tensor is Tensor.WEIGHT else form
            assert room is None or room.min <= value <= room.max, (tensor, element)


def test_formats_go_by_element():
    config = named("nano")
    n, shape = config.numerics, config.shape
    of_qkv = [format_of(config, Tensor.QKV, e) for e in range(shape.q_dim + 2 * shape.kv_dim)]
    assert of_qkv == [n.q] * shape.q_dim + [n.k] * shape.kv_dim + [n.v] * shape.kv_dim
    assert [format_of(config, Tensor.W13, e) for e in (0, 1)] == [n.gate, n.up]
    assert [format_of(config, Tensor.RSQRT_ATT, e) for e in (0, 1)] == [SQ(2, 16), None]
    assert format_of(config, Tensor.ATTENTION_SUM, 0).i > n.attention.i
