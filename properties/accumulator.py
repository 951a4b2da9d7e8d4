"""Sums that never wrap."""

from amaranth import *

from properties.dialect import Theorem, implies


class AccumulatesExactly(Theorem):
    """An accumulator holds the exact sum of its terms, and cannot overflow, as long as a sum has no
    more terms than the schedule gives it, each within its bound.

    `adds` tells that `term` is added in this cycle, to nothing if it is the `first`; `total` is
    the register from the next cycle on. `start` is what a sum begins with. `terms` is the most of
    them, `low` and `high` the bounds of one. Obligations: 2.
    """

    def __init__(
        self,
        *,
        adds: Value,
        first: Value,
        term: Value,
        total: Value,
        terms: int,
        low: int,
        high: int,
        start: int = 0,
    ):
        self.adds = adds
        self.first = first
        self.term = term
        self.total = total
        self.terms = terms
        self.low = low
        self.high = high
        self.start = start

    def elaborate(self, platform):
        m = Module()
        # The same sum in a register that has room for it twice over.
        limit = self.start + self.terms * max(self.high, -self.low)
        exact = Signal(signed(limit.bit_length() + 2))
        count = Signal(range(self.terms + 1))
        counted = Mux(self.first, 0, count)
        with m.If(self.adds):
            m.d.sync += [
                exact.eq(Mux(self.first, self.start, exact) + self.term),
                count.eq(counted + 1),
            ]
        within = (self.term >= self.low) & (self.term <= self.high)
        m.d.comb += self.suppose("term_in_bound", implies(self.adds, within))
        m.d.comb += self.suppose("no_more_terms", implies(self.adds, counted < self.terms))
        begun = count != 0
        m.d.comb += self.suppose("begins", implies(self.adds & ~begun, self.first))

        # The register is the exact sum.
        m.d.comb += self.claim("exact", implies(begun, self.total == exact))
        # That is no more than its terms allow, so that nothing ever left at the top.
        least, most = count * self.low + self.start, count * self.high + self.start
        m.d.comb += self.claim("bounded", implies(begun, (exact >= least) & (exact <= most)))

        m.d.comb += self.witness("long_sum", (count > 1) & (exact != 0))
        return m
