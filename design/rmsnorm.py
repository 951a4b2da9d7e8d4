"""RMSNorm: one factor, sqrt(dim) / sqrt(sum of squares + epsilon), for the rows behind it.

The matrix that follows multiplies the residual itself, so that it need not wait for the norm; the
factor multiplies its sums. The gain of the norm is folded into the matrix.
"""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from design.beat import Sink, beat_layout
from design.drain import Drain
from design.interpolate import Interpolator
from design.memories import Ram
from design.normalise import exponent_of
from design.ports import trace_layout
from design.scalar import client_members
from design.tracing import record
from design.writeback import Writeback
from spec import tables
from spec.config import Config
from spec.derived import SCALAR_BITS, TABLE_FRACTION, derive
from spec.trace import Tensor


class RmsNorm(wiring.Component):
    """Starts by itself when the residual is complete.

    The sum of squares is m * 4**e with m in [1, 4); a table gives 1 / sqrt(m). `Writeback` shifts
    each sum by e and multiplies it by the table's value.

    Latency: `exponent` comes 1 cycle after `start` (`exponent_latency`), `factor` 4 (`latency`:
    ``exponent_latency + Interpolator.latency``), `done` 1 later. `ready` comes as soon as a row
    that then leaves the drain finds both: it takes the exponent at once, and the factor
    `Writeback.latency` cycles later. That is after 1 cycle (`ready_latency`).

    Members
    -------
    clear : In(1)
        The residual changes: `ready` falls.
    start : In(1)
        The residual is complete.
    square_sum, source, layer : In
        Its sum of squares plus epsilon; which projection made it, in which layer.
    ready : Out(1)
        `exponent` is that of the residual, and `factor` will be, in time.
    factor : Out(TABLE_FRACTION + 1)
        Above 1/4 and at most 1, in units of 2**-TABLE_FRACTION.
    exponent : Out
        e less the smallest there is (`Derived.norm_floor`).
    done : Out(1)
        One-cycle pulse: `factor` is that of the residual from the cycle before on, and traced.
    final : Out(1)
        With `done`: the residual is that behind the last layer.
    requests, products
        One scalar multiplier, see `client_members`.
    trace : Out(ArrayLayout(record, 2))
        The two halves of RSQRT_*.

    Inside (for proofs)
    -------------------
    rsqrt : Interpolator
    e
    """

    multipliers = (1,)
    exponent_latency = 1
    latency = exponent_latency + Interpolator.latency
    ready_latency = max(exponent_latency, latency - Drain.decision_latency - Writeback.latency)

    def __init__(self, config: Config):
        self.config = config
        derived = derive(config)
        super().__init__(
            {
                "clear": In(1),
                "start": In(1),
                "square_sum": In(derived.square_sum_width),
                "source": In(Sink),
                "layer": In(beat_layout(config)["layer"].shape),
                "ready": Out(1),
                "factor": Out(TABLE_FRACTION + 1),
                "exponent": Out(range(derived.square_sum_width // 2 - derived.norm_floor)),
                "done": Out(1),
                "final": Out(1),
                **client_members(1),
                "trace": Out(data.ArrayLayout(trace_layout(config), 2)),
            }
        )
        self.rsqrt = Interpolator(tables.rsqrt(config))
        self.e = Signal(range(derived.square_sum_width // 2))

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [ram.below("rsqrt") for ram in self.rsqrt.rams]

    def elaborate(self, platform):
        m = Module()
        derived, e = derive(self.config), self.e
        m.submodules.rsqrt = interpolator = self.rsqrt
        m.d.comb += [
            self.requests[0].eq(interpolator.request),
            interpolator.product.eq(self.products[0]),
        ]

        # square_sum -> e -> m -> table. Bit n is high n + 1 cycles after `start`.
        steps = Signal(self.latency)
        m.d.sync += steps.eq(Cat(self.start, steps))
        width = derived.square_sum_width  # even, so that pairs of bits align
        aligned = Signal(width)
        mantissa = Signal(SCALAR_BITS)
        spare = width - SCALAR_BITS
        leading_pairs = Signal(range(width // 2))
        m.d.comb += [
            leading_pairs.eq(width // 2 - 1 - e),
            aligned.eq(self.square_sum << (leading_pairs << 1)),
            mantissa.eq(aligned >> spare if spare >= 0 else aligned << -spare),
            interpolator.i.valid.eq(steps[self.exponent_latency - 1]),
            interpolator.i.p.eq(mantissa),
            self.exponent.eq(e - derived.norm_floor),
        ]
        with m.If(self.start):
            m.d.sync += e.eq(exponent_of(self.square_sum) >> 1)
        factor = Signal.like(self.factor)
        m.d.sync += factor.eq(self.factor)
        m.d.comb += self.factor.eq(Mux(steps[-1], interpolator.o, factor))
        with m.If(self.clear):
            m.d.sync += self.ready.eq(0)
        with m.Elif(Cat(self.start, steps)[self.ready_latency - 1]):
            m.d.sync += self.ready.eq(1)

        last_layer = self.layer == self.config.shape.layers - 1
        m.d.comb += self.final.eq((self.source == Sink.W2) & last_layer)
        m.d.sync += self.done.eq(steps[-1])
        self._trace(m, e)
        return m

    def _trace(self, m: Module, e: Value) -> None:
        tensor, layer = Signal(5), Signal.like(self.layer)
        with m.If(self.source == Sink.EMBED):
            m.d.comb += tensor.eq(Tensor.RSQRT_ATT.value)
        with m.Elif(self.source == Sink.WO):
            m.d.comb += [tensor.eq(Tensor.RSQRT_FFN.value), layer.eq(self.layer)]
        with m.Elif(self.final):
            m.d.comb += tensor.eq(Tensor.RSQRT_FINAL.value)
        with m.Else():
            m.d.comb += [tensor.eq(Tensor.RSQRT_ATT.value), layer.eq(self.layer + 1)]
        for half, value in enumerate((self.factor, e)):
            m.d.comb += record(
                self.trace[half],
                valid=self.done,
                tensor=tensor,
                layer=layer,
                index=half,
                value=value,
            )
