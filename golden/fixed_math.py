"""The integer primitives of the golden decoder, all exact.

They use only integer operators, so they work on anything that behaves like an integer: a Python
int, an int64 array, or a term of the hardware in a proof.
"""

import numpy as np

from spec.derived import EXPONENT_STEP, SCALAR_BITS, exponents, mantissa_bits
from spec.fixed import SQ, Rounding
from spec.tables import Interpolated


def shift_right(value, shift, rounding: Rounding):
    """``value / 2**shift``, rounded; `shift` >= 0 may differ per element."""
    if rounding is Rounding.TRUNCATE:
        return value >> shift
    # Half a unit, and 0 for a shift of 0; never 1 << 63, which overflows int64.
    drops = shift > 0
    half = (1 << (shift - drops)) * drops
    if rounding is Rounding.HALF_UP:
        return (value + half) >> shift
    odd = (value >> shift) & 1
    # Adding half - 1 + odd rounds a tie up exactly when that makes the result even.
    nudge = half - 1 + odd
    return (value + nudge * drops) >> shift


def saturate(value, form: SQ):
    """The nearest integer of `form`."""
    return np.clip(value, form.min, form.max)


def requantize(value, shift, form: SQ, rounding: Rounding):
    """Shift right with rounding, then saturate, as for every sum that becomes a tensor."""
    return saturate(shift_right(value, shift, rounding), form)


def operand(value, form: SQ, rounding: Rounding):
    """The operand that matrices and norm read for an element in `form`, in the same units.

    ``mantissa << (4 * exponent)`` with an 18-bit mantissa and the smallest exponent for which the
    rounded mantissa fits; the element itself if it has at most 18 bits. See `design.operand`.
    """
    last, bound = exponents(form) - 1, 1 << (mantissa_bits(form) - 1)
    if last == 0:
        return value
    result = shift_right(value, EXPONENT_STEP * last, rounding) << (EXPONENT_STEP * last)
    for exponent in reversed(range(last)):
        mantissa = shift_right(value, EXPONENT_STEP * exponent, rounding)
        fits = (mantissa >= -bound) & (mantissa < bound)
        result = np.where(fits, mantissa << (EXPONENT_STEP * exponent), result)
    return result


def interpolate(table: Interpolated, base, slope, x):
    """`table` at x; `base` and `slope` are the columns of `table` as arrays."""
    node, fraction = x >> table.fraction_bits, x & ((1 << table.fraction_bits) - 1)
    return base[node] + shift_right(slope[node] * fraction, table.fraction_bits, Rounding.HALF_UP)


#: Bits of the lower half of numbers that may exceed int64.
HALF_BITS = 32


def halves(value):
    """(high, low): value = high * 2**32 + low, with low >= 0."""
    return value >> HALF_BITS, value & ((1 << HALF_BITS) - 1)


def bit_length(high, low):
    """The exact bit length of positive numbers, given as `halves`."""
    # Both are below 2**53, where float64 is exact.
    return np.where(
        high > 0,
        np.frexp(high.astype(np.float64))[1] + HALF_BITS,
        np.frexp(low.astype(np.float64))[1],
    ).astype(np.int64)


def rsqrt_operand(high, low):
    """(m, e) of a sum of squares in `halves`: m * 4**e / 2**16, where the 18-bit m / 2**16 is in
    [1, 4) and low bits are dropped."""
    e = (bit_length(high, low) - 1) >> 1
    left = SCALAR_BITS - 2 - 2 * e
    return _align(high, left + HALF_BITS) + _align(low, left), e


def reciprocal_operand(weight_sum):
    """(m, e): weight_sum = (1 + m / 2**18) * 2**e, with the low bits of m dropped."""
    e = bit_length(*halves(weight_sum)) - 1
    return _align(weight_sum, SCALAR_BITS - e) & ((1 << SCALAR_BITS) - 1), e


def _align(value, left):
    """Shift left by `left`, or right by -`left` if it is negative."""
    return (value << np.maximum(left, 0)) >> np.maximum(-left, 0)
