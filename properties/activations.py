"""A vector that is read while it fills."""

import itertools
from typing import Any

from amaranth import *

from properties.dialect import Theorem, implies


class ReadWhileItFills(Theorem):
    """If each element is written within `lead_time` cycles of its announcement, a beat that enters
    once an element counts, and reads it ``lead_time - 1`` cycles later or more, gets that element.

    `buffer` has the signature of `design.activations.ActivationBuffer`; `written` is its count of
    elements, and `stored` what stands in its memory at `element`, for the induction. A vector that
    is cleared may be read until the first element of the next is announced.
    """

    def __init__(self, buffer: Any, *, written: Value):
        self.buffer = buffer
        self.written = written
        self.element = Signal(range(buffer.depth), name="element")
        self.stored = Signal.like(Value.cast(buffer.wr_data))

    def describe(self, m: Module) -> None:
        buffer, depth = self.buffer, self.buffer.depth
        self.choose(self.element, depth)

        # Elements announced, as counted 0, 1, ... cycles ago; those written; those still owed.
        announced = [
            Signal(range(depth + 1), name=f"counted_{n}_ago") for n in range(buffer.lead_time)
        ]
        given = Signal(range(depth + 1))
        owed = Signal(range(depth + 1))
        # The most that was counted before that: what a beat may have seen when it entered.
        seen = Signal(range(depth + 1))
        begins = buffer.coming & (announced[0] == 0)
        m.d.sync += [
            announced[0].eq(Mux(buffer.clear, 0, announced[0] + buffer.coming)),
            given.eq(Mux(begins, 0, given + buffer.wr_en)),
            owed.eq(owed + buffer.coming - buffer.wr_en),
        ]
        due = announced[-1]
        readable = Mux(seen > due, seen, due)
        for newer, older in [*itertools.pairwise(announced), (readable, seen)]:
            m.d.sync += older.eq(Mux(begins, 0, newer))

        # What was asked for in the cycle before, and can be fetched in this one.
        index, folded = Signal.like(buffer.next_index, name="index"), Signal()
        m.d.sync += [index.eq(buffer.next_index), folded.eq(buffer.next_folded)]

        # The chosen element, when it is written and fetched, and what is shown of it.
        value = Signal.like(Value.cast(buffer.wr_data))
        read = Signal.like(value)
        shown, shown_right = Signal(), Signal()
        writes = buffer.wr_en & (given == self.element)
        right = index + Mux(folded, depth // 2, 0)
        wrote = Signal()
        m.d.sync += wrote.eq(writes)
        with m.If(writes):
            m.d.sync += value.eq(buffer.wr_data)
        with m.If(buffer.rd_en):
            m.d.sync += [
                shown.eq(buffer.fetch & (index == self.element)),
                shown_right.eq(buffer.fetch & (right == self.element)),
                read.eq(Mux(writes, buffer.wr_data, value)),
            ]

        folds = (index < depth // 2) & bool(buffer.foldable)
        self.suppose(
            "announced_in_range",
            implies(buffer.coming, announced[0] != depth),
            "Whoever announces stays within the vector.",
        )
        self.suppose(
            "clear_by_itself",
            ~(buffer.clear & buffer.coming),
            "Nothing is announced in the cycle that clears.",
        )
        self.suppose(
            "announced_before_written",
            implies(buffer.wr_en, owed != 0),
            "Only what was announced is written.",
        )
        self.suppose(
            "written_in_time",
            given + buffer.wr_en >= due,
            "What is announced is written within the lead time.",
        )
        self.suppose(
            "written_before_the_next",
            implies(begins, owed == 0),
            "A vector is whole before the next begins.",
        )
        self.suppose(
            "counted_before_read",
            implies(buffer.fetch, right < readable),
            "Whoever reads waits until the element counts.",
        )
        self.suppose(
            "folded_in_half",
            implies(buffer.fetch & folded, folds),
            "A folded beat is of the left half.",
        )
        self.suppose(
            "fetched_as_it_moves",
            implies(buffer.fetch, buffer.rd_en),
            "A beat enters only in a cycle in which the pipeline moves.",
        )

        self.claim(
            "counts_announced", buffer.filled == announced[0], "What counts is what was announced."
        )
        self.claim(
            "no_fault",
            ~buffer.fault,
            "No element is read before it is written, none announced that has no place.",
        )
        out, out_right = Value.cast(buffer.rd_data), Value.cast(buffer.rd_right)
        self.claim(
            "element_read",
            implies(shown, out == read),
            "A fetch shows the element written last, which may be in its very cycle, and "
            "goes on showing it until the next.",
        )
        self.claim(
            "right_read",
            implies(shown_right, out_right == read),
            "So does the other port, that of the right half when folded.",
        )
        stands = (self.written == given) & implies(self.element < given, self.stored == value)
        self.claim("stored_in_place", stands, "Elements lie where they are looked for.")
        accounted = Mux(announced[0] == 0, depth >= given + owed, announced[0] == given + owed)
        in_range = announced[0] <= depth
        self.claim(
            "seen_is_written",
            (seen <= given) & accounted & in_range,
            "Whatever a beat may have seen is written, and what is announced is written or owed.",
        )

        here = buffer.fetch & (index == self.element)
        self.witness("read_as_it_is_written", here & writes)
        self.witness("read_once_it_is_written", here & wrote)
        self.witness("second_vector", begins & (given != 0))
        if buffer.foldable:
            self.witness("folded", shown_right & ~shown)
