"""RMSNorm: x * sqrt(dim) / sqrt(sum of squares + epsilon). The gain is folded into the weights."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from design import tables
from design.beat import Sink, beat_layout
from design.config import Config
from design.derived import SCALAR_BITS, SHIFT_BITS, TABLE_FRACTION, derive
from design.interpolate import Interpolator
from design.normalise import exponent_of
from design.ports import trace_layout
from design.requantize import requantize
from design.scalar import SCALAR_LATENCY, ask, client_members
from design.trace import Tensor
from design.tracing import record


class RmsNorm(wiring.Component):
    """Starts by itself when the residual is complete, and normalises it element by element.

    The sum of squares is m * 4**e with m in [1, 4); a table gives 1 / sqrt(m), and every element
    is multiplied by it and shifted by e. Elements leave in order, one a cycle.

    Latency: the first element comes 11 cycles after `start`, the last ``dim + 10``.

    Members
    -------
    start : In(1)
        The residual is complete.
    square_sum, source, layer : In
        Its sum of squares plus epsilon; which projection made it, in which layer.
    rd_en, rd_index, rd_data : Out, Out, In
        Read port of the residual.
    o_valid, o : Out
        Normed elements.
    requests : Out(ArrayLayout(request, 2))
        For the two scalar multipliers.
    products : In
    trace : Out(ArrayLayout(record, 3))
        XN_* and the two halves of RSQRT_*.
    """

    def __init__(self, config: Config):
        self.config = config
        derived, n = derive(config), config.numerics
        super().__init__(
            {
                "start": In(1),
                "square_sum": In(derived.square_sum_width),
                "source": In(Sink),
                "layer": In(beat_layout(config)["layer"].shape),
                "rd_en": Out(1),
                "rd_index": Out(range(config.shape.dim)),
                "rd_data": In(signed(n.residual.width)),
                "o_valid": Out(1),
                "o": Out(signed(n.normed.width)),
                **client_members(),
                "trace": Out(data.ArrayLayout(trace_layout(config), 3)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, derived, n = self.config, derive(self.config), self.config.numerics
        rsqrt = tables.rsqrt(config)
        m.submodules.rsqrt = interpolator = Interpolator(rsqrt.table)
        m.d.comb += [
            self.requests[1].eq(interpolator.request),
            interpolator.product.eq(self.products[1]),
        ]

        # square_sum -> e -> m -> table, once per norm.
        width = derived.square_sum_width  # even, so that pairs of bits align
        e = Signal(range(width // 2))
        aligned = Signal(width)
        mantissa_in = Signal(SCALAR_BITS)
        factor = Signal(TABLE_FRACTION + 1)
        index = Signal(range(config.shape.dim))
        spare = width - SCALAR_BITS
        leading_pairs = Signal(range(width // 2))
        m.d.comb += [
            leading_pairs.eq(width // 2 - 1 - e),
            aligned.eq(self.square_sum << (leading_pairs << 1)),
        ]
        with m.FSM() as fsm:
            with m.State("Idle"):
                with m.If(self.start):
                    m.next = "Exponent"
            with m.State("Exponent"):
                m.d.sync += e.eq(exponent_of(self.square_sum) >> 1)
                m.next = "Mantissa"
            with m.State("Mantissa"):
                m.d.sync += mantissa_in.eq(aligned >> spare if spare >= 0 else aligned << -spare)
                m.next = "Table"
            with m.State("Table"):
                m.d.comb += [interpolator.i_valid.eq(1), interpolator.i.eq(mantissa_in)]
                m.next = "Slope"
            with m.State("Slope"):
                m.next = "Product"
            with m.State("Product"):
                m.next = "Factor"
            with m.State("Factor"):
                m.d.sync += [factor.eq(interpolator.o), index.eq(0)]
                m.next = "Elements"
            with m.State("Elements"):
                m.d.comb += self.rd_en.eq(1)
                m.d.sync += index.eq(index + 1)
                with m.If(index == config.shape.dim - 1):
                    m.next = "Idle"
        m.d.comb += self.rd_index.eq(index)

        read = Signal()
        delayed = Signal(SCALAR_LATENCY)
        shift = Signal(SHIFT_BITS)
        m.d.sync += read.eq(self.rd_en)
        with m.If(read):
            m.d.comb += ask(self.requests[0], self.rd_data, factor)
        m.d.comb += shift.eq(e + (TABLE_FRACTION - rsqrt.growth - n.normed.f))
        m.d.sync += [
            delayed.eq(Cat(read, delayed)),
            self.o_valid.eq(delayed[-1]),
            self.o.eq(requantize(self.products[0], shift, n.normed, n.rounding)),
        ]

        self._trace(m, factor_is_new=fsm.ongoing("Elements") & (index == 0), factor=factor, e=e)
        return m

    def _trace(self, m: Module, *, factor_is_new: Value, factor: Value, e: Value) -> None:
        last_layer = self.layer == self.config.shape.layers - 1
        xn, rsqrt, layer = Signal(5), Signal(5), Signal.like(self.layer)
        with m.If(self.source == Sink.EMBED):
            m.d.comb += [xn.eq(Tensor.XN_ATT.value), rsqrt.eq(Tensor.RSQRT_ATT.value)]
        with m.Elif(self.source == Sink.WO):
            m.d.comb += [
                xn.eq(Tensor.XN_FFN.value),
                rsqrt.eq(Tensor.RSQRT_FFN.value),
                layer.eq(self.layer),
            ]
        with m.Elif(last_layer):
            m.d.comb += [xn.eq(Tensor.XN_FINAL.value), rsqrt.eq(Tensor.RSQRT_FINAL.value)]
        with m.Else():
            m.d.comb += [
                xn.eq(Tensor.XN_ATT.value),
                rsqrt.eq(Tensor.RSQRT_ATT.value),
                layer.eq(self.layer + 1),
            ]
        out_index = Signal(range(self.config.shape.dim))
        with m.If(self.start):
            m.d.sync += out_index.eq(0)
        with m.Elif(self.o_valid):
            m.d.sync += out_index.eq(out_index + 1)
        m.d.comb += record(
            self.trace[0], valid=self.o_valid, tensor=xn, layer=layer, index=out_index, value=self.o
        )
        for half, value in enumerate((factor, e)):
            m.d.comb += record(
                self.trace[1 + half],
                valid=factor_is_new,
                tensor=rsqrt,
                layer=layer,
                index=half,
                value=value,
            )
