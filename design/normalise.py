"""Power-of-two normalisation: an integer as mantissa times 2**exponent."""

from amaranth import *

#: Bits of a chain of multiplexers: Amaranth's simulator nests no more than some 90.
_CHAIN = 48


def exponent_of(value: Value) -> Value:
    """Index of the highest set bit of a non-zero value (bit length - 1), combinational."""
    lower = value[:_CHAIN]
    index: Value = C(0, 1)
    for bit in range(1, len(lower)):
        index = Mux(lower[bit], bit, index)
    if len(value) == len(lower):
        return index
    upper = value[_CHAIN:]
    return Mux(upper.any(), exponent_of(upper) + _CHAIN, index)
