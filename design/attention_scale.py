"""The second half of the softmax: attention output = weighted sum / sum of weights."""

import itertools

from amaranth import *
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from design import tables
from design.beat import Sink, beat_layout
from design.config import Config
from design.derived import SCALAR_BITS, SHIFT_BITS, TABLE_FRACTION, derive
from design.interpolate import INTERPOLATE_LATENCY, Interpolator
from design.normalise import exponent_of
from design.ports import trace_layout
from design.requantize import requantize
from design.scalar import SCALAR_LATENCY, ask, client_members
from design.trace import Tensor
from design.tracing import record, slot_head
from design.writeback import result_layout


class AttentionScale(wiring.Component):
    """One reciprocal per slot, and its product with every attention output of that slot.

    A sum of weights is (1 + m) * 2**e. The exponent goes to `Writeback`, which shifts the value
    sum by it; the mantissa's reciprocal multiplies what comes back.

    Latency: `ready` rises ``slots + 7`` cycles after `start`; an output comes 3 cycles after
    its input. Throughput: one output a cycle.

    Members
    -------
    clear : In(1)
        The first weight of a block is summed: `ready` falls. (Not earlier: value sums of the
        block before may be waiting in the drain. All are gone by now, since the scores of this
        block came behind them.)
    clear_index : In(1)
        A new layer begins: attention outputs count from 0 (only for the trace).
    start : In(1)
        The sums of weights are final.
    sums, maxima, block, layer : In
        The sums, and whose they are (maxima and the rest only for the trace).
    ready : Out(1)
        All reciprocals are there.
    shifts : Out(ArrayLayout(SHIFT_BITS, slots))
        Right shift of a value sum, per slot.
    i_valid, i : In
        Results from `Writeback`; those for other sinks are ignored.
    o_valid, o : Out
        Attention outputs, in `schedule.attention_order`.
    requests : Out(ArrayLayout(request, 2))
        For the two scalar multipliers.
    products : In
    trace : Out(ArrayLayout(record, 5))
        RECIPROCAL (2), MAXIMUM, UNSCALED, ATTENTION.
    """

    def __init__(self, config: Config):
        self.config = config
        derived, n, beat = derive(config), config.numerics, beat_layout(config)
        slots = derived.slots
        super().__init__(
            {
                "clear": In(1),
                "clear_index": In(1),
                "start": In(1),
                "sums": In(data.ArrayLayout(unsigned(derived.softmax_sum_width), slots)),
                "maxima": In(data.ArrayLayout(signed(n.score.width), slots)),
                "block": In(beat["block"].shape),
                "layer": In(beat["layer"].shape),
                "ready": Out(1),
                "shifts": Out(data.ArrayLayout(SHIFT_BITS, slots)),
                "i_valid": In(1),
                "i": In(result_layout(config)),
                "o_valid": Out(1),
                "o": Out(signed(n.attention.width)),
                **client_members(),
                "trace": Out(data.ArrayLayout(trace_layout(config), 5)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        mantissas = Signal(
            data.ArrayLayout(unsigned(TABLE_FRACTION + 1), derive(self.config).slots)
        )
        self._find_reciprocals(m, mantissas)
        self._scale(m, mantissas)
        return m

    def _find_reciprocals(self, m: Module, mantissas: data.View) -> None:
        """Slot by slot: sum -> exponent -> mantissa -> table, one slot a cycle."""
        config, derived, n = self.config, derive(self.config), self.config.numerics
        width = derived.softmax_sum_width
        m.submodules.reciprocal = reciprocal = Interpolator(tables.reciprocal(config))

        slot = Signal(range(derived.slots))
        running = Signal()
        with m.If(self.start):
            m.d.sync += [running.eq(1), slot.eq(0)]
        with m.Elif(running):
            m.d.sync += slot.eq(slot + 1)
            with m.If(slot == derived.slots - 1):
                m.d.sync += running.eq(0)

        # One entry per pipeline stage: chosen, exponent known, mantissa known, then the table.
        stages = 3 + INTERPOLATE_LATENCY
        valid = Signal(stages)
        slots = [Signal.like(slot, name=f"slot_{stage}") for stage in range(stages)]
        m.d.sync += [valid.eq(Cat(running, valid)), slots[0].eq(slot)]
        m.d.sync += [later.eq(sooner) for sooner, later in itertools.pairwise(slots)]
        exponents = [Signal(range(width), name=f"exponent_{stage}") for stage in range(1, stages)]
        m.d.sync += [later.eq(sooner) for sooner, later in itertools.pairwise(exponents)]

        chosen = Signal(width)
        kept = Signal(width)
        mantissa = Signal(SCALAR_BITS)
        aligned = Signal(width)  # leading one at the top
        m.d.sync += [
            chosen.eq(self.sums[slot]),
            exponents[0].eq(exponent_of(chosen)),
            kept.eq(chosen),
        ]
        leading_zeros = Signal(range(width))
        m.d.comb += [
            leading_zeros.eq(width - 1 - exponents[0]),
            aligned.eq(kept << leading_zeros),
        ]
        spare = width - 1 - SCALAR_BITS
        below_one = aligned[: width - 1]
        m.d.sync += mantissa.eq(below_one >> spare if spare >= 0 else below_one << -spare)
        m.d.comb += [
            reciprocal.i_valid.eq(valid[2]),
            reciprocal.i.eq(mantissa),
            self.requests[1].eq(reciprocal.request),
            reciprocal.product.eq(self.products[1]),
        ]

        found, found_slot, found_exponent = valid[-1], slots[-1], exponents[-1]
        with m.If(found):
            m.d.sync += [
                mantissas[found_slot].eq(reciprocal.o),
                self.shifts[found_slot].eq(found_exponent + (n.v.f - n.unscaled.f)),
            ]
        with m.If(self.clear):
            m.d.sync += self.ready.eq(0)
        with m.Elif(found & (found_slot == derived.slots - 1)):
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
                value=self.maxima[found_slot],
            ),
        ]

    def _scale(self, m: Module, mantissas: data.View) -> None:
        """Value sum (already shifted) times the slot's reciprocal."""
        n = self.config.numerics
        take = Signal()
        m.d.comb += take.eq(self.i_valid & (self.i.sink == Sink.VALUE))
        with m.If(take):
            m.d.comb += ask(self.requests[0], self.i.value, mantissas[self.i.slot])

        delayed = Signal(SCALAR_LATENCY)
        layer = Signal.like(self.layer)  # one layer's outputs are never mixed with the next's
        index = Signal(range(self.config.shape.dim))
        with m.If(take):
            m.d.sync += layer.eq(self.i.layer)
        m.d.sync += [
            delayed.eq(Cat(take, delayed)),
            self.o_valid.eq(delayed[-1]),
            self.o.eq(
                requantize(
                    self.products[0],
                    TABLE_FRACTION + n.unscaled.f - n.attention.f,
                    n.attention,
                    n.rounding,
                )
            ),
        ]
        taken_index = Signal.like(index)
        with m.If(self.clear_index):
            m.d.sync += [index.eq(0), taken_index.eq(0)]
        with m.Else():
            m.d.sync += [index.eq(index + self.o_valid), taken_index.eq(taken_index + take)]
        m.d.comb += [
            record(
                self.trace[3],
                valid=take,
                tensor=Tensor.UNSCALED,
                layer=self.i.layer,
                index=taken_index,
                value=self.i.value,
            ),
            record(
                self.trace[4],
                valid=self.o_valid,
                tensor=Tensor.ATTENTION,
                layer=layer,
                index=index,
                value=self.o,
            ),
        ]
