"""The second half of the softmax: the reciprocals of the sums of weights."""

import itertools

from amaranth import *
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from design.arith import pick
from design.beat import beat_layout
from design.drain import Drain
from design.interpolate import Interpolator
from design.normalise import exponent_of
from design.ports import trace_layout
from design.scalar import client_members
from design.tracing import record, slot_head
from design.writeback import Writeback
from spec import tables
from spec.config import Config
from spec.derived import SCALAR_BITS, TABLE_FRACTION, derive
from spec.trace import Tensor


class Reciprocals(wiring.Component):
    """Finds one reciprocal per slot, one a cycle.

    A sum of weights is (1 + m) * 2**e. `Writeback` shifts a value sum by e, and multiplies it by
    the reciprocal of 1 + m.

    Latency: the first factor is there ``2 + Interpolator.latency`` = 5 cycles after `start`
    (`latency`), its shift after 3 (`shift_latency`), since `Writeback` takes a factor
    `Writeback.latency` cycles after the shift. Those of the other slots follow, one a cycle. With
    three scalar multipliers `ready` rises in time for the first, after 2 cycles (`ready_latency`):
    value sums leave the drain slot by slot, and not faster than the others come. A single one would
    be asked for both; then it waits for the last.

    Members
    -------
    clear : In(1)
        The first weight of a block is summed: `ready` falls. (Not earlier: value sums of the
        block before may be waiting in the drain. All are gone by now, since the scores of this
        block came behind them.)
    start : In(1)
        The sums of weights are final.
    sums, maxima, block, layer : In
        The sums, and whose they are (maxima and the rest only for the trace).
    ready : Out(1)
        Value sums may leave the drain in `Drain.decision_latency` cycles and from then on.
    shifts : Out(ArrayLayout(shift_width, slots))
        Right shift of a value sum, per slot.
    factors : Out(ArrayLayout(TABLE_FRACTION + 1, slots))
        Reciprocal of 1 + m, in units of 2**-TABLE_FRACTION.
    requests, products
        One scalar multiplier, see `client_members`.
    trace : Out(ArrayLayout(record, 3))
        RECIPROCAL (2), MAXIMUM.

    Inside (for proofs)
    -------------------
    reciprocal : Interpolator
    running, slot
        A sum is taken in this cycle, and which.
    valid, slots, exponents
        Of each stage of the pipeline behind it: whether there is a sum (a bit), which, and its e.
    """

    #: Exponent, table and product, the register of the slot.
    latency = 1 + Interpolator.latency + 1
    #: Not before it is known: exponent, the register of the slot.
    shift_latency = max(2, latency - Writeback.latency)
    ready_latency = max(shift_latency, latency - Writeback.latency) - Drain.decision_latency

    def __init__(self, config: Config):
        self.config = config
        derived, n, beat = derive(config), config.numerics, beat_layout(config)
        slots = derived.slots
        super().__init__(
            {
                "clear": In(1),
                "start": In(1),
                "sums": In(data.ArrayLayout(unsigned(derived.softmax_sum_width), slots)),
                "maxima": In(data.ArrayLayout(signed(n.score.width), slots)),
                "block": In(beat["block"].shape),
                "layer": In(beat["layer"].shape),
                "ready": Out(1),
                "shifts": Out(data.ArrayLayout(derived.shift_width, slots)),
                "factors": Out(data.ArrayLayout(TABLE_FRACTION + 1, slots)),
                **client_members(1),
                "trace": Out(data.ArrayLayout(trace_layout(config), 3)),
            }
        )
        self.reciprocal = Interpolator(tables.reciprocal(config))
        self.slot = Signal(range(slots))  # 0 while idle
        self.running = Signal()
        # One entry per pipeline stage: exponent known, then the table.
        stages, exponent = self.latency - 1, range(derived.softmax_sum_width)
        self.valid = Signal(stages)
        self.slots = [Signal.like(self.slot, name=f"slot_{stage}") for stage in range(stages)]
        self.exponents = [Signal(exponent, name=f"exponent_{stage}") for stage in range(stages)]

    def elaborate(self, platform):
        m = Module()
        config, derived, n = self.config, derive(self.config), self.config.numerics
        width = derived.softmax_sum_width
        m.submodules.reciprocal = reciprocal = self.reciprocal
        slot, running = self.slot, self.running
        valid, slots, exponents = self.valid, self.slots, self.exponents

        is_last = slot == derived.slots - 1
        m.d.comb += running.eq(self.start | (slot != 0))
        with m.If(running):
            m.d.sync += slot.eq(Mux(is_last, 0, slot + 1))

        m.d.sync += [valid.eq(Cat(running, valid)), slots[0].eq(slot)]
        for pipeline in (slots, exponents):
            m.d.sync += [later.eq(sooner) for sooner, later in itertools.pairwise(pipeline)]

        chosen = Signal(width)
        kept = Signal(width)
        mantissa = Signal(SCALAR_BITS)
        aligned = Signal(width)  # leading one at the top
        m.d.comb += chosen.eq(pick(self.sums, slot))
        with m.If(running):
            m.d.sync += [exponents[0].eq(exponent_of(chosen)), kept.eq(chosen)]
        leading_zeros = Signal(range(width))
        m.d.comb += [
            leading_zeros.eq(width - 1 - exponents[0]),
            aligned.eq(kept << leading_zeros),
        ]
        spare = width - 1 - SCALAR_BITS
        below_one = aligned[: width - 1]
        m.d.comb += mantissa.eq(below_one >> spare if spare >= 0 else below_one << -spare)
        m.d.comb += [
            reciprocal.i_valid.eq(valid[0]),
            reciprocal.i.eq(mantissa),
            self.requests[0].eq(reciprocal.request),
            reciprocal.product.eq(self.products[0]),
        ]

        found, found_slot, found_exponent = valid[-1], slots[-1], exponents[-1]
        known, ready = self.shift_latency - 2, self.ready_latency - 1
        rebase = n.v.f - n.attention.f + derived.lead
        for number in range(derived.slots):
            with m.If(found & (found_slot == number)):
                m.d.sync += self.factors[number].eq(reciprocal.o)
            with m.If(valid[known] & (slots[known] == number)):
                m.d.sync += self.shifts[number].eq(exponents[known] + rebase)
        enough = 0 if derived.scalar_multipliers > 1 else derived.slots - 1
        with m.If(self.clear):
            m.d.sync += self.ready.eq(0)
        with m.Elif(Cat(running, valid)[ready] & ([slot, *slots][ready] == enough)):
            m.d.sync += self.ready.eq(1)

        seen = slot_head(config, self.block, found_slot)
        shown = {"valid": found & seen.exists, "layer": self.layer}
        m.d.comb += [
            record(
                self.trace[0],
                **shown,
                tensor=Tensor.RECIPROCAL,
                index=Cat(C(0, 1), seen.head),
                value=reciprocal.o,
            ),
            record(
                self.trace[1],
                **shown,
                tensor=Tensor.RECIPROCAL,
                index=Cat(C(1, 1), seen.head),
                value=found_exponent,
            ),
            record(
                self.trace[2],
                **shown,
                tensor=Tensor.MAXIMUM,
                index=seen.head,
                value=pick(self.maxima, found_slot),
            ),
        ]
        return m
