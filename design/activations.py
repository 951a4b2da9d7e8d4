"""Vectors on their way back to the array: written in order, read while they fill."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from design.arith import ram_depth

#: Cycles in which an element that was announced must be written: a beat that enters `Issue` in the
#: first cycle that counts it reads 2 later.
PROMISE = 3


class ActivationBuffer(wiring.Component):
    """A RAM of `depth` elements, written in order, with a count of what it holds.

    A beat may enter `Issue` as soon as ``filled > n``: this is how a projection follows the unit
    that produces its input without waiting for the end. The beat reads 2 cycles later, so a unit
    counts an element by `coming` before it writes it.

    Latency: reads 1 cycle. An element that was announced in cycle n counts from n + 1. It must be
    written by n + PROMISE, and can be read in the cycle of its write.

    Members
    -------
    clear : In(1)
        Begin a new vector; the elements of the old one are forgotten.
    coming : In(1)
        One more element will be written within PROMISE cycles.
    filled : Out(range(depth + 1))
        Elements announced.
    wr_en, wr_data : In
        Append an element.
    fault : Out(1)
        An element is read before it is written, or announced beyond `depth`.
    rd_en, rd_index : In
    rd_data : Out
        The element asked for last; holds until the next `rd_en`.
    """

    def __init__(self, *, depth: int, width: int):
        self.depth = depth
        self.width = width
        super().__init__(
            {
                "clear": In(1),
                "coming": In(1),
                "filled": Out(range(depth + 1)),
                "wr_en": In(1),
                "wr_data": In(signed(width)),
                "fault": Out(1),
                "rd_en": In(1),
                "rd_index": In(range(depth)),
                "rd_data": Out(signed(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=signed(self.width), depth=ram_depth(self.depth), init=[]
        )
        written = Signal.like(self.filled)
        write = memory.write_port()
        read = memory.read_port(transparent_for=(write,))
        m.d.comb += [
            write.en.eq(self.wr_en),
            self.fault.eq(
                (self.coming & (self.filled == self.depth))
                | (self.rd_en & (self.rd_index >= written + self.wr_en))
            ),
            write.addr.eq(written),
            write.data.eq(self.wr_data),
            read.en.eq(self.rd_en),
            read.addr.eq(self.rd_index),
            self.rd_data.eq(read.data),
        ]
        with m.If(self.clear):
            m.d.sync += self.filled.eq(0)
        with m.Else():
            m.d.sync += self.filled.eq(self.filled + self.coming)
        # Beats may still be reading the old vector when it is cleared, but no longer when the
        # first element of the new one comes.
        with m.If(self.coming & (self.filled == 0)):
            m.d.sync += written.eq(0)
        with m.Else():
            m.d.sync += written.eq(written + self.wr_en)
        return m
