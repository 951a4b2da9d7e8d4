"""Small arithmetic on sizes and values that more than one component needs."""

import functools
import operator
from collections.abc import Iterable

from amaranth import *


def times_constant(value: Value, constant: int) -> Value:
    """``value * constant`` for a constant of at least 1, as shifts and adds: no multiplier cell."""
    terms = (value << bit for bit in range(constant.bit_length()) if constant >> bit & 1)
    return functools.reduce(operator.add, terms)


def pick(values: Iterable[Value], index: Value) -> Value:
    """The value at `index`, by multiplexers.

    Indexing an `ArrayLayout` by a signal would do, but multiplies the index by the element's width.
    """
    return Array(values)[index]


def ram_depth(elements: int) -> int:
    """Depth of a memory for `elements`: at least 2, since of a single word, whose address has no
    bits, CXXRTL always reads zero."""
    return max(elements, 2)
