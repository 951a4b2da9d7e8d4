"""What a pass leaves in the lanes of the multiplier array."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from amaranth import *

from design.beat import Kind
from properties.dialect import OneOf, Theorem, implies
from spec.derived import SHIFT_BITS


@dataclass(eq=False)
class SumsOfAPass(Theorem):
    """When the array reports a pass, each lane shows the sum of its products since the pass began
    and the shift that the last header had for it; the beat is the last of the pass.

    `array` has the signature of `design.array.MultiplierArray`; of the lane that is `chosen`,
    `product` is the register of its product and `term` what is added of it (`EachLaneMultiplies`);
    `header` is the register of its shifts. `steps` are, from the entrance to the products, whether
    a beat is there, and which.
    """

    array: Any
    _: KW_ONLY
    chosen: OneOf
    product: Value
    term: Value
    header: Value
    steps: Sequence[tuple[Value, Value]]

    def describe(self, m: Module) -> None:
        array, lanes = self.array, range(self.chosen.size)
        self.chosen.choose(self)
        sums = self.chosen.of(array.o.p.sums[lane] for lane in lanes)
        shift = self.chosen.of(array.o.p.shifts[lane] for lane in lanes)

        # Two enabled cycles behind its operands, a beat has its product.
        came = Signal(len(self.steps))
        beats = [Signal.like(array.i.p.beat, name=f"beat_{n}") for n in range(len(self.steps))]
        with m.If(array.en):
            m.d.sync += came.eq(Cat(array.i.valid, came))
            m.d.sync += [
                later.eq(sooner)
                for sooner, later in zip([array.i.p.beat, *beats], beats, strict=False)
            ]
        beat = beats[-1]
        multiplies = array.en & came[-1]
        is_header = beat.kind == Kind.HEADER

        # What has been summed, and the shifts of the last header, after this cycle's beat.
        total, total_now = Signal.like(sums), Signal.like(sums)
        header, header_now = Signal.like(self.header), Signal.like(self.header)
        m.d.comb += [total_now.eq(total), header_now.eq(header)]
        with m.If(multiplies & is_header):
            m.d.comb += header_now.eq(self.product)
        with m.Elif(multiplies):
            m.d.comb += total_now.eq(Mux(beat.first, 0, total) + self.term)
        m.d.sync += [total.eq(total_now), header.eq(header_now)]

        # The same when the last beat of a pass was summed.
        of_pass, header_of_pass = Signal.like(sums), Signal.like(header)
        beat_of_pass = Signal.like(beat)
        with m.If(multiplies & beat.last):
            m.d.sync += [
                of_pass.eq(total_now),
                header_of_pass.eq(header_now),
                beat_of_pass.eq(beat),
            ]
        macs = Signal.like(array.macs)
        m.d.sync += macs.eq(Mux(multiplies & ~is_header, beat.macs, 0))

        in_step = [
            (valid == came[n]) & implies(valid, Value.cast(each) == beats[n].as_value())
            for n, (valid, each) in enumerate(self.steps)
        ]
        self.claim(
            "in_step", Cat(in_step).all(), "The beats go on when the array moves, and only then."
        )
        self.claim(
            "accumulates",
            sums == total,
            "The accumulator adds each product of a beat once, and begins with the first.",
        )
        self.claim("header", self.header == header, "The shifts are those of the last header.")
        self.claim(
            "sums",
            implies(array.o.valid, sums == of_pass),
            "Until a pass is taken, its sums stand there whole.",
        )
        same_beat = array.o.p.beat.as_value() == beat_of_pass.as_value()
        self.claim("beat", implies(array.o.valid, same_beat), "So does the beat that ended it.")
        index = array.o.p.beat.shift_index
        passes = range(len(header) // SHIFT_BITS)
        of_index = Array(header_of_pass.word_select(n, SHIFT_BITS) for n in passes)[index]
        exists = index < len(passes)
        self.claim(
            "shift",
            implies(array.o.valid & exists, shift == of_index),
            "Of the shifts of the lane's header, it shows the one that the pass names.",
        )
        self.claim(
            "macs",
            array.macs == macs,
            "What is counted as multiplied is what the beat of the cycle before said.",
        )

        taken_late = array.o.valid & array.o.ready & ~array.en
        self.witness("taken_late", taken_late & (sums > 1) & ~beat_of_pass.first)
        self.witness("shifted", array.o.valid & (index == len(passes) - 1) & (shift != 0))
