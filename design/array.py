"""The multiplier array: the same lanes do projections, scores and the value pass."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from design.arith import pick
from design.beat import Kind, beat_layout
from design.operand import times_power
from design.pipeline import Pipeline, flow
from spec.config import Config
from spec.derived import EXPONENT_STEP, SHIFT_BITS, derive


def operands_layout(config: Config) -> data.StructLayout:
    """A beat with what the lanes multiply for it.

    `a`: of each lane. `b`, `exponents`: of each slot, ``b << (4 * exponent)``, see `operand`.
    """
    derived = derive(config)
    return data.StructLayout(
        {
            "beat": beat_layout(config),
            "a": data.ArrayLayout(signed(derived.a_width), config.geometry.lanes),
            "b": data.ArrayLayout(signed(derived.b_width), derived.slots),
            "exponents": data.ArrayLayout(range(derived.b_exponents), derived.slots),
        }
    )


def pass_layout(config: Config) -> data.StructLayout:
    """A finished pass: its last beat, and of each lane the sum and the right shift of its row."""
    lanes = config.geometry.lanes
    return data.StructLayout(
        {
            "beat": beat_layout(config),
            "sums": data.ArrayLayout(signed(derive(config).acc_width), lanes),
            "shifts": data.ArrayLayout(SHIFT_BITS, lanes),
        }
    )


class MultiplierArray(wiring.Component):
    """`lanes` multipliers, each with an accumulator that cannot overflow (`derived.acc_width`).

    Lane n multiplies ``a[n]`` by ``b[n // per_slot]``, and moves the product left by 4 bits for
    each of ``exponents[n // per_slot]`` before it adds it. A HEADER beat (with every b at 1)
    passes through the multipliers unchanged and leaves each lane's right shifts.

    Latency: 3 enabled cycles from operands to sums (`latency`: operands, product, accumulator).
    Throughput: one beat per enabled cycle.

    Members
    -------
    en : In(1)
        Clock enable of every register here.
    i : In(flow(operands_layout))
        Taken in cycles with `en`.
    o : Out(stream(pass_layout))
        Finished passes. One can be taken while `en` is low, and must be before it is high again.
    macs : Out
        Useful multiply-accumulates finished in the cycle before.

    Inside (for proofs)
    -------------------
    beats : Pipeline
        The beats at the operands and at the products.
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
        super().__init__(
            {
                "en": In(1),
                "i": In(flow(operands_layout(config))),
                "o": Out(stream.Signature(pass_layout(config))),
                "macs": Out(range(lanes + 1)),
            }
        )
        a, b = signed(derived.a_width), signed(derived.b_width)
        product = signed(a.width + b.width)
        term = signed(product.width + EXPONENT_STEP * (derived.b_exponents - 1))
        exponent, header = range(derived.b_exponents), derived.header_passes * SHIFT_BITS
        self.beats = Pipeline(beat_layout(config), 2, name="beat")
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
        take_product, passed = self.take_product, self.o.p

        self.beats.follow(m, self.i.valid, self.i.p.beat, en=self.en)
        here, product_beat = self.beats.valid[-1], self.beats.steps[-1]
        with m.If(self.en):
            m.d.sync += [
                passed.beat.eq(product_beat),
                self.o.valid.eq(here & product_beat.last),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        is_header = product_beat.kind == Kind.HEADER
        take_shift = Signal()
        m.d.comb += [
            take_shift.eq(self.en & here & is_header),
            take_product.eq(self.en & here & ~is_header),
        ]
        m.d.sync += self.macs.eq(Mux(take_product, product_beat.macs, 0))
        exponents = self.exponents
        of_products = [
            Signal(range(count), name=f"product_exponent_{slot}") for slot in range(derived.slots)
        ]
        with m.If(self.en):
            m.d.sync += [b.eq(self.i.p.b[slot]) for slot, b in enumerate(self.slot_b)]
            m.d.sync += [each.eq(self.i.p.exponents[slot]) for slot, each in enumerate(exponents)]
            m.d.sync += [later.eq(each) for later, each in zip(of_products, exponents, strict=True)]
        for lane in range(lanes):
            product, term = self.products[lane], self.terms[lane]
            total, header = self.totals[lane], self.headers[lane]
            exponent = of_products[lane // derived.per_slot]
            m.d.comb += term.eq(times_power(product, exponent, count))
            with m.If(self.en):
                m.d.sync += [
                    self.lane_a[lane].eq(self.i.p.a[lane]),
                    product.eq(self.multiplied(lane)),
                ]
            with m.If(take_product):
                m.d.sync += total.eq(Mux(product_beat.first, 0, total) + term)
            with m.If(take_shift):
                m.d.sync += header.eq(product)
            shifts = [header.word_select(n, SHIFT_BITS) for n in range(derived.header_passes)]
            shift = pick(shifts, passed.beat.shift_index)
            m.d.comb += [passed.sums[lane].eq(total), passed.shifts[lane].eq(shift)]
        return m
