"""The biases of queries, keys and values of the layer that runs: one memory, read row by row."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from design.beat import beat_layout
from design.memories import Purpose, Ram
from spec.config import Config
from spec.schedule import Op, matrix


def bias_width(config: Config) -> int:
    """Bits of a bias, which has the format of its query, key or value."""
    n = config.numerics
    return max(form.width for form in (n.q, n.k, n.v))


class Biases(wiring.Component):
    """A RAM of an element for each row of QKV.

    Latency: reads 1 cycle (`latency`); one that meets the write of its row shows the new bias.

    Members
    -------
    wr_en, wr_row, wr_data : In
        Write one bias.
    rd_en, rd_row : In
    rd_data : Out(signed)
        The bias asked for last; it holds until the next `rd_en`.

    Inside (for proofs)
    -------------------
    memory
    """

    latency = 1

    def __init__(self, config: Config):
        self.rows = matrix(config, Op.BIAS).rows
        row, element = beat_layout(config)["row"].shape, signed(bias_width(config))
        super().__init__(
            {
                "wr_en": In(1),
                "wr_row": In(row),
                "wr_data": In(element),
                "rd_en": In(1),
                "rd_row": In(row),
                "rd_data": Out(element),
            }
        )
        self.memory = Memory(shape=element, depth=self.rows, init=[])

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [Ram.of("memory", self.memory, Purpose.ACTIVATION)]

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = self.memory
        write = memory.write_port()
        read = memory.read_port(transparent_for=(write,))
        m.d.comb += [
            write.en.eq(self.wr_en),
            write.addr.eq(self.wr_row),
            write.data.eq(self.wr_data),
            read.en.eq(self.rd_en),
            read.addr.eq(self.rd_row),
            self.rd_data.eq(read.data),
        ]
        return m
