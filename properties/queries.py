"""The queries of a token, written by RoPE and read by the array."""

from collections.abc import Sequence

from amaranth import *
from amaranth.utils import exact_log2

from design.queries import QueryBuffer
from properties.dialect import Theorem, implies


class QueriesKept(Theorem):
    """Every read of a query's element returns what was last written to it, and holds it.

    `stored` must be driven with what the memory of the chosen head's slot holds at its element.
    About any element of any head.
    """

    def __init__(self, buffer: QueryBuffer, slots: Sequence[Value]):
        self.buffer = buffer
        self.slots = slots
        self.head = Signal(range(buffer.config.shape.heads))
        self.d = Signal(range(buffer.config.shape.head_dim))
        self.stored = Signal(signed(buffer.config.numerics.q.width))

    def describe(self, m: Module) -> None:
        buffer, shape = self.buffer, self.buffer.config.shape
        slot_bits = exact_log2(len(self.slots))
        self.choose(self.head, shape.heads)
        self.choose(self.d, shape.head_dim)
        shown = Array(self.slots)[self.head[:slot_bits]]
        in_range = (buffer.wr_head < shape.heads) & (buffer.wr_d < shape.head_dim)
        self.suppose(
            "write_in_range",
            implies(buffer.wr_en, in_range),
            "What is written is an element of a head. What is read need not be one: beats "
            "that read no query read whatever their `d` says, and nobody looks.",
        )

        # Shadow of the element. Reset does not clear a RAM, so it does not clear its shadow.
        written = buffer.wr_en & (buffer.wr_head == self.head) & (buffer.wr_d == self.d)
        known = Signal(reset_less=True)
        last = Signal.like(self.stored, reset_less=True)
        known_now, last_now = known | written, Mux(written, buffer.wr_data, last)
        m.d.sync += [known.eq(known_now), last.eq(last_now)]

        read = (buffer.rd_block == self.head[slot_bits:]) & (buffer.rd_d == self.d)
        due = Signal()
        expected = Signal.like(self.stored)
        with m.If(buffer.rd_en):
            m.d.sync += [due.eq(read & known_now), expected.eq(last_now)]
        self.claim(
            "returns_last_write",
            implies(due, shown == expected),
            "What was read is the last write, until the next read.",
        )
        self.claim(
            "stays_written",
            implies(known, self.stored == last),
            "No write to another element touches it.",
        )

        self.witness("read_back", due & (expected != 0) & (self.head != 0))
