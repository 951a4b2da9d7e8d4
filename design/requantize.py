"""Rounding and saturation: the only way from a wide sum to a tensor.

The same functions, on integers, are in `golden.fixed_math`.
"""

from amaranth import *

from design.fixed import SQ, Rounding


def shift_right(value: Value, shift: Value | int, rounding: Rounding) -> Value:
    """``value / 2**shift`` rounded as named, combinational; `shift` may be a constant."""
    if (isinstance(shift, int) and shift == 0) or rounding is Rounding.TRUNCATE:
        return value >> shift
    # One bit more than asked, so that the first dropped bit is at hand.
    kept = (value << 1) >> shift
    if rounding is Rounding.HALF_UP:
        return (kept + 1) >> 1
    ones = (1 << shift) - 1 if isinstance(shift, int) else ~(Const(-1, signed(len(value))) << shift)
    first_dropped = kept[0]
    below_first = ((value << 1) & ones & ~1).any()
    return (kept >> 1) + (first_dropped & (below_first | kept[1]))


def saturate(value: Value, form: SQ) -> Value:
    """The nearest integer of `form`, ``signed(form.width)``, combinational."""
    clamped = Mux(value > form.max, form.max, Mux(value < form.min, form.min, value))
    return clamped[: form.width].as_signed()


def requantize(value: Value, shift: Value | int, form: SQ, rounding: Rounding) -> Value:
    """Shift right with rounding, then saturate."""
    return saturate(shift_right(value, shift, rounding), form)
