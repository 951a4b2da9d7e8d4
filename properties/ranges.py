"""The ranges of what the writeback shifts by."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from amaranth import *

from properties.dialect import Theorem, implies

#: Cycles from `start` to the first shift of `design.reciprocals.Reciprocals`.
_FIRST_SHIFT = 3


@dataclass(eq=False)
class ExponentInRange(Theorem):
    """From the first norm on, its exponent is one of those that a sum of squares can have; `ready`
    says that there was one.

    `norm` has the signature of `design.rmsnorm.RmsNorm`; a sum of squares is at least `epsilon`,
    and its exponent one of so many `exponents`; the register `e` is greater by `floor`.
    """

    norm: Any
    _: KW_ONLY
    epsilon: int
    exponents: int
    floor: int
    e: Value

    def describe(self, m: Module) -> None:
        norm = self.norm
        begun = Signal()
        with m.If(norm.start):
            m.d.sync += begun.eq(1)
        at_least_epsilon = implies(norm.start, norm.square_sum >= self.epsilon)
        self.suppose(
            "at_least_epsilon", at_least_epsilon, "What is added to epsilon is not negative."
        )

        self.claim(
            "norm_exponent",
            implies(begun, norm.exponent < self.exponents),
            "There is such an exponent.",
        )
        self.claim(
            "not_below_floor",
            implies(begun, self.e >= self.floor),
            "It is not less than that of epsilon.",
        )
        self.claim("ready", implies(norm.ready, begun), "It is not reported before.")

        self.witness("greatest", norm.ready & (norm.exponent == self.exponents - 1))


@dataclass(eq=False)
class ShiftsInRange(Theorem):
    """The shift of each slot is one that a sum of weights can have, from the time on at which its
    value sums can come: those of slot n not before ``n + 1`` cycles of `ready` are over.

    `reciprocals` has the signature of `design.reciprocals.Reciprocals`; a shift is in `shifts`, a
    sum of weights at least `least`. `running` says that the sum `total` of slot `taken` is taken;
    `valid`, `slot_of` and `shift_of` are what is known of those that were taken, 1 and 2 cycles
    later.
    """

    reciprocals: Any
    _: KW_ONLY
    shifts: range
    least: int
    running: Value
    taken: Value
    total: Value
    valid: Value
    slot_of: Sequence[Value]
    shift_of: Sequence[Value]

    def _is_shift(self, value: Value) -> Value:
        return (value >= self.shifts[0]) & (value <= self.shifts[-1])

    def describe(self, m: Module) -> None:
        unit, running = self.reciprocals, self.running
        slots = len(unit.shifts)
        slot = Signal(range(slots), name="slot")
        self.choose(slot, slots)
        # Cycles since the first start, until all its shifts are there; cycles of `ready`.
        all_there = slots + _FIRST_SHIFT
        since, ready_for = Signal(range(all_there + 1)), Signal(range(slots + 1))
        with m.If((unit.totals.complete | (since != 0)) & (since != all_there)):
            m.d.sync += since.eq(since + 1)
        with m.If(~unit.ready):
            m.d.sync += ready_for.eq(0)
        with m.Elif(ready_for != slots):
            m.d.sync += ready_for.eq(ready_for + 1)
        before: Value = running
        ran = []
        for cycle in range(5):
            earlier = Signal(name=f"ran_{cycle + 1}_ago")
            m.d.sync += earlier.eq(before)
            ran.append(earlier)
            before = earlier
        self.suppose(
            "at_least_the_maximum",
            implies(running, self.total >= self.least),
            "The sum of a slot that is taken has the weight of its maximum in it.",
        )
        self.suppose(
            "block_after_block",
            implies(unit.totals.complete, ~Cat(ran).any()),
            "A block begins when the one before was dealt with.",
        )

        first = since != all_there
        takes = running == ((since != 0) & (since < slots) | unit.totals.complete)
        own = implies(running, self.taken == since)
        idle = implies(~first & ~running, self.taken == 0)
        self.claim(
            "one_by_one",
            implies(first, takes & own) & idle,
            "The slots of the first block are taken one after the other, from its start on.",
        )
        for stage, (of, shift) in enumerate(zip(self.slot_of, self.shift_of, strict=True)):
            valid, after = self.valid[stage], stage + 1
            there = (since >= after) & (since < after + slots)
            in_step = (valid == there) & implies(valid, of == since - after)
            fits = implies(valid, self._is_shift(shift))
            self.claim(
                f"in_step_{after}",
                implies(first, in_step) & fits,
                "They go through the pipeline, and come out with a shift that there is.",
            )
        written = since >= slot + _FIRST_SHIFT
        own_shift = Array(unit.shifts)[slot]
        self.claim(
            "value_shift",
            implies(written, self._is_shift(own_shift)),
            "Once it is there, the shift of a slot is one that there is.",
        )
        due = implies(unit.ready, since >= ready_for + _FIRST_SHIFT - 1)
        self.claim(
            "in_time",
            (due | ~first) & implies(ready_for > slot, written),
            "It is there when it is needed.",
        )

        self.witness("all_ready", (ready_for == slots) & (own_shift == self.shifts[0]))
