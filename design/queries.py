"""The queries of this token, one small memory per slot, so that all slots read at once."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from design.arith import ram_depth, times_constant
from design.beat import beat_layout
from design.memories import Purpose, Ram
from spec.config import Config
from spec.derived import derive


class QueryBuffer(wiring.Component):
    """Query head ``block * slots + slot`` lies in memory `slot`.

    Latency: reads 1 cycle (`latency`).

    Members
    -------
    clear : In(1)
        A new QKV projection begins: `full` falls.
    wr_en, wr_head, wr_d, wr_data : In
        Write one element.
    full : Out(1)
        All elements of all heads were written.
    rd_en, rd_block, rd_d : In
    rd_data : Out(ArrayLayout(signed(q.width), slots))
        The elements asked for last; they hold until the next `rd_en`.

    Inside (for proofs)
    -------------------
    memories : list, of each slot
    """

    latency = 1

    def __init__(self, config: Config):
        self.config = config
        shape, derived = config.shape, derive(config)
        element = signed(config.numerics.q.width)
        super().__init__(
            {
                "clear": In(1),
                "wr_en": In(1),
                "wr_head": In(range(shape.heads)),
                "wr_d": In(range(shape.head_dim)),
                "wr_data": In(element),
                "full": Out(1),
                "rd_en": In(1),
                "rd_block": In(beat_layout(config)["block"].shape),
                "rd_d": In(range(shape.head_dim)),
                "rd_data": Out(data.ArrayLayout(element, derived.slots)),
            }
        )
        depth = ram_depth(derived.head_blocks * shape.head_dim)
        self.memories = [Memory(shape=element, depth=depth, init=[]) for _ in range(derived.slots)]

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [
            Ram.of(f"slot_{slot}", memory, Purpose.ACTIVATION)
            for slot, memory in enumerate(self.memories)
        ]

    def elaborate(self, platform):
        m = Module()
        shape, derived = self.config.shape, derive(self.config)
        slot_bits = exact_log2(derived.slots)
        wr_slot, wr_block = self.wr_head[:slot_bits], self.wr_head[slot_bits:]
        for slot, memory in enumerate(self.memories):
            m.submodules[f"slot_{slot}"] = memory
            write = memory.write_port()
            read = memory.read_port(transparent_for=(write,))
            m.d.comb += [
                write.en.eq(self.wr_en & (wr_slot == slot)),
                write.addr.eq(times_constant(wr_block, shape.head_dim) + self.wr_d),
                write.data.eq(self.wr_data),
                read.en.eq(self.rd_en),
                read.addr.eq(times_constant(self.rd_block, shape.head_dim) + self.rd_d),
                self.rd_data[slot].eq(read.data),
            ]
        is_last = (self.wr_head == shape.heads - 1) & (self.wr_d == shape.head_dim - 1)
        with m.If(self.clear):
            m.d.sync += self.full.eq(0)
        with m.Elif(self.wr_en & is_last):
            m.d.sync += self.full.eq(1)
        return m
