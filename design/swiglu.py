"""SwiGLU: gate * sigmoid(gate) * up, pair by pair."""

import itertools

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from design.beat import Sink
from design.interpolate import Interpolator
from design.memories import Purpose, Ram
from design.operand import operand_layout, to_operand
from design.pipeline import Pipeline, flow
from design.ports import trace_layout
from design.requantize import requantize
from design.scalar import ScalarMultiplier, ask, client_members, request_layout
from design.tracing import record
from design.writeback import Writeback, result_layout
from spec import tables
from spec.config import Config
from spec.derived import TABLE_FRACTION, ceil_div, derive
from spec.trace import Tensor


def asks_up(turn: int) -> int:
    """Cycles from a gate to the request for silu * up: once the silu is there, and in a phase in
    which nobody else asks the multiplier."""
    period = 2 * turn
    others = [SwiGlu.asks_slope]
    if turn > 1:  # one multiplier serves all
        asks = Writeback.latency - Writeback.scaled_latency
        others += [SwiGlu.sigmoid_latency, asks, asks + turn]
    phases = {cycle % period for cycle in others}
    assert len(phases) == len(others), f"two products are asked for at once: cycles {others}"
    return next(n for n in itertools.count(SwiGlu.silu_latency) if n % period not in phases)


def waiting_ups(config: Config) -> int:
    """Ups that can be waiting for their silus, of which one comes every other cycle at most."""
    return ceil_div(asks_up(derive(config).turn) - 1, 2)


