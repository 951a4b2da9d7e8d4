"""The multiplier array: sums and shifts of whole passes, with the clock enable falling at will."""

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from design.array import MultiplierArray
from design.beat import Kind
from spec.config import Config
from spec.derived import MAX_SHIFT, SHIFT_BITS, derive
from tests.design.support import costly, expect, signed_bits, simulate, small_configs


@dataclasses.dataclass(frozen=True)
class Beat:
    """A beat with its operands."""

    kind: Any
    first: bool
    last: bool
    shift_index: int
    macs: int
    a: list[int]
    b: list[int]
    exponents: list[int]


@st.composite
def beats(draw, config: Config):
    """Passes of every kind, a projection's behind its header (which can be for several), with
    idle cycles (None) between."""
    derived, lanes = derive(config), config.geometry.lanes
    a = st.lists(signed_bits(derived.a_width), min_size=lanes, max_size=lanes)
    b = st.lists(signed_bits(derived.b_width), min_size=derived.slots, max_size=derived.slots)
    weight = signed_bits(config.numerics.weight_bits)
    weights = st.lists(weight, min_size=lanes, max_size=lanes)
    exponent = st.integers(0, derived.b_exponents - 1)
    exponents = st.lists(exponent, min_size=derived.slots, max_size=derived.slots)
    still = [0] * derived.slots
    most_header = (1 << (SHIFT_BITS * derived.header_passes)) - 1
    shifts = st.lists(st.integers(0, most_header), min_size=lanes, max_size=lanes)
    found: list[Beat | None] = []
    passes = 0  # behind the last header
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from([Kind.WEIGHT, Kind.KEY, Kind.VALUE]))
        if kind is Kind.WEIGHT:
            if passes % derived.header_passes == 0 or draw(st.booleans()):
                header = Beat(
                    Kind.HEADER, False, False, 0, 0, draw(shifts), [1] * derived.slots, still
                )
                found.append(header)
                passes = 0
            passes += 1
        index = max(0, passes - 1)
        # No sum of the schedule has more terms than this.
        length = draw(st.integers(1, min(4, config.shape.head_dim, config.shape.seq_len)))
        for n in range(length):
            found += [None] * draw(st.integers(0, 1))
            macs = draw(st.integers(0, lanes))
            own, powers = draw(a), still
            if kind is Kind.WEIGHT:
                own, powers = draw(weights), draw(exponents)
            found.append(Beat(kind, n == 0, n == length - 1, index, macs, own, draw(b), powers))
    return [*found, None, None, None]


class Model:
    """What the array holds, an enabled cycle at a time."""

    def __init__(self, config: Config):
        self.per_slot = derive(config).per_slot
        self.sums = [0] * config.geometry.lanes
        self.headers = [0] * config.geometry.lanes
        self.stages: list[Beat | None] = [None, None, None]
        self.valid = False

    def macs(self, en: bool) -> int:
        product = self.stages[1]
        return product.macs if en and product is not None else 0

    def step(self, beat: Beat | None) -> None:
        self.stages = [beat, *self.stages[:2]]
        finished = self.stages[2]
        self.valid = finished is not None and finished.last
        if finished is None:
            return
        b = [finished.b[lane // self.per_slot] for lane in range(len(self.sums))]
        powers = [finished.exponents[lane // self.per_slot] for lane in range(len(self.sums))]
        products = [x * y << 4 * p for x, y, p in zip(finished.a, b, powers, strict=True)]
        if finished.kind is Kind.HEADER:
            self.headers = products
        else:
            base = [0] * len(products) if finished.first else self.sums
            self.sums = [x + y for x, y in zip(base, products, strict=True)]


@costly
@given(st.data())
def test_sums_and_shifts(data):
    config = data.draw(small_configs)
    pending = data.draw(beats(config))
    enables = iter(data.draw(st.lists(st.booleans(), min_size=20, max_size=40)))
    taken = iter(data.draw(st.lists(st.booleans(), min_size=20, max_size=40)))
    dut, model = MultiplierArray(config), Model(config)

    async def testbench(ctx):
        left = list(pending)
        while left:
            en, take, beat = next(enables, True), next(taken, True), left[0]
            ctx.set(dut.en, en)
            ctx.set(dut.o.ready, take)
            ctx.set(dut.i.valid, beat is not None)
            if beat is not None:
                names = ("kind", "first", "last", "shift_index", "macs")
                ctx.set(dut.i.p.beat, {name: getattr(beat, name) for name in names})
                ctx.set(dut.i.p.a, beat.a)
                ctx.set(dut.i.p.b, beat.b)
                ctx.set(dut.i.p.exponents, beat.exponents)
            macs = model.macs(en)
            await ctx.tick()
            expect(ctx, dut.macs, macs)
            if en:
                model.step(left.pop(0))
            elif take:
                model.valid = False
            expect(ctx, dut.o.valid, model.valid)
            if model.valid:
                finished = model.stages[2]
                assert finished is not None
                expect(ctx, dut.o.p.beat.kind, finished.kind)
                assert [ctx.get(total) for total in dut.o.p.sums] == model.sums
                place = SHIFT_BITS * finished.shift_index
                shifts = [header >> place & MAX_SHIFT for header in model.headers]
                assert [ctx.get(shift) for shift in dut.o.p.shifts] == shifts

    simulate(dut, testbench)
