"""Rotary embedding of queries and keys, by table; values pass by."""

from amaranth import *
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from design import tables
from design.arith import ram_depth
from design.beat import Sink, beat_layout
from design.config import Config
from design.derived import SCALAR_BITS, derive
from design.ports import trace_layout
from design.requantize import requantize
from design.scalar import ask, client_members
from design.trace import Tensor
from design.tracing import record
from design.writeback import result_layout

#: Cycles from the second element of a pair to the second turned one; values take as long.
ROPE_LATENCY = 4


class Rope(wiring.Component):
    """Turns pairs (a, b) of queries and keys to (a cos - b sin, a sin + b cos).

    Both products of one output are taken at once by the two scalar multipliers, so a pair takes
    two of their cycles: the cycle in which b comes, and the next.

    Latency: 4 cycles from b (and from a value) to its output; a's output is one cycle earlier.
    Throughput: one element a cycle.

    Members
    -------
    clear : In(1)
        A new QKV projection begins.
    next_token : In(1)
        Advance to the next position. `first_token`: to position 0.
    i_valid, i : In
        Results from `Writeback`; those for other sinks are ignored.
    o_q, o_k, o_v : Out(1)
        An element of a query, key, value is on `o`.
    o_head, o_d, o : Out
        Its head (query head or KV head), element and value.
    o_layer : Out
    requests : Out(ArrayLayout(request, 2))
        For the two scalar multipliers.
    products : In
    fault : Out(1)
        Two results want to leave in this cycle, and one is lost.
    trace : Out
        Q, K, V.
    """

    def __init__(self, config: Config):
        self.config = config
        shape = config.shape
        super().__init__(
            {
                "clear": In(1),
                "next_token": In(1),
                "first_token": In(1),
                "i_valid": In(1),
                "i": In(result_layout(config)),
                "o_q": Out(1),
                "o_k": Out(1),
                "o_v": Out(1),
                "o_head": Out(range(shape.heads)),
                "o_d": Out(range(shape.head_dim)),
                "o": Out(signed(max(derive(config).kv_width, config.numerics.q.width))),
                "o_layer": Out(beat_layout(config)["layer"].shape),
                **client_members(),
                "fault": Out(1),
                "trace": Out(trace_layout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape, n = self.config.shape, self.config.numerics
        take = Signal()
        m.d.comb += take.eq(self.i_valid & (self.i.sink == Sink.QKV))
        is_q, is_k, is_v, d, head, row = self._position(m, take)
        cos, sin = self._angle(m, take & ~d[0], d)

        # a waits for b; both stay for the second product of the pair.
        a = Signal.like(self.i.value)
        b = Signal.like(self.i.value)
        second = Signal()
        b_is_here = take & d[0] & ~is_v
        with m.If(take & ~d[0]):
            m.d.sync += a.eq(self.i.value)
        m.d.sync += [second.eq(b_is_here), b.eq(self.i.value)]
        with m.If(b_is_here):  # a cos - b sin
            m.d.comb += ask(self.requests[0], a, cos)
            m.d.comb += ask(self.requests[1], self.i.value, sin)
        with m.Elif(second):  # a sin + b cos
            m.d.comb += ask(self.requests[0], a, sin)
            m.d.comb += ask(self.requests[1], b, cos)

        # What comes out of the multipliers 2 cycles after `b_is_here` and `second`.
        what = data.StructLayout(
            {
                "q": 1,
                "k": 1,
                "v": 1,
                "odd": 1,
                "d": d.shape(),
                "head": head.shape(),
                "row": row.shape(),
                "value": self.i.value.shape(),
                "layer": self.i.layer.shape(),
            }
        )
        arrived = Signal(what)  # the element that was taken last
        pipeline = [Signal(what, name=f"stage_{n}") for n in range(3)]
        m.d.comb += [
            arrived.q.eq(b_is_here & is_q),
            arrived.k.eq(b_is_here & is_k),
            arrived.v.eq(take & is_v),
            arrived.d.eq(d),
            arrived.head.eq(head),
            arrived.row.eq(row),
            arrived.value.eq(self.i.value),
            arrived.layer.eq(self.i.layer),
        ]
        m.d.sync += [
            pipeline[0].eq(arrived),
            pipeline[1].eq(pipeline[0]),
            pipeline[2].eq(pipeline[1]),
        ]
        # The pair in pipeline[1] has its first product sum now, that in pipeline[2] its second.
        turn_first = pipeline[1].q | pipeline[1].k
        turn_second = pipeline[2].q | pipeline[2].k
        leaving = (turn_first, turn_second, pipeline[2].v)
        m.d.comb += self.fault.eq(sum(leaving) > 1)
        p0, p1 = self.products
        total = Signal(signed(2 * SCALAR_BITS + 1))
        m.d.comb += total.eq(Mux(turn_second, p0 + p1, p0 - p1))
        turned = Signal.like(self.o)
        now_q = Signal()
        m.d.comb += now_q.eq(Mux(turn_second, pipeline[2].q, pipeline[1].q))
        for form, condition in ((n.q, now_q), (n.k, ~now_q)):
            with m.If(condition):
                m.d.comb += turned.eq(requantize(total, n.rope.f, form, n.rounding))

        out_row = Signal.like(row)
        m.d.sync += [self.o_q.eq(0), self.o_k.eq(0), self.o_v.eq(0)]
        with m.If(turn_second):
            m.d.sync += [
                self.o_q.eq(pipeline[2].q),
                self.o_k.eq(pipeline[2].k),
                self.o_head.eq(pipeline[2].head),
                self.o_d.eq(pipeline[2].d),
                self.o_layer.eq(pipeline[2].layer),
                self.o.eq(turned),
                out_row.eq(pipeline[2].row),
            ]
        with m.Elif(turn_first):
            m.d.sync += [
                self.o_q.eq(pipeline[1].q),
                self.o_k.eq(pipeline[1].k),
                self.o_head.eq(pipeline[1].head),
                self.o_d.eq(pipeline[1].d ^ 1),
                self.o_layer.eq(pipeline[1].layer),
                self.o.eq(turned),
                out_row.eq(pipeline[1].row ^ 1),
            ]
        with m.Elif(pipeline[2].v):
            m.d.sync += [
                self.o_v.eq(1),
                self.o_head.eq(pipeline[2].head),
                self.o_d.eq(pipeline[2].d),
                self.o_layer.eq(pipeline[2].layer),
                self.o.eq(pipeline[2].value),
                out_row.eq(pipeline[2].row),
            ]
        for out, tensor, start in (
            (self.o_q, Tensor.Q, 0),
            (self.o_k, Tensor.K, shape.dim),
            (self.o_v, Tensor.V, shape.dim + shape.kv_dim),
        ):
            with m.If(out):
                m.d.comb += record(
                    self.trace,
                    valid=1,
                    tensor=tensor,
                    layer=self.o_layer,
                    index=out_row - start,
                    value=self.o,
                )
        return m

    def _position(self, m: Module, take: Value):
        """Which element comes: section flags, element of the head, head, row."""
        shape = self.config.shape
        section = Signal(range(3))
        d = Signal(range(shape.head_dim))
        head = Signal(range(shape.heads))
        is_q, is_k, is_v = section == 0, section == 1, section == 2
        last_head = head == Mux(is_q, shape.heads - 1, shape.kv_heads - 1)
        with m.If(self.clear):
            m.d.sync += [section.eq(0), d.eq(0), head.eq(0)]
        with m.Elif(take):
            m.d.sync += d.eq(d + 1)
            with m.If(d == shape.head_dim - 1):
                m.d.sync += [d.eq(0), head.eq(head + 1)]
                with m.If(last_head):
                    m.d.sync += [head.eq(0), section.eq(section + 1)]
        return is_q, is_k, is_v, d, head, self.i.row

    def _angle(self, m: Module, a_is_here: Value, d: Value) -> tuple[Value, Value]:
        """Cosine and sine for the pair whose first element is here; they hold until the next."""
        shape, form = self.config.shape, self.config.numerics.rope
        table = tables.rope(self.config)
        entry = data.StructLayout({"cos": signed(form.width), "sin": signed(form.width)})
        # As plain integers: thousands of positions make as many structures slow to spell out.
        mask = (1 << form.width) - 1
        m.submodules.table = memory = Memory(
            shape=unsigned(entry.size),
            depth=ram_depth(len(table.cos)),
            init=[
                cos & mask | (sin & mask) << form.width
                for cos, sin in zip(table.cos, table.sin, strict=True)
            ],
        )
        read = memory.read_port()
        row = Signal(range(shape.seq_len * table.pairs))  # pos * pairs, without a multiplier
        with m.If(self.first_token):
            m.d.sync += row.eq(0)
        with m.Elif(self.next_token):
            m.d.sync += row.eq(row + table.pairs)
        m.d.comb += [read.en.eq(a_is_here), read.addr.eq(row + (d >> 1))]
        angle = data.View(entry, read.data)
        return angle.cos, angle.sin