class SwiGlu(wiring.Component):
    """Gates come every ``2 * turn`` cycles at most, each followed by its up `turn` cycles later.

    With the gate in cycle 0, port 0 takes the slope of the sigmoid in cycle 1 (`asks_slope`), port
    1 gate * sigmoid in cycle 4 (`sigmoid_latency`), port 0 silu * up in cycle 8 (`asks_up`). These
    differ from each other, and from the cycles 3 and 6 in which `Writeback` asks (by its own port,
    for the up and the next gate, when `turn` is 3), modulo the ``2 * turn`` cycles of a pair. (On
    one lane every element is a pass of its own and an up can be late; silu * up then waits for the
    same phase of a later pair.)

    Latency: ``asks_up + lead_time`` = 11 cycles from a gate to its output (`latency`), with
    ``ScalarMultiplier.latency + 1`` = 3 cycles of lead time; 7 to its silu (`silu_latency`).
    Throughput: a pair every ``2 * turn`` cycles.

    Members
    -------
    i : In(flow(result_layout))
        Scaled results from `Writeback`; those for other sinks are ignored.
    phase : In(range(2 * turn))
        Of the drain: even rows left it when it was 0.
    coming : Out(1)
        An element will be out in `lead_time` cycles.
    o : Out(flow(operand_layout))
        Elements of the hidden vector as operands of W2, in order.
    requests, products
        Two scalar multipliers, see `client_members`.
    fault : Out(1)
        An up finds no room, or a silu comes before the last one met its up.
    trace : Out(ArrayLayout(record, 3))
        SIGMOID, SILU, FFN.

    Inside (for proofs)
    -------------------
    ups : SyncFIFO
    sigmoid : Interpolator
    gates : Pipeline
    sigmoid_value
        The sigmoid of the last gate there.
    silu_coming, silu_here, silu
        Bit n: a silu was asked for n + 1 cycles ago. One waits for its up, or is multiplied.
    multiply, ffn
        It is, and the element that came of it.
    """

    multipliers = (1, 2)
    asks_slope = Interpolator.asks_after
    #: Behind the interpolation a register.
    sigmoid_latency = Interpolator.latency + 1
    #: Behind the product a register, as behind the next.
    silu_latency = sigmoid_latency + ScalarMultiplier.latency + 1
    lead_time = ScalarMultiplier.latency + 1

    def __init__(self, config: Config):
        self.config = config
        turn = derive(config).turn
        self.asks_up = asks_up(turn)
        self.latency = self.asks_up + self.lead_time
        # Of the drain, in which silu * up is asked for; a gate left it in phase 0.
        self.product_phase = (Writeback.scaled_latency + self.asks_up) % (2 * turn)
        super().__init__(
            {
                "i": In(flow(result_layout(config))),
                "phase": In(range(2 * derive(config).turn)),
                "coming": Out(1),
                "o": Out(flow(operand_layout(config.numerics.ffn))),
                **client_members(2),
                "fault": Out(1),
                "trace": Out(data.ArrayLayout(trace_layout(config), 3)),
            }
        )
        n = config.numerics
        self.ups = SyncFIFO(width=n.up.width, depth=waiting_ups(config))
        self.sigmoid = Interpolator(tables.sigmoid(config))
        self.gates = Pipeline(signed(n.gate.width), self.sigmoid_latency, name="gate")
        self.sigmoid_value = Signal.like(self.sigmoid.o)
        self.silu_coming = Signal(ScalarMultiplier.latency)
        self.silu_here = Signal()
        self.silu = Signal(signed(n.silu.width))
        self.multiply = Signal()
        self.ffn = Signal(signed(n.ffn.width))

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        queue = Ram.of_queue("ups", self.ups, Purpose.ACTIVATION)
        return [queue, *(ram.below("sigmoid") for ram in self.sigmoid.rams)]

    def elaborate(self, platform):
        m = Module()
        n = self.config.numerics
        ups, sigmoid = self.ups, self.sigmoid
        gates, sigmoid_value = self.gates, self.sigmoid_value
        silu_coming, silu_here, silu = self.silu_coming, self.silu_here, self.silu
        multiply, ffn = self.multiply, self.ffn
        take_gate, take_up = Signal(), Signal()
        result = self.i.p
        is_w13 = self.i.valid & (result.sink == Sink.W13)
        m.d.comb += [take_gate.eq(is_w13 & ~result.row[0]), take_up.eq(is_w13 & result.row[0])]

        m.submodules.ups = ups
        m.d.comb += [ups.w_en.eq(take_up), ups.w_data.eq(result.value)]

        m.submodules.sigmoid = sigmoid
        silu_up = Signal(request_layout)
        m.d.comb += [
            sigmoid.i.valid.eq(take_gate),
            sigmoid.i.p.eq(result.value - n.gate.min),
            sigmoid.product.eq(self.products[0]),
            self.requests[0].eq(sigmoid.request.as_value() | silu_up.as_value()),
        ]

        # gate * sigmoid, one cycle after the sigmoid is there.
        gates.follow(m, take_gate, result.value)
        with m.If(gates.valid[Interpolator.latency - 1]):
            m.d.sync += sigmoid_value.eq(sigmoid.o)
        with m.If(gates.valid[-1]):
            m.d.comb += ask(self.requests[1], gates.steps[-1], sigmoid_value)

        # silu * up, once both are there, in the phase that gates and ups leave to it.
        m.d.comb += [
            multiply.eq(silu_here & ups.r_rdy & (self.phase == self.product_phase)),
            self.coming.eq(multiply),
            ups.r_en.eq(multiply),
            self.fault.eq((take_up & ~ups.w_rdy) | (silu_coming[-1] & silu_here & ~multiply)),
        ]
        m.d.sync += silu_coming.eq(Cat(gates.valid[-1], silu_coming))
        with m.If(silu_coming[-1]):
            silu_shift = TABLE_FRACTION + n.gate.f - n.silu.f
            m.d.sync += [
                silu_here.eq(1),
                silu.eq(requantize(self.products[1], silu_shift, n.silu, n.rounding)),
            ]
        with m.Elif(multiply):
            m.d.sync += silu_here.eq(0)
        with m.If(multiply):
            m.d.comb += ask(silu_up, silu, ups.r_data.as_signed())

        coming = Signal(ScalarMultiplier.latency)
        m.d.sync += [
            coming.eq(Cat(multiply, coming)),
            self.o.valid.eq(coming[-1]),
        ]
        ffn_shift = n.silu.f + n.up.f - n.ffn.f
        with m.If(coming[-1]):
            m.d.sync += ffn.eq(requantize(self.products[0], ffn_shift, n.ffn, n.rounding))
        m.d.comb += self.o.p.eq(to_operand(ffn, n.ffn, n.rounding))
        self._trace(m, gates.valid[-1], sigmoid_value, silu_coming[-1], silu, ffn)
        return m

    def _trace(
        self,
        m: Module,
        sigmoid_valid: Value,
        sigmoid: Value,
        silu_valid: Value,
        silu: Value,
        ffn: Value,
    ) -> None:
        silu_written = Signal()
        m.d.sync += silu_written.eq(silu_valid)
        result = self.i.p
        layer = Signal.like(result.layer)
        first = self.i.valid & (result.sink == Sink.W13) & (result.row == 0)
        with m.If(first):
            m.d.sync += layer.eq(result.layer)
        outputs = (
            (Tensor.SIGMOID, sigmoid_valid, sigmoid),
            (Tensor.SILU, silu_written, silu),
            (Tensor.FFN, self.o.valid, ffn),
        )
        for target, (tensor, valid, value) in zip(self.trace, outputs, strict=True):
            index = Signal(range(self.config.shape.hidden), name=f"index_{tensor.name.lower()}")
            with m.If(first):
                m.d.sync += index.eq(0)
            with m.Elif(valid):
                m.d.sync += index.eq(index + 1)
            m.d.comb += record(
                target, valid=valid, tensor=tensor, layer=layer, index=index, value=value
            )
