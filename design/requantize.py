"""Rounding and saturation: the only way from a wide sum to a tensor.

The same functions, on integers, are in `golden.fixed_math`.
"""

from amaranth import *

from design.fixed import SQ, Rounding

#: Bits below a guarded value: the first that was dropped, and whether any below it was set.
GUARD_BITS = 2


def guard(value: Value) -> Value:
    """`value` with empty guard bits below it."""
    return value << GUARD_BITS


def shift_guarded(value: Value, shift: Value | int) -> Value:
    """A guarded value shifted right, the lowest bit set when it or any bit that falls out was."""
    if isinstance(shift, int):
        lost = value[: min(shift, len(value))].any()
    else:
        lost = (value & ~(Const(-1, signed(len(value))) << shift)).any()
    return (value >> shift) | lost


def round_guarded(value: Value, rounding: Rounding) -> Value:
    """A guarded value rounded as named, without its guard bits."""
    kept, half, below = value >> GUARD_BITS, value[1], value[0]
    return {
        Rounding.TRUNCATE: kept,
        Rounding.HALF_UP: kept + half,
        Rounding.HALF_EVEN: kept + (half & (below | kept[0])),
    }[rounding]


def shift_right(value: Value, shift: Value | int, rounding: Rounding) -> Value:
    """``value / 2**shift`` rounded as named, combinational; `shift` may be a constant."""
    if isinstance(shift, int) and (shift == 0 or rounding is Rounding.TRUNCATE):
        return value >> shift
    return round_guarded(shift_guarded(guard(value), shift), rounding)


def saturate(value: Value, form: SQ) -> Value:
    """The nearest integer of `form`, ``signed(form.width)``, combinational."""
    if not value.shape().signed:
        value = Cat(value, C(0, 1)).as_signed()
    if len(value) <= form.width:
        return value
    # In range when all bits from the sign of `form` on are equal: no comparison, no carry chain.
    above = value[form.width - 1 :]
    sign = value[-1]
    fits = (above == 0) | (above == -1 % (1 << len(above)))
    return Mux(fits, value[: form.width], Mux(sign, form.min, form.max))[: form.width].as_signed()


def requantize(value: Value, shift: Value | int, form: SQ, rounding: Rounding) -> Value:
    """Shift right with rounding, then saturate."""
    return saturate(shift_right(value, shift, rounding), form)
