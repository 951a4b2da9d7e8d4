"""Small arithmetic that must not cost a multiplier."""

import functools
import operator

from amaranth import *


def times_constant(value: Value, constant: int) -> Value:
    """``value * constant`` for a constant of at least 1, as shifts and adds: no multiplier cell."""
    terms = (value << bit for bit in range(constant.bit_length()) if constant >> bit & 1)
    return functools.reduce(operator.add, terms)
