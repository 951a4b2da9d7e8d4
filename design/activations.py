"""Vectors on their way back to the array: written in order, read while they fill."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from design.arith import ram_depth


class ActivationBuffer(wiring.Component):
    """A RAM of `depth` elements, written in order, with a count of what it holds.

    The array may read element n as soon as ``filled > n``: this is how a projection follows the
    unit that produces its input without waiting for the end.

    Latency: reads 1 cycle. An element written in cycle n counts, and can be read, from n + 1.

    Members
    -------
    clear : In(1)
        Begin a new vector; the elements of the old one are forgotten.
    wr_en, wr_data : In
        Append an element.
    filled : Out(range(depth + 1))
    fault : Out(1)
        An element beyond `depth` is appended.
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
                "wr_en": In(1),
                "wr_data": In(signed(width)),
                "filled": Out(range(depth + 1)),
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
        write = memory.write_port()
        read = memory.read_port(transparent_for=(write,))
        m.d.comb += [
            write.en.eq(self.wr_en),
            self.fault.eq(self.wr_en & ~self.clear & (self.filled == self.depth)),
            write.addr.eq(self.filled),
            write.data.eq(self.wr_data),
            read.en.eq(self.rd_en),
            read.addr.eq(self.rd_index),
            self.rd_data.eq(read.data),
        ]
        with m.If(self.clear):
            m.d.sync += self.filled.eq(0)
        with m.Elif(self.wr_en):
            m.d.sync += self.filled.eq(self.filled + 1)
        return m
