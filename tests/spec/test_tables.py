"""Function tables against the float functions, over their whole range.

A table value is rounded (1/2), its slope connects two rounded nodes (at most 1/2 again), the
product is rounded (1/2), and a chord deviates from the curve by at most step**2 / 8 times the
largest second derivative: together the bounds below, in units of 2**-TABLE_FRACTION.
"""

import dataclasses
import math

import numpy as np
import pytest

from golden.fixed_math import interpolate
from spec import tables
from spec.config import Config, named
from spec.derived import SCALAR_BITS, TABLE_FRACTION, derive
from spec.shape import Llama3Scaling
from tests.golden.hugging_face import inv_freq
from tests.strategies import NUMERICS
from tools.errors import BadInput

UNIT = 2.0**TABLE_FRACTION
#: The RoPE of Llama 3.2, and another epsilon.
LLAMA3 = dataclasses.replace(
    named("stories15m").shape,
    rope_base=500000.0,
    rope_scaling=Llama3Scaling(
        factor=32, low_freq_factor=1, high_freq_factor=4, original_seq_len=8192
    ),
    norm_epsilon=1e-6,
)
CASES = {name: named("nano").with_numerics(n) for name, n in NUMERICS.items()} | {
    "stories15m": named("stories15m"),
    "llama3": dataclasses.replace(named("stories15m"), shape=LLAMA3),
}
every_config = pytest.mark.parametrize("config", CASES.values(), ids=list(CASES))


def looked_up(table: tables.Interpolated, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Every input from `start` on, and the table's values."""
    x = np.arange(start, 1 << table.input_bits)
    return x, interpolate(table, np.array(table.base), np.array(table.slope), x)


def check_close(values: np.ndarray, exact: np.ndarray, step: float, curvature: np.ndarray | float):
    bound = 1.0 + step**2 / 8 * curvature * UNIT
    assert (np.abs(values - exact * UNIT) <= bound).all()


@every_config
def test_rsqrt(config: Config):
    table = tables.rsqrt(config)
    # m counts 2**-16, and a normalised one is at least 1.
    x, values = looked_up(table, start=1 << (SCALAR_BITS - 2))
    m = x / 2.0 ** (SCALAR_BITS - 2)
    step = 4 / len(table.base)
    scale = math.sqrt(config.shape.dim) / 2 ** derive(config).norm_growth
    # The curvature is largest at the left end of a chord.
    left = np.maximum(m - step, 1)
    check_close(values, scale / np.sqrt(m), step, scale * 0.75 * left**-2.5)
    assert (np.diff(values) <= 0).all()
    assert values.min() > UNIT / 4 and values.max() <= UNIT


@every_config
def test_reciprocal(config: Config):
    table = tables.reciprocal(config)
    x, values = looked_up(table)
    m = 1 + x / 2.0**SCALAR_BITS
    step = 1 / len(table.base)
    check_close(values, 1 / m, step, 2 / np.maximum(m - step, 1) ** 3)
    assert (np.diff(values) <= 0).all()
    assert values[0] == UNIT


@every_config
def test_sigmoid(config: Config):
    table, gate = tables.sigmoid(config), config.numerics.gate
    x, values = looked_up(table)
    assert len(x) == 1 << gate.width
    u = (x + gate.min) / gate.scale
    step = 2.0**gate.i / len(table.base)
    check_close(values, 1 / (1 + np.exp(-u)), step, 1 / (6 * math.sqrt(3)))
    assert (np.diff(values) >= 0).all()
    assert values.min() >= 0 and values.max() <= UNIT


@every_config
def test_exp2(config: Config):
    weight, fraction = config.numerics.weight, config.numerics.score.f
    table = np.array(tables.exp2(config))
    exact = weight.scale * np.exp2(-np.arange(1 << fraction) / (1 << fraction))
    assert len(table) == len(exact) and table.max() == table[0] == weight.max
    # Rounding, and 1.0 alone saturates by a whole step.
    assert (np.abs(table - np.minimum(exact, weight.max)) <= 0.5).all()
    assert (np.diff(table) <= 0).all()


@every_config
def test_rope(config: Config):
    shape, form = config.shape, config.numerics.rope
    table = tables.rope(config)
    assert table.pairs == shape.head_dim // 2
    assert len(table.cos) == len(table.sin) == shape.seq_len * table.pairs
    position, pair = np.divmod(np.arange(len(table.cos)), table.pairs)
    angle = position * inv_freq(shape)[pair]
    turn = (np.array(table.cos) + 1j * np.array(table.sin)) / form.scale
    error = turn - np.exp(1j * angle)
    half = 0.5 / form.scale * (1 + 1e-9)
    assert (np.abs(error.real) <= half).all() and (np.abs(error.imag) <= half).all()
    assert all(form.min <= value <= form.max for value in table.cos + table.sin)
    assert set(table.cos[: table.pairs]) == {1 << form.f} and not any(table.sin[: table.pairs])


@every_config
def test_every_table_fits_the_scalar_multipliers(config: Config):
    for table in (tables.rsqrt(config), tables.reciprocal(config), tables.sigmoid(config)):
        tables.check_scalar(table)
        assert max(table.base) <= UNIT and min(table.base) >= 0


def test_a_table_too_wide_for_the_scalar_multipliers():
    table = tables.Interpolated(index_bits=1, fraction_bits=18, base=(0, 5), slope=(5, -131072))
    with pytest.raises(BadInput, match=r"^a table with 1 index bits leaves 18 fraction bits and"):
        tables.check_scalar(table)
    table = tables.Interpolated(index_bits=1, fraction_bits=17, base=(0, 5), slope=(5, -131072))
    with pytest.raises(BadInput, match=r"slopes up to 131072: too wide for 18-bit multipliers$"):
        tables.check_scalar(table)
