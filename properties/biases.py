"""The biases of a layer, written by a pass of their own and read row by row."""

from typing import Any

from amaranth import *

from properties.dialect import Theorem, implies


class BiasesKept(Theorem):
    """Every read of a row's bias returns what was last written to it, and holds it.

    `biases` has the signature of `design.biases.Biases`, of `rows` rows. `stored` must be driven
    with what the memory holds at the chosen `row`. About any row.
    """

    def __init__(self, biases: Any, *, rows: int):
        self.biases = biases
        self.rows = rows
        self.row = Signal(range(rows))
        self.stored = Signal.like(biases.rd_data)

    def describe(self, m: Module) -> None:
        biases = self.biases
        self.choose(self.row, self.rows)
        self.suppose(
            "write_in_range",
            implies(biases.wr_en, biases.wr_row < self.rows),
            "What is written is the bias of a row, ...",
        )
        self.suppose(
            "read_in_range",
            implies(biases.rd_en, biases.rd_row < self.rows),
            "... and so is what is read.",
        )

        # Shadow of the bias. Reset does not clear a RAM, so it does not clear its shadow.
        written = biases.wr_en & (biases.wr_row == self.row)
        known = Signal(reset_less=True)
        last = Signal.like(self.stored, reset_less=True)
        known_now, last_now = known | written, Mux(written, biases.wr_data, last)
        m.d.sync += [known.eq(known_now), last.eq(last_now)]

        due = Signal()
        expected = Signal.like(self.stored)
        with m.If(biases.rd_en):
            m.d.sync += [due.eq((biases.rd_row == self.row) & known_now), expected.eq(last_now)]
        self.claim(
            "returns_last_write",
            implies(due, biases.rd_data == expected),
            "What was read is the last write, until the next read.",
        )
        self.claim(
            "stays_written",
            implies(known, self.stored == last),
            "No write to another row touches it.",
        )

        self.witness("read_back", due & (expected != 0) & (self.row != 0))
