"""What the tables hold, entry by entry."""

from collections.abc import Sequence

from amaranth import *

from properties.dialect import Theorem, implies
from spec.derived import TABLE_FRACTION


class TableOfFactors(Theorem):
    """What golden interpolates in the table that the design holds is a number from 0 to 1, at every
    input.

    `factor` is that number in units of 2**-TABLE_FRACTION, at any input.
    """

    def __init__(self, factor: Value, *, defined: Value):
        self.factor = factor
        self.defined = defined

    def describe(self, m: Module) -> None:
        factor = self.factor
        is_factor = self.defined & (factor >= 0) & (factor <= 1 << TABLE_FRACTION)
        self.claim("table_of_factors", is_factor, "It is not negative, and at most 1.")

        self.witness("above_a_half", factor > 1 << (TABLE_FRACTION - 1))


class WeightsOfTheTable(Theorem):
    """In the exp2 table of every slot the entry of distance 0 is the greatest weight, and none is
    greater.

    `entries` are those of the slots at `index`, any index; `greatest` is the greatest number of the
    format.
    """

    def __init__(self, index: Value, entries: Sequence[Value], *, greatest: int):
        self.index = index
        self.entries = entries
        self.greatest = greatest

    def describe(self, m: Module) -> None:
        is_greatest = Cat(entry == self.greatest for entry in self.entries).all()
        self.claim(
            "maximum_weighs_most",
            implies(self.index == 0, is_greatest),
            "What is not below the maximum has the greatest weight.",
        )
        within = Cat(entry <= self.greatest for entry in self.entries).all()
        self.claim("none_greater", within, "No entry is greater.")

        half = (self.greatest + 1) // 2
        self.witness("half_an_octave", self.entries[0] < half + half // 2)
