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

    Latency: 3 enabled cycles from operands to sums (`latency`: operands, product, accumulator).
    Throughput: one beat per enabled cycle.

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

    Inside (for proofs)
    -------------------
    valid, operand_beat, product_beat
        Whether there is a beat at the operands (bit 0) and at the products (bit 1), and which.
    lane_a, products, terms, totals, headers : lists, of each lane
        Its first operand; the product; this moved by the exponent, for the accumulator; the
        accumulator; the shifts of its header.
    slot_b, exponents : lists, of each slot
        The second operand of its lanes, and its exponent.
    take_product
        The terms are added in this cycle.
    """

    latency = 3

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
        a, b = signed(derived.a_width), signed(derived.b_width)
        product = signed(a.width + b.width)
        term = signed(product.width + EXPONENT_STEP * (derived.b_exponents - 1))
        exponent, header = range(derived.b_exponents), derived.header_passes * SHIFT_BITS
        self.valid = Signal(2)
        self.operand_beat = Signal.like(self.i_beat)
        self.product_beat = Signal.like(self.i_beat)
        self.take_product = Signal()
        self.lane_a = [Signal(a, name=f"a_{lane}") for lane in range(lanes)]
        self.slot_b = [Signal(b, name=f"b_{slot}") for slot in range(derived.slots)]
        self.exponents = [Signal(exponent, name=f"exponent_{n}") for n in range(derived.slots)]
        self.products = [Signal(product, name=f"product_{lane}") for lane in range(lanes)]
        self.terms = [Signal(term, name=f"term_{lane}") for lane in range(lanes)]
        self.totals = [
            Signal(signed(derived.acc_width), name=f"sum_{lane}") for lane in range(lanes)
        ]
        self.headers = [Signal(header, name=f"header_{lane}") for lane in range(lanes)]

    def multiplied(self, lane: int) -> Value:
        """What the multiplier of `lane` makes of its operands."""
        return self.lane_a[lane] * self.slot_b[lane // derive(self.config).per_slot]

    def elaborate(self, platform):
        m = Module()
        derived, lanes = derive(self.config), self.config.geometry.lanes
        count = derived.b_exponents
        valid, operand_beat, product_beat = self.valid, self.operand_beat, self.product_beat
        take_product = self.take_product

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
        m.d.comb += [
            take_shift.eq(self.en & valid[1] & is_header),
            take_product.eq(self.en & valid[1] & ~is_header),
        ]
        m.d.sync += self.macs.eq(Mux(take_product, product_beat.macs, 0))
        exponents = self.exponents
        of_products = [
            Signal(range(count), name=f"product_exponent_{slot}") for slot in range(derived.slots)
        ]
        with m.If(self.en):
            m.d.sync += [b.eq(self.b[slot]) for slot, b in enumerate(self.slot_b)]
            m.d.sync += [each.eq(self.b_exponents[slot]) for slot, each in enumerate(exponents)]
            m.d.sync += [later.eq(each) for later, each in zip(of_products, exponents, strict=True)]
        for lane in range(lanes):
            product, term = self.products[lane], self.terms[lane]
            total, header = self.totals[lane], self.headers[lane]
            exponent = of_products[lane // derived.per_slot]
            m.d.comb += term.eq(times_power(product, exponent, count))
            with m.If(self.en):
                m.d.sync += [
                    self.lane_a[lane].eq(self.a[lane]),
                    product.eq(self.multiplied(lane)),
                ]
            with m.If(take_product):
                m.d.sync += total.eq(Mux(product_beat.first, 0, total) + term)
            with m.If(take_shift):
                m.d.sync += header.eq(product)
            shifts = [header.word_select(n, SHIFT_BITS) for n in range(derived.header_passes)]
            shift = pick(shifts, self.sums_beat.shift_index)
            m.d.comb += [self.sums[lane].eq(total), self.shifts[lane].eq(shift)]
        return m
