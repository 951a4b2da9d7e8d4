"""Operands of the matrices: wide fixed point, rounded element by element to floating point.

A multiplier takes 18 bits. A residual of a real model needs more: a few of its elements are a
thousand times as large as the others. So an element becomes ``mantissa << (4 * exponent)`` with a
mantissa of 18 bits and the smallest exponent with which it fits: floating point to base 16. What an
element loses is at most 2**-14 of itself, and none waits for another, as each would for the last
one if the vector shared one exponent.

The same function, on integers, is `golden.fixed_math.operand`.
"""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data

from design.requantize import shift_right
from spec.derived import EXPONENT_STEP, exponents, mantissa_bits
from spec.fixed import SQ, Rounding


def operand_layout(form: SQ) -> data.StructLayout:
    """An element of a vector in `form` as operand; up to 18 bits it is the element itself."""
    return data.StructLayout(
        {"mantissa": signed(mantissa_bits(form)), "exponent": range(exponents(form))}
    )


def to_operand(value: Value, form: SQ, rounding: Rounding) -> Value:
    """The bits of `operand_layout` for an element in `form`, rounded as named; combinational.

    Of the exponents that leave a mantissa of 18 bits after rounding, the smallest.
    """
    bits, last = mantissa_bits(form), exponents(form) - 1
    mantissa: Value = shift_right(value, EXPONENT_STEP * last, rounding)[:bits]
    exponent: Value = C(last, range(last + 1))
    for smaller in reversed(range(last)):
        rounded = shift_right(value, EXPONENT_STEP * smaller, rounding)
        above = rounded[bits - 1 :]
        fits = above.all() | ~above.any()
        mantissa = Mux(fits, rounded[:bits], mantissa)
        exponent = Mux(fits, smaller, exponent)
    return Cat(mantissa, exponent)


def times_power(value: Value, exponent: Value, count: int, step: int = EXPONENT_STEP) -> Value:
    """``value << (step * exponent)`` for an exponent below `count`: a choice of constant shifts."""
    result = value
    for each in range(1, count):
        result = Mux(exponent == each, value << (step * each), result)
    return result
