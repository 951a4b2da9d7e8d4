"""The second half of the softmax: the reciprocals of the sums of weights."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from design.arith import pick
from design.drain import Drain
from design.interpolate import Interpolator
from design.memories import Ram
from design.normalise import exponent_of
from design.pipeline import Pipeline
from design.ports import trace_layout
from design.scalar import client_members
from design.softmax import totals_signature
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

    Latency: the first factor is there ``2 + Interpolator.latency`` = 5 cycles after the totals are
    complete (`latency`), its shift after 3 (`shift_latency`), since `Writeback` takes a factor
    `Writeback.latency` cycles after the shift. Those of the other slots follow, one a cycle. With
    three scalar multipliers `ready` rises in time for the first, after 2 cycles (`ready_latency`):
    value sums leave the drain slot by slot, and not faster than the others come. A single one would
    be asked for both; then it waits for the last.

    Members
    -------
    totals : In(softmax.totals_signature)
        What this starts from, when it is complete; all but the sums only for the trace.
    ready : Out(1)
        Value sums may leave the drain in `Drain.decision_latency` cycles and from then on. Falls
        with the first weight of a block. (Not earlier: value sums of the block before may be
        waiting in the drain. All are gone by now, since the scores of this block came behind them.)
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
    taken : Pipeline
        Of the sums that were: the slot, and e.
    """

    multipliers = (1,)
    #: Exponent, table and product, the register of the slot.
    latency = 1 + Interpolator.latency + 1
    #: Not before it is known: exponent, the register of the slot.
    shift_latency = max(2, latency - Writeback.latency)
    ready_latency = max(shift_latency, latency - Writeback.latency) - Drain.decision_latency

    def __init__(self, config: Config):
        self.config = config
        derived, slots = derive(config), derive(config).slots
        super().__init__(
            {
                "totals": In(totals_signature(config)),
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
        exponent = range(derived.softmax_sum_width)
        taken = data.StructLayout({"slot": self.slot.shape(), "exponent": exponent})
        self.taken = Pipeline(taken, self.latency - 1, name="taken")

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [ram.below("reciprocal") for ram in self.reciprocal.rams]

    def elaborate(self, platform):
        m = Module()
        config, derived, n = self.config, derive(self.config), self.config.numerics
        width = derived.softmax_sum_width
        m.submodules.reciprocal = reciprocal = self.reciprocal
        slot, running, totals = self.slot, self.running, self.totals
        valid, taken = self.taken.valid, self.taken.steps

        is_last = slot == derived.slots - 1
        m.d.comb += running.eq(totals.complete | (slot != 0))
        with m.If(running):
            m.d.sync += slot.eq(Mux(is_last, 0, slot + 1))

        chosen = Signal(width)
        kept = Signal(width)
        mantissa = Signal(SCALAR_BITS)
        aligned = Signal(width)  # leading one at the top
        m.d.comb += chosen.eq(pick(totals.sums, slot))
        self.taken.follow(m, running, Cat(slot, exponent_of(chosen)))
        with m.If(running):
            m.d.sync += kept.eq(chosen)
        leading_zeros = Signal(range(width))
        m.d.comb += [
            leading_zeros.eq(width - 1 - taken[0].exponent),
            aligned.eq(kept << leading_zeros),
        ]
        spare = width - 1 - SCALAR_BITS
        below_one = aligned[: width - 1]
        m.d.comb += mantissa.eq(below_one >> spare if spare >= 0 else below_one << -spare)
        m.d.comb += [
            reciprocal.i.valid.eq(valid[0]),
            reciprocal.i.p.eq(mantissa),
            self.requests[0].eq(reciprocal.request),
            reciprocal.product.eq(self.products[0]),
        ]

        found, found_slot, found_exponent = valid[-1], taken[-1].slot, taken[-1].exponent
        known, ready = self.shift_latency - 2, self.ready_latency - 1
        rebase = n.v.f - n.attention.f + derived.lead
        for number in range(derived.slots):
            with m.If(found & (found_slot == number)):
                m.d.sync += self.factors[number].eq(reciprocal.o)
            with m.If(valid[known] & (taken[known].slot == number)):
                m.d.sync += self.shifts[number].eq(taken[known].exponent + rebase)
        slots = [slot, *(each.slot for each in taken)]
        enough = 0 if derived.scalar_multipliers > 1 else derived.slots - 1
        with m.If(totals.first):
            m.d.sync += self.ready.eq(0)
        with m.Elif(Cat(running, valid)[ready] & (slots[ready] == enough)):
            m.d.sync += self.ready.eq(1)

        seen = slot_head(config, totals.block, found_slot)
        shown = {"valid": found & seen.exists, "layer": totals.layer}
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
                value=pick(totals.maxima, found_slot),
            ),
        ]
        return m
