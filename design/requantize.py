"""Rounding and saturation: the only way from a wide sum to a tensor.

The same functions, on integers, are in `golden.fixed_math`.
"""

from collections.abc import Sequence

from amaranth import *

from spec.fixed import SQ, Rounding

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


def _halves(value: Value, rounding: Rounding) -> tuple[Value, Value]:
    """(integer, 0 or 1): a guarded value rounds to their sum."""
    kept, half, below = value >> GUARD_BITS, value[1], value[0]
    up = {
        Rounding.TRUNCATE: C(0, 1),
        Rounding.HALF_UP: half,
        Rounding.HALF_EVEN: half & (below | kept[0]),
    }[rounding]
    return kept, up


def round_guarded(value: Value, rounding: Rounding) -> Value:
    """A guarded value rounded as named, without its guard bits."""
    kept, up = _halves(value, rounding)
    return kept + up


def shift_right(value: Value, shift: Value | int, rounding: Rounding) -> Value:
    """``value / 2**shift`` rounded as named, combinational; `shift` may be a constant."""
    if isinstance(shift, int) and (shift == 0 or rounding is Rounding.TRUNCATE):
        return value >> shift
    return round_guarded(shift_guarded(guard(value), shift), rounding)


def _signed(value: Value) -> Value:
    return value if value.shape().signed else Cat(value, C(0, 1)).as_signed()


def saturate(value: Value, form: SQ) -> Value:
    """The nearest integer of `form`, ``signed(form.width)``, combinational."""
    value = _signed(value)
    return _saturated(value, value[-1], form)


def _saturated(value: Value, negative: Value, form: SQ, fits: Value | int = 1) -> Value:
    """`saturate`, where `value` is right only if it `fits`, and `negative` always."""
    if len(value) <= form.width:
        return value
    # In range when all bits from the sign of `form` on are equal: no carry chain.
    above = value[form.width - 1 :]
    fits = fits & (above.all() | ~above.any())
    limit = Mux(negative, form.min, form.max)
    return Mux(fits, value[: form.width], limit)[: form.width].as_signed()


def round_saturated(value: Value, forms: Sequence[SQ], rounding: Rounding) -> list[Value]:
    """A guarded value rounded, and saturated to each of `forms`; combinational.

    Only what fits the widest needs the adder of the rounding, so the carry ends there.
    """
    kept, up = _halves(_signed(value), rounding)
    width = max(form.width for form in forms)
    negative = kept[-1]
    fits: Value | int = 1
    if len(kept) > width:
        above = kept[width - 1 :]
        fits = above.all() | ~above.any()
        kept = kept[:width].as_signed()
    rounded = kept + up
    return [_saturated(rounded, negative, form, fits) for form in forms]


def requantize(value: Value, shift: Value | int, form: SQ, rounding: Rounding) -> Value:
    """Shift right with rounding, then saturate."""
    shifted = shift_guarded(guard(value), shift)
    return round_saturated(shifted, [form], rounding)[0]
