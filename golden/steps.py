"""Operations of the golden decoder after its sums, from integers to integers.

Like `fixed_math` they work on anything that behaves like an int64 array. Proofs run them on terms
of the hardware (`formal.harness.terms`).
"""

from golden.fixed_math import requantize, shift_right
from spec.config import Numerics, sum_format
from spec.derived import TABLE_FRACTION
from spec.fixed import SQ


def softmax_weight(n: Numerics, exp2, below):
    """2**-below for a score `below` the maximum: ``exp2[below mod 2**f] >> (below >> f)``.

    Rounded as configured; 0 from a shift of weight.width on.
    """
    fraction, octaves = below & ((1 << n.score.f) - 1), below >> n.score.f
    return shift_right(exp2[fraction], octaves, n.rounding)


def value_sum(n: Numerics, total, exponent):
    """The sum of weighted values, divided by the power of two of the sum of weights."""
    shift = exponent + n.v.f - n.attention.f
    return requantize(total, shift, sum_format(n.attention), n.rounding)


def attended(n: Numerics, sums, reciprocal):
    """The result of `value_sum` times the reciprocal of the mantissa of the sum of weights."""
    return requantize(sums * reciprocal, TABLE_FRACTION, n.attention, n.rounding)


def turned(n: Numerics, form: SQ, a, b, cos, sin):
    """The pair (a, b) rotated by an angle, in the format of the query or key."""
    return (
        requantize(a * cos - b * sin, n.rope.f, form, n.rounding),
        requantize(a * sin + b * cos, n.rope.f, form, n.rounding),
    )


def gated(n: Numerics, gate, sigmoid):
    """silu: gate * sigmoid(gate)."""
    shift = TABLE_FRACTION + n.gate.f - n.silu.f
    return requantize(gate * sigmoid, shift, n.silu, n.rounding)


def multiplied(n: Numerics, silu, up):
    """An element of the hidden vector, silu * up."""
    return requantize(silu * up, n.silu.f + n.up.f - n.ffn.f, n.ffn, n.rounding)
