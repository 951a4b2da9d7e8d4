"""The integer primitives against their definitions on fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import fixed_math
from golden.decoder import operand
from spec import tables
from spec.config import named
from spec.derived import TABLE_FRACTION, operand_bits
from spec.fixed import SQ, Rounding

#: Beyond the accumulators, which have at most 54 bits.
sums = st.integers(-(1 << 54), 1 << 54) | st.integers(-40, 40)
#: The largest shift of int64.
MOST = 63
shifts = st.integers(0, MOST) | st.integers(0, 6)


def rounded(value: int, shift: int, rounding: Rounding) -> int:
    exact = Fraction(value, 1 << shift)
    if rounding is Rounding.HALF_EVEN:
        return round(exact)
    return math.floor(exact + (Fraction(1, 2) if rounding is Rounding.HALF_UP else 0))


@pytest.mark.parametrize("rounding", Rounding)
@given(cases=st.lists(st.tuples(sums, shifts), min_size=1))
def test_shift_right(rounding, cases):
    expected = [rounded(value, shift, rounding) for value, shift in cases]
    values, by = (np.array(column, dtype=np.int64) for column in zip(*cases, strict=True))
    assert fixed_math.shift_right(values, by, rounding).tolist() == expected
    # The same for plain integers.
    assert [fixed_math.shift_right(v, s, rounding) for v, s in cases] == expected


@pytest.mark.parametrize("rounding", Rounding)
def test_the_largest_shift_leaves_nothing(rounding):
    # Half a unit is 1 << 62; 1 << 63 would be negative.
    actual = fixed_math.shift_right(np.array([0, 1 << 61]), np.array([MOST] * 2), rounding)
    assert actual.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        (Rounding.TRUNCATE, [-3, -2, -2, -1, -1, 0, 0, 1, 1, 2]),
        (Rounding.HALF_UP, [-2, -2, -1, -1, 0, 0, 1, 1, 2, 2]),
        (Rounding.HALF_EVEN, [-2, -2, -2, -1, 0, 0, 0, 1, 2, 2]),
    ],
)
def test_halves(rounding, expected):
    assert fixed_math.shift_right(np.arange(-5, 5), 1, rounding).tolist() == expected


@given(st.lists(sums, min_size=1), shifts, st.sampled_from(list(Rounding)))
def test_requantize(values, shift, rounding):
    form = SQ(3, 7)
    actual = fixed_math.requantize(np.array(values), shift, form, rounding)
    expected = [min(max(rounded(v, shift, rounding), form.min), form.max) for v in values]
    assert actual.tolist() == expected


positive = st.integers(1, (1 << 62) - 1)
near_powers = st.builds(
    lambda bit, offset: max(1, (1 << bit) + offset), st.integers(0, 61), st.integers(-2, 2)
)


@given(st.lists(positive | near_powers, min_size=1))
def test_bit_length(values):
    actual = fixed_math.bit_length(*in_halves(values))
    assert actual.tolist() == [value.bit_length() for value in values]


def in_halves(values):
    """The representation of numbers beyond int64."""
    return tuple(np.array([fixed_math.halves(v)[n] for v in values], np.int64) for n in (0, 1))


@given(st.data())
def test_operand(data):
    form = SQ(data.draw(st.integers(2, 32)), 0)
    rounding = data.draw(st.sampled_from(list(Rounding)))
    corners = [0, 1, -1, form.min, form.max, form.min + 1, form.max - 1]
    near = st.builds(lambda bit, off: (1 << bit) + off, st.integers(0, 31), st.integers(-9, 9))
    either = near | near.map(lambda v: -v) | st.integers(form.min, form.max)
    values = [v for v in corners + data.draw(st.lists(either)) if form.min <= v <= form.max]
    actual = fixed_math.operand(np.array(values), form, rounding).tolist()
    assert actual == [operand(v, rounding) for v in values]
    for value, result in zip(values, actual, strict=True):
        assert abs(result - value) <= abs(value) / 2 ** (
            13 if rounding is Rounding.TRUNCATE else 14
        )
        assert abs(result) < 1 << (operand_bits(form) - 1) or result == form.min


@given(st.lists(st.integers(1, (1 << 76) - 1) | st.integers(1, (1 << 48) - 1) | near_powers))
def test_rsqrt_operand(values):
    m, e = fixed_math.rsqrt_operand(*in_halves(values))
    for value, mantissa, exponent in zip(values, m.tolist(), e.tolist(), strict=True):
        assert 1 << 16 <= mantissa < 1 << 18  # in [1, 4)
        assert mantissa == math.floor(Fraction(value * 2**16, 4**exponent))


@given(st.lists(st.integers(1, (1 << 32) - 1)))
def test_reciprocal_operand(values):
    m, e = fixed_math.reciprocal_operand(np.array(values, dtype=np.int64))
    for value, mantissa, exponent in zip(values, m.tolist(), e.tolist(), strict=True):
        assert 0 <= mantissa < 1 << 18
        assert mantissa == math.floor((Fraction(value, 2**exponent) - 1) * 2**18)


@given(st.data())
def test_interpolate(data):
    table = tables.sigmoid(named("nano"))
    x = data.draw(st.integers(0, (1 << table.input_bits) - 1))
    node, fraction = divmod(x, 1 << table.fraction_bits)
    exact = Fraction(table.slope[node] * fraction, 1 << table.fraction_bits)
    expected = table.base[node] + math.floor(exact + Fraction(1, 2))
    base, slope = np.array(table.base), np.array(table.slope)
    assert fixed_math.interpolate(table, base, slope, np.array([x])).tolist() == [expected]
    assert 0 <= expected <= 1 << TABLE_FRACTION
