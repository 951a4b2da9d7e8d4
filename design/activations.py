"""Vectors on their way back to the array: written in order, read while they fill."""

from amaranth import *
from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from design.arith import ram_depth
from design.issue import Issue
from design.memories import Purpose, Ram


class ActivationBuffer(wiring.Component):
    """A RAM of `depth` elements, written in order, with a count of what it holds.

    A beat may enter `Issue` as soon as ``filled > n``: this is how a projection follows the unit
    that produces its input without waiting for the end. The beat fetches `Issue.fetch_latency`
    cycles later, so a unit counts an element by `coming` before it writes it.

    Latency: the RAM is read in every cycle for what is fetched in the next, and its word leaves
    through a register. An element that was announced in cycle n counts from n + 1. It must be
    written by n + `lead_time`, with ``1 + Issue.fetch_latency`` = 3 cycles of lead time, and can be
    fetched in the cycle of its write: it is passed on then.

    Members
    -------
    clear : In(1)
        Begin a new vector; the elements of the old one are forgotten.
    coming : In(1)
        One more element will be written within `lead_time` cycles.
    filled : Out(range(depth + 1))
        Elements announced.
    wr_en, wr_data : In
        Append an element.
    fault : Out(1)
        An element is fetched before it is written, or announced beyond `depth`.
    next_index, next_folded : In
        Element that can be fetched in the next cycle; when `next_folded` (only with `foldable`, and
        below ``depth / 2``) also that ``depth / 2`` further right.
    fetch : In(1)
        Fetch the element asked for in the cycle before; one that is on its way to be written counts
        as written.
    rd_en : In(1)
        Clock enable of `rd_data` and `rd_right`.
    rd_data, rd_right : Out
        The elements fetched last (the same one twice unless folded).

    Inside (for proofs)
    -------------------
    memories : list
        The RAM, or the left and the right half.
    written
        How many elements are.

    Parameters
    ----------
    depth : int
        Elements.
    shape : ShapeLike
        Of an element.
    foldable : bool
        Two RAMs of half the depth, so that two elements can be read at once. Needs an even depth.
    """

    #: A beat that enters `Issue` in the first cycle that counts an element.
    lead_time = 1 + Issue.fetch_latency

    def __init__(self, *, depth: int, shape: ShapeLike, foldable: bool = False):
        self.depth = depth
        self.shape = shape
        self.foldable = foldable
        super().__init__(
            {
                "clear": In(1),
                "coming": In(1),
                "filled": Out(range(depth + 1)),
                "wr_en": In(1),
                "wr_data": In(shape),
                "fault": Out(1),
                "next_index": In(range(depth)),
                "next_folded": In(1),
                "fetch": In(1),
                "rd_en": In(1),
                "rd_data": Out(shape),
                "rd_right": Out(shape),
            }
        )
        halves = 2 if foldable else 1
        self.memories = [
            Memory(shape=shape, depth=ram_depth(depth // halves), init=[]) for _ in range(halves)
        ]
        self.written = Signal.like(self.filled)

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [
            Ram.of(f"memory_{half}", memory, Purpose.ACTIVATION)
            for half, memory in enumerate(self.memories)
        ]

    def elaborate(self, platform):
        m = Module()
        written = self.written
        index, folded = Signal.like(self.next_index), Signal()
        m.d.sync += [index.eq(self.next_index), folded.eq(self.next_folded)]
        length = self.depth // len(self.memories)
        found = []
        for half, memory in enumerate(self.memories):
            m.submodules[f"memory_{half}"] = memory
            write = memory.write_port()
            read = memory.read_port(transparent_for=(write,))
            address = Signal.like(read.addr, name=f"address_{half}")
            here = (written >= length) == half if self.foldable else 1
            m.d.comb += [
                write.en.eq(self.wr_en & here),
                write.addr.eq(written - half * length),
                write.data.eq(self.wr_data),
                read.addr.eq(self.next_index - Mux(self.next_folded, 0, half * length)),
            ]
            m.d.sync += address.eq(read.addr)
            bypass = write.en & (write.addr == address)
            found.append(Mux(bypass, Value.cast(write.data), Value.cast(read.data)))
        in_right = index >= length if self.foldable else C(0, 1)
        with m.If(self.rd_en):
            m.d.sync += [
                self.rd_data.eq(Mux(in_right, found[-1], found[0])),
                self.rd_right.eq(Mux(in_right | folded, found[-1], found[0])),
            ]
        furthest = index + Mux(folded, self.depth // 2, 0)
        m.d.comb += self.fault.eq(
            (self.coming & (self.filled == self.depth))
            | (self.fetch & (furthest >= written + self.wr_en))
        )
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
