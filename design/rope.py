"""Rotary embedding of queries and keys; values pass by."""

import itertools
from typing import Any

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from design.angles import TableAngles
from design.beat import Sink, beat_layout
from design.cordic import CordicAngles
from design.issue import Issue
from design.memories import Ram
from design.pipeline import flow
from design.ports import trace_layout
from design.requantize import requantize
from design.scalar import ScalarMultiplier, ask, client_members
from design.tracing import record
from design.writeback import Writeback, result_layout
from spec.config import Config, RopeBy
from spec.derived import SCALAR_BITS, derive
from spec.trace import Tensor

#: Of each variant: the component with `AnglesSignature`.
ANGLES: dict[RopeBy, Any] = {
    RopeBy.TABLE: TableAngles,
    RopeBy.CORDIC: CordicAngles,
}


def asks_after(turn: int) -> tuple[int, int, int, int]:
    """Cycles after b in which the products a cos, b sin, a sin, b cos are asked for.

    With turns, one multiplier serves all: these are the cycles behind those in which `Writeback`
    asks for the rows that follow, (1, 2, 4, 5).
    """
    if turn == 1:
        return (0, 0, 1, 1)
    first = (Writeback.latency - Writeback.scaled_latency + 1) % turn
    assert first > 0, "the angle is there only in the cycle after b"
    return (first, first + 1, turn + first, turn + first + 1)


def turned_layout(config: Config) -> data.StructLayout:
    """An element of a query, key or value; at most one of these three bits is high.

    `head` is a query head or a KV head.
    """
    shape = config.shape
    return data.StructLayout(
        {
            "q": 1,
            "k": 1,
            "v": 1,
            "head": range(shape.heads),
            "d": range(shape.head_dim),
            "value": signed(max(derive(config).kv_width, config.numerics.q.width)),
            "layer": beat_layout(config)["layer"].shape,
        }
    )


def _arrived_layout(config: Config) -> data.StructLayout:
    """An element on its way: as in `turned_layout`, `d` and `head` of the one that arrived last,
    `odd` if the other of its pair is; and whether it is the last of its section."""
    shape, result = config.shape, result_layout(config)
    return data.StructLayout(
        {
            "q": 1,
            "k": 1,
            "v": 1,
            "odd": 1,
            "d": range(shape.head_dim),
            "head": range(shape.heads),
            "row": result["row"].shape,
            "last": 1,
            "value": result["value"].shape,
            "layer": result["layer"].shape,
        }
    )


def _nothing(element: data.View) -> list:
    """Statements that say that it is no element; what else it holds stays."""
    return [element[flag].eq(0) for flag in ("q", "k", "v")]


