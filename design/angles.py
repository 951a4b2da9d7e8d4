"""Where RoPE gets cosine and sine from: the interface of its variants, and the table."""

from typing import Any

from amaranth import *
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from design.arith import ram_depth
from design.memories import Purpose, Ram
from spec import tables
from spec.config import Config


def rotation_layout(config: Config) -> data.StructLayout:
    """Cosine and sine of an angle."""
    form = signed(config.numerics.rope.width)
    return data.StructLayout({"cos": form, "sin": form})


class AnglesSignature(wiring.Signature):
    """What every variant has; `spec.tables.rope` says what it holds.

    A variant declares its memories (`rams`), and as `latency` for how many cycles after that of
    `next_token` it is not `ready`.

    Members
    -------
    next_token : In(1)
        Advance to the next position. `first_token`: to position 0. Comes only while `ready`.
    clear : In(1)
        Go back to the first pair.
    next : In(1)
        `o` is the next pair's from the next cycle on. Comes once `ready` has been high, and the
        other inputs low, for 2 cycles.
    o : Out
        See `rotation_layout`.
    ready : Out(1)
        All of this position are there.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "next_token": In(1),
                "first_token": In(1),
                "clear": In(1),
                "next": In(1),
                "o": Out(rotation_layout(config)),
                "ready": Out(1),
            }
        )


def show_pairs(m: Module, angles: Any, shown: Value) -> None:
    """Count the `pair` of a variant, and keep in its `o` what is `shown` of it, when it is asked
    for the next."""
    pair = angles.pair
    with m.If(angles.clear):
        m.d.sync += pair.eq(0)
    with m.Elif(angles.next):
        m.d.sync += pair.eq(Mux(pair == angles.pairs - 1, 0, pair + 1))
    with m.If(angles.next):
        m.d.sync += angles.o.eq(shown)


class TableAngles(wiring.Component):
    """A table of every position and pair; ports in `AnglesSignature`.

    It is read ahead, into a register: it is large, slow block RAM.

    Inside (for proofs)
    -------------------
    table, base, pair
        Cosines and sines; of this position the first; of which pair the next is.
    """

    latency = 0

    def __init__(self, config: Config):
        super().__init__(AnglesSignature(config))
        table = tables.rope(config)
        self.pairs = table.pairs
        width = config.numerics.rope.width
        # As plain integers: thousands of positions make as many structures slow to spell out.
        mask = (1 << width) - 1
        self.table = Memory(
            shape=unsigned(2 * width),
            depth=ram_depth(len(table.cos)),
            init=[
                cos & mask | (sin & mask) << width
                for cos, sin in zip(table.cos, table.sin, strict=True)
            ],
        )
        # pos * pairs, without a multiplier
        self.base = Signal(range(config.shape.seq_len * table.pairs), name="row")
        self.pair = Signal(range(table.pairs))

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [Ram.of("table", self.table, Purpose.TABLE)]

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = self.table
        read = self.table.read_port()
        base = self.base
        with m.If(self.first_token):
            m.d.sync += base.eq(0)
        with m.Elif(self.next_token):
            m.d.sync += base.eq(base + self.pairs)
        show_pairs(m, self, read.data)
        m.d.comb += [self.ready.eq(1), read.addr.eq(base + self.pair)]
        return m
