"""The multiplier array: the same lanes do projections, scores and the value pass."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from design.arith import pick
from design.beat import Kind, beat_layout
from design.operand import times_power
from spec.config import Config
from spec.derived import EXPONENT_STEP, SHIFT_BITS, derive


class MultiplierArray(wiring.Component):
    """`lanes` multipliers, each with an accumulator that cannot overflow (`derived.acc_width`).

    Lane n multiplies ``a[n]`` by ``b[n // per_slot]``, and moves the product left by 4 bits for
    each of ``b_exponents[n // per_slot]`` before it adds it. A HEADER beat (with every b at 1)
    passes through the multipliers unchanged and leaves each lane's right shifts.

    Latency: 3 enabled cycles from operands to sums (operands, product, accumulator). Throughput:
    one beat per enabled cycle.

    Members
    -------
    en : In(1)
        Clock enable of every register here.
    i_valid, i_beat : In
        A beat with its operands.
    a : In(ArrayLayout(signed(a_width), lanes))
    b, b_exponents : In(ArrayLayout(signed(b_width), slots)), In(ArrayLayout(range, slots))
    sums : Out(ArrayLayout(signed(acc_width), lanes))
    shifts : Out(ArrayLayout(SHIFT_BITS, lanes))
        Right shift of each lane's row, from the header of the pass.
    sums_valid : Out(1)
        The beat `sums_beat` was the last of its pass and `sums` are complete.
    sums_taken : In(1)
        They are copied in this cycle: `sums_valid` falls, even while `en` is low.
    sums_beat : Out
    macs : Out
        Useful multiply-accumulates finished in the cycle before.
    """

    def __init__(self, config: Config):
        self.config = config
        derived, lanes = derive(config), config.geometry.lanes
        beat = beat_layout(config)
        super().__init__(
            {
                "en": In(1),
                "i_valid": In(1),
                "i_beat": In(beat),
                "a": In(data.ArrayLayout(signed(derived.a_width), lanes)),
                "b": In(data.ArrayLayout(signed(derived.b_width), derived.slots)),
                "b_exponents": In(data.ArrayLayout(range(derived.b_exponents), derived.slots)),
                "sums": Out(data.ArrayLayout(signed(derived.acc_width), lanes)),
                "shifts": Out(data.ArrayLayout(SHIFT_BITS, lanes)),
                "sums_valid": Out(1),
                "sums_taken": In(1),
                "sums_beat": Out(beat),
                "macs": Out(range(lanes + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        derived, lanes = derive(self.config), self.config.geometry.lanes
        count = derived.b_exponents
        valid = Signal(2)  # operands, product
        operand_beat = Signal.like(self.i_beat)
        product_beat = Signal.like(self.i_beat)

        with m.If(self.en):
            m.d.sync += [
                valid.eq(Cat(self.i_valid, valid)),
                operand_beat.eq(self.i_beat),
                product_beat.eq(operand_beat),
                self.sums_beat.eq(product_beat),
                self.sums_valid.eq(valid[1] & product_beat.last),
            ]
        with m.Elif(self.sums_taken):
            m.d.sync += self.sums_valid.eq(0)
        is_header = product_beat.kind == Kind.HEADER
        take_shift = Signal()
        take_product = Signal()
        m.d.comb += [
            take_shift.eq(self.en & valid[1] & is_header),
            take_product.eq(self.en & valid[1] & ~is_header),
        ]
        m.d.sync += self.macs.eq(Mux(take_product, product_beat.macs, 0))
        slots = [Signal(signed(derived.b_width), name=f"b_{slot}") for slot in range(derived.slots)]
        exponents, of_products = (
            [Signal(range(count), name=f"{name}_{slot}") for slot in range(derived.slots)]
            for name in ("exponent", "product_exponent")
        )
        with m.If(self.en):
            m.d.sync += [b.eq(self.b[slot]) for slot, b in enumerate(slots)]
            m.d.sync += [each.eq(self.b_exponents[slot]) for slot, each in enumerate(exponents)]
            m.d.sync += [later.eq(each) for later, each in zip(of_products, exponents, strict=True)]
        for lane in range(lanes):
            a = Signal(signed(derived.a_width), name=f"a_{lane}")
            product = Signal(signed(derived.a_width + derived.b_width), name=f"product_{lane}")
            width = len(product) + EXPONENT_STEP * (count - 1)
            term = Signal(signed(width), name=f"term_{lane}")
            exponent = of_products[lane // derived.per_slot]
            m.d.comb += term.eq(times_power(product, exponent, count))
            with m.If(self.en):
                m.d.sync += [
                    a.eq(self.a[lane]),
                    product.eq(a * slots[lane // derived.per_slot]),
                ]
            total = Signal(signed(derived.acc_width), name=f"sum_{lane}")
            header = Signal(derived.header_passes * SHIFT_BITS, name=f"header_{lane}")
            with m.If(take_product):
                m.d.sync += total.eq(Mux(product_beat.first, 0, total) + term)
            with m.If(take_shift):
                m.d.sync += header.eq(product)
            shifts = [header.word_select(n, SHIFT_BITS) for n in range(derived.header_passes)]
            shift = pick(shifts, self.sums_beat.shift_index)
            m.d.comb += [self.sums[lane].eq(total), self.shifts[lane].eq(shift)]
        return m
