"""Shapes: refused values and their messages, derived sizes, and the RoPE rates of Llama 3."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given

from spec.shape import Llama3Scaling, Shape, shape_from_dict, shape_to_dict
from tests.golden.hugging_face import inv_freq
from tests.strategies import shapes
from tools.errors import BadInput

SIZES = dict(dim=8, hidden=12, layers=2, heads=4, kv_heads=2, vocab=16, seq_len=8)
#: The scaling of Llama 3.2.
SCALING = dict(factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_seq_len=8192)


def refused(message: str):
    return pytest.raises(BadInput, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("field", SIZES)
@pytest.mark.parametrize("value", [0, -1, 1.0, True, "8", None])
def test_sizes_are_positive_integers(field, value):
    with refused(f"Shape.{field} = {value!r} must be a positive integer"):
        Shape(**SIZES | {field: value})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dim": 10}, "Shape.dim = 10 is not a multiple of heads = 4"),
        ({"kv_heads": 3}, "Shape.heads = 4 is not a multiple of kv_heads = 3"),
        ({"dim": 12}, "Shape.head_dim = 3 must be even for RoPE"),
        ({"dim": 7, "head_dim": 2}, "Shape.dim = 7 must be even"),
        ({"head_dim": 5}, "Shape.head_dim = 5 must be even for RoPE"),
        ({"head_dim": -2}, "Shape.head_dim = -2 must be a positive integer"),
        ({"head_dim": 2.0}, "Shape.head_dim = 2.0 must be a positive integer"),
        ({"vocab": 1}, "Shape.vocab = 1 must be at least 2"),
        ({"rope_base": 0.5}, "Shape.rope_base = 0.5 must be a number of at least 1"),
        ({"rope_base": math.inf}, "Shape.rope_base = inf must be a number of at least 1"),
        ({"rope_base": "1e4"}, "Shape.rope_base = '1e4' must be a number of at least 1"),
        ({"rope_scaling": SCALING}, f"Shape.rope_scaling = {SCALING} must be a Llama3Scaling"),
        ({"norm_epsilon": 0}, "Shape.norm_epsilon = 0 must be a number above 0, at most 1"),
        ({"norm_epsilon": 1.5}, "Shape.norm_epsilon = 1.5 must be a number above 0, at most 1"),
        (
            {"norm_epsilon": math.nan},
            "Shape.norm_epsilon = nan must be a number above 0, at most 1",
        ),
        ({"qkv_bias": 1}, "Shape.qkv_bias = 1 must be true or false"),
        ({"end_ids": 2}, "Shape.end_ids = 2 must be token ids"),
        ({"end_ids": "2"}, "Shape.end_ids = '2' must be token ids"),
        ({"end_ids": (2, 16)}, "Shape.end_ids = (2, 16) is not below vocab = 16"),
        ({"end_ids": (True,)}, "Shape.end_ids = (True,) is not below vocab = 16"),
        ({"end_ids": tuple(range(17)), "vocab": 20}, "Shape.end_ids are 17, more than 16"),
        ({"bos": 16}, "Shape.bos = 16 is not below vocab = 16"),
        ({"bos": -1}, "Shape.bos = -1 is not below vocab = 16"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_bad_shapes_are_refused(changed, message):
    with refused(message):
        Shape(**SIZES | changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"factor": 0.5}, "factor = 0.5 must be at least 1"),
        ({"factor": "32"}, "factor = '32' must be a number"),
        ({"low_freq_factor": 4}, "low_freq_factor = 4.0 must be positive and below"
                                 " high_freq_factor = 4.0"),
        ({"low_freq_factor": 0}, "low_freq_factor = 0.0 must be positive and below"
                                 " high_freq_factor = 4.0"),
        ({"original_seq_len": 0}, "original_seq_len = 0 must be a positive integer"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_scalings_are_refused(changed, message):
    with refused(f"Llama3Scaling.{message}"):
        Llama3Scaling(**SCALING | changed)


def test_derived_sizes():
    shape = Shape(**SIZES)
    assert (shape.head_dim, shape.q_dim, shape.kv_dim, shape.group) == (2, 8, 4, 2)
    shape = Shape(**SIZES, head_dim=6)
    assert (shape.head_dim, shape.q_dim, shape.kv_dim, shape.group) == (6, 24, 12, 2)
    assert Shape(**SIZES, head_dim=2) == Shape(**SIZES)
    # With an explicit head size, heads need not divide dim.
    assert Shape(**SIZES | {"dim": 6}, head_dim=2).q_dim == 8


def test_the_defaults_are_those_of_llama2c():
    shape = Shape(**SIZES | {"dim": 24})
    assert (shape.bos, shape.end_ids, shape.norm_epsilon, shape.qkv_bias) == (1, (1,), 1e-5, False)
    assert shape.rope_rates == pytest.approx([1.0, 10000 ** (-2 / 6), 10000 ** (-4 / 6)])


def test_one_model_is_one_value():
    shape = Shape(**SIZES, end_ids=frozenset({3, 1}), rope_base=10000)
    assert shape == Shape(**SIZES, end_ids=[3, 1, 3])
    assert shape.end_ids == (1, 3) and isinstance(shape.rope_base, float)
    assert hash(shape) == hash(Shape(**SIZES, end_ids=(1, 3)))


def test_first_id():
    assert Shape(**SIZES, bos=3).first_id == 3
    assert Shape(**SIZES, bos=None, end_ids=(7, 5)).first_id == 5
    assert Shape(**SIZES, bos=None, end_ids=()).first_id == 0


def test_rates_of_llama_3():
    shape = Shape(**SIZES | {"dim": 256}, rope_base=5e5, rope_scaling=Llama3Scaling(**SCALING))
    plain = dataclasses.replace(shape, rope_scaling=None).rope_rates
    # Fast pairs keep their rate, slow ones turn 32 times slower, and some are in between.
    slowed = np.array(plain) / shape.rope_rates
    assert slowed[0] == 1 and slowed[-1] == 32 and ((slowed > 1.01) & (slowed < 31.9)).any()
    np.testing.assert_allclose(shape.rope_rates, inv_freq(shape), rtol=1e-12)


@given(shapes())
def test_rates_of_any_shape(shape):
    np.testing.assert_allclose(shape.rope_rates, inv_freq(shape), rtol=1e-12)


@given(shapes())
def test_round_trip(shape):
    assert shape_from_dict(json.loads(json.dumps(shape_to_dict(shape)))) == shape
