"""Quantising: every weight within half a step, rows as large as they fit, factors folded in."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from golden.checkpoint import random_checkpoint
from golden.quantise import column_fraction, quantise, quantise_rows, row_formats
from spec.config import Numerics, named
from spec.derived import MAX_SHIFT, derive
from spec.fixed import SQ
from spec.schedule import Op, layer_ops, matrix, ops
from tools.errors import BadInput

NANO = named("nano")


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 5)),
               elements=st.floats(-(2.0**40), 2.0**40)),
    st.sampled_from([8, 16]),
    st.data(),
)  # fmt: skip
def test_rows(real, bits, data):
    gains = data.draw(st.lists(st.integers(-16, 16), min_size=len(real), max_size=len(real)))
    rows = quantise_rows(real, bits, np.array(gains))
    limit = (1 << (bits - 1)) - 1
    for weights, shift, row, gain in zip(rows.weights, rows.shift, real, gains, strict=True):
        assert 0 <= shift <= MAX_SHIFT
        assert -limit - 1 <= weights.min() and weights.max() <= limit
        step = 2.0 ** (gain - int(shift))
        largest = np.abs(row).max()
        if largest > (limit + 0.5) * step:
            assert shift == 0  # too large for the format: saturates
            assert (np.abs(weights) <= limit + 1).all()
            continue
        # Half a step; the largest one may lie just above the largest weight.
        assert (np.abs(weights * step - row) <= step / 2).all()
        # A larger shift would no longer hold the largest weight.
        assert shift == MAX_SHIFT or largest * 2 > (limit + 0.5) * step


def test_zero_rows_take_the_largest_shift():
    rows = quantise_rows(np.zeros((2, 3)), 16, np.array([1, -1]))
    assert not rows.weights.any()
    assert rows.shift.tolist() == [MAX_SHIFT] * 2


def steps(config, op, rows) -> np.ndarray:
    """What one unit of each row's weights stands for."""
    target = np.array([form.f for form in row_formats(config, op)])
    shift = rows.shift - derive(config).lead
    return 2.0 ** -(shift + target - column_fraction(config, op))


@pytest.mark.parametrize("bits", [8, 16])  # 8: sums are led, so that no shift is negative
@pytest.mark.parametrize("shared", [True, False])
def test_factors_are_folded_in(bits, shared):
    config = NANO.with_numerics(Numerics(weight_bits=bits))
    shape = dataclasses.replace(config.shape, qkv_bias=not shared)
    config = dataclasses.replace(config, shape=shape)
    checkpoint = random_checkpoint(shape, 4, shared=shared)
    w = {name: tensor.astype(np.float64) for name, tensor in checkpoint.weights.items()}
    model = quantise(checkpoint, config)
    score_scale = math.log2(math.e) / math.sqrt(shape.head_dim)

    for layer, actual in enumerate(model.layers):
        att, ffn = w["rms_att"][layer], w["rms_ffn"][layer]
        interleaved = np.empty((2 * shape.hidden, shape.dim))
        interleaved[0::2], interleaved[1::2] = w["w1"][layer] * ffn, w["w3"][layer] * ffn
        q = w["wq"][layer] * att * score_scale
        expected = {
            Op.QKV: np.vstack([q, w["wk"][layer] * att, w["wv"][layer] * att]),
            Op.WO: w["wo"][layer],
            Op.W13: interleaved,
            Op.W2: w["w2"][layer],
        }
        if shape.qkv_bias:
            biases = w["bq"][layer] * score_scale, w["bk"][layer], w["bv"][layer]
            expected[Op.BIAS] = np.concatenate(biases)[:, None]
        for op in layer_ops(config):
            check_matrix(config, op, actual[op], expected[op])
    check_matrix(config, Op.CLS, model.classifier, w["wcls"] * w["rms_final"])

    step = steps(config, Op.EMBED, model.embedding)
    error = np.abs(model.embedding.weights * step - w["tok_embeddings"])
    assert (error <= step / 2).all()


def check_matrix(config, op, rows, expected):
    assert (
        rows.weights.shape == expected.shape == (matrix(config, op).rows, matrix(config, op).cols)
    )
    actual = rows.weights * steps(config, op, rows)[:, None]
    # Half a step of each row; its largest weight uses more than half of the range.
    step = np.abs(expected).max(axis=1, keepdims=True) / (1 << (config.numerics.weight_bits - 2))
    assert (np.abs(actual - expected) <= step / 2 * (1 + 1e-9)).all()


def test_activations_of_a_norm_are_counted_at_its_least_exponent():
    # The sum of squares of a residual of zeros is epsilon = 1342 / 4**12, in [4**5, 4**6).
    # sqrt(8) lies below 4 = 2**2.
    derived = derive(NANO)
    assert (derived.epsilon, derived.norm_floor, derived.norm_growth) == (1342, 5, 2)
    fractions = {op: column_fraction(NANO, op) for op in ops(NANO)}
    assert fractions == dict.fromkeys((Op.QKV, Op.W13, Op.CLS), 3) | {
        Op.EMBED: derived.one_format.f,
        Op.WO: NANO.numerics.attention.f,
        Op.W2: NANO.numerics.ffn.f,
    }


def test_row_formats_are_those_of_the_sinks():
    n, shape = NANO.numerics, NANO.shape
    distinct = dataclasses.replace(n, k=SQ(5, 11), v=SQ(3, 13), up=SQ(4, 12), gate=SQ(6, 10))
    config = NANO.with_numerics(distinct)
    qkv = row_formats(config, Op.QKV)
    assert qkv[: shape.dim] == [distinct.q] * shape.dim
    assert qkv[shape.dim : -shape.kv_dim] == [distinct.k] * shape.kv_dim
    assert qkv[-shape.kv_dim :] == [distinct.v] * shape.kv_dim
    assert row_formats(config, Op.W13)[:4] == [distinct.gate, distinct.up] * 2


def test_another_shape_is_refused():
    other = dataclasses.replace(NANO.shape, hidden=13)
    with pytest.raises(
        BadInput, match=r"^checkpoint shape Shape\(.*hidden=13.* is not that of conf"
    ):
        quantise(random_checkpoint(other, 1), NANO)
