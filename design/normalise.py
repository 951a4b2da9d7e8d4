"""Power-of-two normalisation: an integer as mantissa times 2**exponent."""

from amaranth import *


def exponent_of(value: Value) -> Value:
    """Index of the highest set bit of a non-zero value (bit length - 1), combinational."""
    index: Value = C(0, 1)
    for bit in range(1, len(value)):
        index = Mux(value[bit], bit, index)
    return index
