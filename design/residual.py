"""The residual stream: read, add, saturate, write, and gather the sum of squares on the way."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from design.beat import Sink, beat_layout, is_op
from design.memories import Purpose, Ram
from design.operand import operand_layout, times_power, to_operand
from design.pipeline import Pipeline, flow
from design.ports import trace_layout
from design.requantize import saturate
from design.scalar import ScalarMultiplier, ask, client_members
from design.tracing import record
from design.writeback import result_layout, sum_bits
from spec.config import Config
from spec.derived import EXPONENT_STEP, SCALAR_BITS, derive, exponents
from spec.schedule import Op
from spec.trace import Tensor


class Residual(wiring.Component):
    """Holds x. Each of its updates (embedding, Wo, W2) writes all `dim` elements in order.

    Latency: an element is written, and out, 1 cycle after it comes (`latency`), and squared
    `ScalarMultiplier.latency` cycles later; `complete` comes 1 cycle after the last square, 4 after
    the last element (`complete_latency`). Throughput: one element a cycle.

    Members
    -------
    coming : In(flow(row))
        What `i` brings in `lead_time` cycles, the next: the old element is read meanwhile.
    i : In(flow(result_layout))
        Results from `Writeback`; those for other sinks are ignored.
    o : Out(flow(operand_layout))
        The new elements as operands of the matrix that reads them.
    complete : Out(1)
        One-cycle pulse: all elements are written and `square_sum` is final.
    square_sum : Out(unsigned)
        Sum of the operands' squares plus epsilon, valid from `complete` until the next update.
    source, layer : Out
        Which projection made this update, in which layer.
    requests, products
        One scalar multiplier, see `client_members`.
    trace : Out(ArrayLayout(record, 1))
        X_EMBED, X_ATT, X_FFN.

    Inside (for proofs)
    -------------------
    memory, new
        x, and the element that is written.
    square, squared
        A square, and, in the last step, whether it is added, and whether it is the first.
    """

    latency = 1
    complete_latency = latency + ScalarMultiplier.latency + 1
    multipliers = (0,)
    #: That `coming` must have: the latency of the memory.
    lead_time = 1

    def __init__(self, config: Config):
        self.config = config
        derived, beat = derive(config), beat_layout(config)
        form = config.numerics.residual
        super().__init__(
            {
                "coming": In(flow(beat["row"].shape)),
                "i": In(flow(result_layout(config, sum_bits(config)))),
                "o": Out(flow(operand_layout(form))),
                "complete": Out(1),
                "square_sum": Out(derived.square_sum_width),
                "source": Out(Sink),
                "layer": Out(beat["layer"].shape),
                **client_members(1),
                "trace": Out(data.ArrayLayout(trace_layout(config), 1)),
            }
        )
        self.memory = Memory(shape=signed(form.width), depth=config.shape.dim, init=[])
        self.new = Signal(signed(form.width))
        self.square = Signal(signed(2 * (SCALAR_BITS + EXPONENT_STEP * (exponents(form) - 1))))
        exponent = operand_layout(form)["exponent"].shape
        self.squared = Pipeline(
            data.StructLayout({"first": 1, "last": 1, "exponent": exponent}),
            ScalarMultiplier.latency,
            name="squared",
        )

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [Ram.of("memory", self.memory, Purpose.ACTIVATION)]

    def elaborate(self, platform):
        m = Module()
        config, derived = self.config, derive(self.config)
        dim, form = config.shape.dim, config.numerics.residual
        new, squared, result, operand = self.new, self.squared, self.i.p, self.o.p
        m.submodules.memory = memory = self.memory
        write = memory.write_port()
        read = memory.read_port(transparent_for=(write,))

        sink = result.sink
        take = Signal()
        m.d.comb += [
            take.eq(
                self.i.valid & (is_op(Op.EMBED, result) | (sink == Sink.WO) | (sink == Sink.W2))
            ),
            read.en.eq(self.coming.valid),
            read.addr.eq(self.coming.p),
        ]

        # The old element is here with what is added to it. One cycle later the new one is written,
        # and its operand on its way to be squared.
        writing = Signal()
        new_row = Signal(range(dim))
        old = Mux(sink == Sink.EMBED, 0, read.data)
        m.d.sync += writing.eq(take)
        with m.If(take):
            m.d.sync += [
                new.eq(saturate(old + result.value, form)),
                new_row.eq(result.row),
                self.source.eq(sink),
                self.layer.eq(result.layer),
            ]
        m.d.comb += [
            write.en.eq(writing),
            write.addr.eq(new_row),
            write.data.eq(new),
            self.o.valid.eq(writing),
            operand.eq(to_operand(new, form, config.numerics.rounding)),
        ]
        with m.If(writing):
            m.d.comb += ask(self.requests[0], operand.mantissa, operand.mantissa)

        squared.follow(m, writing, Cat(new_row == 0, new_row == dim - 1, operand.exponent))
        there, asked = squared.valid[-1], squared.steps[-1]
        m.d.sync += self.complete.eq(there & asked.last)
        # The multiplier squares the mantissa; the exponent counts twice.
        count, square = exponents(form), self.square
        moved = times_power(self.products[0], asked.exponent, count, 2 * EXPONENT_STEP)
        m.d.comb += square.eq(moved)
        with m.If(there):
            before = Mux(asked.first, derived.epsilon, self.square_sum)
            m.d.sync += self.square_sum.eq(before + square)

        tensors = {Sink.EMBED: Tensor.X_EMBED, Sink.WO: Tensor.X_ATT, Sink.W2: Tensor.X_FFN}
        for each, tensor in tensors.items():
            with m.If(self.source == each):
                m.d.comb += record(
                    self.trace[0],
                    valid=writing,
                    tensor=tensor,
                    layer=self.layer,
                    index=new_row,
                    value=new,
                )
        return m
