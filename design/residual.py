"""The residual stream: read, add, saturate, write, and gather the sum of squares on the way."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from design.beat import Sink, beat_layout, is_op
from design.operand import operand_layout, times_power, to_operand
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
    coming, coming_row : In
        What `i` brings in `lead_time` cycles, the next: the old element is read meanwhile.
    i_valid, i : In
        Results from `Writeback`; those for other sinks are ignored.
    o_valid, o : Out
        The new elements as operands of the matrix that reads them, see `operand_layout`.
    complete : Out(1)
        One-cycle pulse: all elements are written and `square_sum` is final.
    square_sum : Out(unsigned)
        Sum of the operands' squares plus epsilon, valid from `complete` until the next update.
    source, layer : Out
        Which projection made this update, in which layer.
    requests, products
        One scalar multiplier, see `client_members`.
    trace : Out
        X_EMBED, X_ATT, X_FFN.

    Inside (for proofs)
    -------------------
    memory, new
        x, and the element that is written.
    square, squared, squared_first
        A square, and, in the last bit of each, whether it is added and whether it is the first.
    """

    latency = 1
    complete_latency = latency + ScalarMultiplier.latency + 1
    #: That `coming` must have: the latency of the memory.
    lead_time = 1

    def __init__(self, config: Config):
        self.config = config
        derived, beat = derive(config), beat_layout(config)
        form = config.numerics.residual
        super().__init__(
            {
                "coming": In(1),
                "coming_row": In(beat["row"].shape),
                "i_valid": In(1),
                "i": In(result_layout(config, sum_bits(config))),
                "o_valid": Out(1),
                "o": Out(operand_layout(form)),
                "complete": Out(1),
                "square_sum": Out(derived.square_sum_width),
                "source": Out(Sink),
                "layer": Out(beat["layer"].shape),
                **client_members(1),
                "trace": Out(trace_layout(config)),
            }
        )
        self.memory = Memory(shape=signed(form.width), depth=config.shape.dim, init=[])
        self.new = Signal(signed(form.width))
        self.square = Signal(signed(2 * (SCALAR_BITS + EXPONENT_STEP * (exponents(form) - 1))))
        self.squared = Signal(ScalarMultiplier.latency)
        self.squared_first = Signal(ScalarMultiplier.latency)

    def elaborate(self, platform):
        m = Module()
        config, derived = self.config, derive(self.config)
        dim, form = config.shape.dim, config.numerics.residual
        new, squared, squared_first = self.new, self.squared, self.squared_first
        m.submodules.memory = memory = self.memory
        write = memory.write_port()
        read = memory.read_port(transparent_for=(write,))

        sink = self.i.sink
        take = Signal()
        m.d.comb += [
            take.eq(
                self.i_valid & (is_op(Op.EMBED, self.i) | (sink == Sink.WO) | (sink == Sink.W2))
            ),
            read.en.eq(self.coming),
            read.addr.eq(self.coming_row),
        ]

        # The old element is here with what is added to it. One cycle later the new one is written,
        # and its operand on its way to be squared.
        writing = Signal()
        new_row = Signal(range(dim))
        old = Mux(sink == Sink.EMBED, 0, read.data)
        m.d.sync += writing.eq(take)
        with m.If(take):
            m.d.sync += [
                new.eq(saturate(old + self.i.value, form)),
                new_row.eq(self.i.row),
                self.source.eq(sink),
                self.layer.eq(self.i.layer),
            ]
        m.d.comb += [
            write.en.eq(writing),
            write.addr.eq(new_row),
            write.data.eq(new),
            self.o_valid.eq(writing),
            self.o.eq(to_operand(new, form, config.numerics.rounding)),
        ]
        with m.If(writing):
            m.d.comb += ask(self.requests[0], self.o.mantissa, self.o.mantissa)

        squared_last = Signal(ScalarMultiplier.latency)
        m.d.sync += [
            squared.eq(Cat(writing, squared)),
            squared_first.eq(Cat(new_row == 0, squared_first)),
            squared_last.eq(Cat(new_row == dim - 1, squared_last)),
            self.complete.eq(squared[-1] & squared_last[-1]),
        ]
        count, of_square = exponents(form), self.o.exponent
        for cycle in range(ScalarMultiplier.latency):
            later = Signal.like(of_square, name=f"squared_exponent_{cycle}")
            m.d.sync += later.eq(of_square)
            of_square = later
        # The multiplier squares the mantissa; the exponent counts twice.
        square = self.square
        m.d.comb += square.eq(times_power(self.products[0], of_square, count, 2 * EXPONENT_STEP))
        with m.If(squared[-1]):
            before = Mux(squared_first[-1], derived.epsilon, self.square_sum)
            m.d.sync += self.square_sum.eq(before + square)

        tensors = {Sink.EMBED: Tensor.X_EMBED, Sink.WO: Tensor.X_ATT, Sink.W2: Tensor.X_FFN}
        for each, tensor in tensors.items():
            with m.If(self.source == each):
                m.d.comb += record(
                    self.trace,
                    valid=writing,
                    tensor=tensor,
                    layer=self.layer,
                    index=new_row,
                    value=new,
                )
        return m