class Rope(wiring.Component):
    """Turns pairs (a, b) of queries and keys to (a cos - b sin, a sin + b cos).

    A pair takes four products, two by each port. Pairs come every ``2 * turn`` cycles at most, b
    `turn` cycles after a.

    Latency: the halves of a pair are out 3 and 4 cycles after b, or 5 and 8 when `turn` is 3
    (`latencies`: 1 after their last product, which is asked for as `asks_after` says); a value
    takes as long as the second. Throughput: one element every `turn` cycles.

    Members
    -------
    clear : In(1)
        A new QKV projection begins.
    next_token : In(1)
        Advance to the next position. `first_token`: to position 0. Comes only while `ready`.
    ready : Out(1)
        The angles of this position are there. Elements may come once it has been high, and the
        inputs above low, for 2 cycles.
    i : In(flow(result_layout))
        Scaled results from `Writeback`; those for other sinks are ignored.
    o : Out
        See `turned_layout`.
    next : Out
        What `o` will be in the next cycle, for who has a register of its own.
    keys_coming, values_coming : Out(1)
        All keys, all values, of the row are out, or will be in `lead_time` cycles from the one
        before on, with ``1 + Issue.read_latency`` = 2: a beat that enters `Issue` now reads them as
        they are written.
    requests, products
        Two scalar multipliers, see `client_members`.
    fault : Out(1)
        Two results want to leave in this cycle, and one is lost.
    trace : Out(ArrayLayout(record, 1))
        Q, K, V.

    Inside (for proofs)
    -------------------
    section, head, d
        Where the next element belongs: 0 to 2 for queries, keys and values.
    waiting, arrived
        The value of an a that waits for its b; the element that was taken in this cycle.
    since
        Bit n: the b of a pair came n + 1 cycles ago.
    stages : list
        What arrived so many cycles ago, and one.
    angles
        What pairs are turned by, see `AnglesSignature`.
    """

    multipliers = (1, 2)
    #: A beat that enters `Issue` in the first cycle in which keys, or values, are said to come.
    lead_time = 1 + Issue.read_latency

    def __init__(self, config: Config):
        self.config = config
        self.asks_after = asks_after(derive(config).turn)
        _, first, _, second = self.asks_after
        behind = ScalarMultiplier.latency + 1  # the product, a register
        self.latencies = (first + behind, second + behind)
        turned = turned_layout(config)
        super().__init__(
            {
                "clear": In(1),
                "next_token": In(1),
                "first_token": In(1),
                "ready": Out(1),
                "i": In(flow(result_layout(config))),
                "o": Out(turned),
                "next": Out(turned),
                "keys_coming": Out(1),
                "values_coming": Out(1),
                **client_members(2),
                "fault": Out(1),
                "trace": Out(data.ArrayLayout(trace_layout(config), 1)),
            }
        )
        shape = config.shape
        self.section = Signal(range(3))
        self.d = Signal(range(shape.head_dim))
        self.head = Signal(range(shape.heads))
        self.waiting = Signal.like(self.i.p.value)
        self.since = Signal(self.asks_after[-1])
        arrived = _arrived_layout(config)
        self.arrived = Signal(arrived)
        self.stages = [
            Signal(arrived, name=f"stage_{n}") for n in range(second + ScalarMultiplier.latency)
        ]
        self.angles = ANGLES[config.numerics.rope_by](config)

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [ram.below("angles") for ram in self.angles.rams]

    def elaborate(self, platform):
        m = Module()
        shape, n = self.config.shape, self.config.numerics
        waiting, since, arrived, pipeline = self.waiting, self.since, self.arrived, self.stages
        take = Signal()
        m.d.comb += take.eq(self.i.valid & (self.i.p.sink == Sink.QKV))
        is_q, is_k, is_v, d, head, row, last = self._position(m, take)
        turn = derive(self.config).turn
        b_is_here = take & d[0] & ~is_v
        m.submodules.angles = angles = self.angles
        cos, sin = angles.o.cos, angles.o.sin
        m.d.comb += [
            angles.next_token.eq(self.next_token),
            angles.first_token.eq(self.first_token),
            angles.clear.eq(self.clear),
            # The angle stays for as long as its products are asked for.
            angles.next.eq(take & ~d[0] if turn == 1 else b_is_here),
            self.ready.eq(angles.ready),
        ]

        # a waits for b; both stay until the next b.
        a = Signal.like(self.i.p.value)
        b = Signal.like(self.i.p.value)
        with m.If(take & ~d[0]):
            m.d.sync += waiting.eq(self.i.p.value)
        with m.If(b_is_here):
            m.d.sync += [a.eq(waiting), b.eq(self.i.p.value)]
        cycles = self.asks_after
        m.d.sync += since.eq(Cat(b_is_here, since))
        factors = ((0, a, cos), (1, b, sin), (0, a, sin), (1, b, cos))
        for cycle, (port, element, factor) in zip(cycles, factors, strict=True):
            with m.If(Cat(b_is_here, since)[cycle]):
                if cycle == 0:  # before a and b are there
                    element = self.i.p.value if port else waiting
                m.d.comb += ask(self.requests[port], element, factor)

        # When the products of a turned element are there, counted from b.
        first_at, second_at = (cycles[n] + ScalarMultiplier.latency for n in (1, 3))
        m.d.comb += [
            arrived.q.eq(b_is_here & is_q),
            arrived.k.eq(b_is_here & is_k),
            arrived.v.eq(take & is_v),
            arrived.d.eq(d),
            arrived.head.eq(head),
            arrived.row.eq(row),
            arrived.last.eq(last),
            arrived.value.eq(self.i.p.value),
            arrived.layer.eq(self.i.p.layer),
        ]
        with m.If(take):
            m.d.sync += pipeline[0].eq(arrived)
        with m.Else():
            m.d.sync += _nothing(pipeline[0])
        m.d.sync += [later.eq(sooner) for sooner, later in itertools.pairwise(pipeline)]
        # The pair in `first` has its first product sum now, that in `second` its second. Values
        # leave with the second, in the order in which they came.
        first, second = pipeline[first_at - 1], pipeline[second_at - 1]
        announced = pipeline[self.latencies[1] - self.lead_time - 1]
        with m.If(self.clear):
            m.d.sync += [self.keys_coming.eq(0), self.values_coming.eq(0)]
        with m.Elif(announced.last):
            m.d.sync += [
                self.keys_coming.eq(self.keys_coming | announced.k),
                self.values_coming.eq(self.values_coming | announced.v),
            ]
        turn_first = first.q | first.k
        turn_second = second.q | second.k
        leaving = (turn_first, turn_second, second.v)
        m.d.comb += self.fault.eq(sum(leaving) > 1)
        p0, p1 = self.products
        if turn > 1:  # one multiplier makes both products, one after the other
            before = Signal.like(p0)
            m.d.sync += before.eq(p0)
            p0 = before
        total = Signal(signed(2 * SCALAR_BITS + 1))
        m.d.comb += total.eq(Mux(turn_second, p0 + p1, p0 - p1))
        turned = Signal.like(self.o.value)
        now_q = Signal()
        m.d.comb += now_q.eq(Mux(turn_second, second.q, first.q))
        for form, condition in ((n.q, now_q), (n.k, ~now_q)):
            with m.If(condition):
                m.d.comb += turned.eq(requantize(total, n.rope.f, form, n.rounding))

        out_row = Signal.like(row)
        turns = turn_first | turn_second
        is_first = turn_first & ~turn_second
        m.d.comb += [
            self.next.q.eq(turns & now_q),
            self.next.k.eq(turns & ~now_q),
            self.next.v.eq(~turns & second.v),
            self.next.head.eq(Mux(is_first, first.head, second.head)),
            self.next.d.eq(Mux(is_first, first.d ^ 1, second.d)),
            self.next.layer.eq(Mux(is_first, first.layer, second.layer)),
            self.next.value.eq(Mux(turns, turned, second.value)),
        ]
        with m.If(turns | second.v):
            m.d.sync += [
                self.o.eq(self.next),
                out_row.eq(Mux(is_first, first.row ^ 1, second.row)),
            ]
        with m.Else():
            m.d.sync += _nothing(self.o)
        for out, tensor, start in (
            (self.o.q, Tensor.Q, 0),
            (self.o.k, Tensor.K, shape.q_dim),
            (self.o.v, Tensor.V, shape.q_dim + shape.kv_dim),
        ):
            with m.If(out):
                m.d.comb += record(
                    self.trace[0],
                    valid=1,
                    tensor=tensor,
                    layer=self.o.layer,
                    index=out_row - start,
                    value=self.o.value,
                )
        return m

    def _position(self, m: Module, take: Value):
        """Which element comes: section flags, element of the head, head, row."""
        shape = self.config.shape
        section, d, head = self.section, self.d, self.head
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
        last = last_head & (d == shape.head_dim - 1)  # of its section
        return is_q, is_k, is_v, d, head, self.i.p.row, last
