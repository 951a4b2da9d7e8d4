"""Reads of the KV cache return the last write."""

from amaranth import *

from properties.dialect import Theorem, implies
from properties.kv_contract import Owner, suppose_accesses
from properties.kv_element import KvElement, Tensor


class KvLastWrite(Theorem):
    """Every read of a cache element returns what was last written to it, and holds it.

    `stored` must be driven with what the bank holds at the chosen element: the induction needs to
    know that a past write is still there, and no port of the owner says so without a read.
    """

    def __init__(self, owner: Owner, tensor: Tensor):
        self.owner = owner
        self.element = KvElement(owner, tensor)
        self.stored = Signal(signed(owner.width))

    def describe(self, m: Module) -> None:
        owner, element = self.owner, self.element
        element.connect(m, self)
        suppose_accesses(self, owner)

        # Shadow of the element. Reset does not clear a RAM, so it does not clear its shadow.
        known = Signal(reset_less=True)
        last = Signal(signed(owner.width), reset_less=True)
        known_now = known | element.written
        last_now = Mux(element.written, owner.wr_data, last)
        m.d.sync += [known.eq(known_now), last.eq(last_now)]

        # What the slot must show, from a read until the next one.
        due = Signal()
        expected = Signal(signed(owner.width))
        with m.If(element.start):
            m.d.sync += [due.eq(element.read & known_now), expected.eq(last_now)]

        started = Signal()
        m.d.sync += started.eq(owner.rd_start_k | owner.rd_start_v)

        self.claim(
            "returns_last_write",
            implies(due, element.shown == expected),
            "A finished read shows the last write until the next read of its kind starts.",
        )
        self.claim(
            "stays_written",
            implies(known, self.stored == last),
            "A write stays in the bank: no write to any other element touches it.",
        )
        self.claim(
            "valid_after_start",
            owner.rd_valid == started,
            "A read is answered exactly one cycle after its start.",
        )

        rewritten = Signal()
        with m.If(element.written & known & (owner.wr_data != last)):
            m.d.sync += rewritten.eq(1)
        self.witness("read_back", due & rewritten & (element.shown != 0))
