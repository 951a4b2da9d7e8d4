"""A table with linear interpolation, its product taken by a shared scalar multiplier."""

import itertools

from amaranth import *
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from design.memories import Purpose, Ram
from design.pipeline import flow
from design.requantize import shift_right
from design.scalar import ScalarMultiplier, ask, request_layout
from spec.derived import SCALAR_BITS, TABLE_FRACTION
from spec.fixed import Rounding
from spec.tables import Interpolated, check_scalar


def entry_layout(table: Interpolated) -> data.StructLayout:
    """A word of the table's memory."""
    slope_bits = max(abs(slope) for slope in table.slope).bit_length() + 1
    return data.StructLayout({"base": unsigned(TABLE_FRACTION + 1), "slope": signed(slope_bits)})


class Interpolator(wiring.Component):
    """Looks up ``base + slope * fraction`` of a `tables.Interpolated`.

    Latency: ``1 + ScalarMultiplier.latency`` = 3 cycles (`latency`); the request for the product
    goes out 1 cycle after `i` (`asks_after`). Throughput: one value a cycle. `o` is combinational
    behind `product`.

    Members
    -------
    i : In(flow)
        Input of ``index_bits + fraction_bits`` bits.
    o : Out(unsigned(TABLE_FRACTION + 1))
        Value in units of 2**-TABLE_FRACTION, `latency` cycles after its input.
    request : Out
        To a scalar multiplier.
    product : In
        From it.

    Inside (for proofs)
    -------------------
    memory
        The table.
    """

    #: The table.
    asks_after = 1
    #: The table, then slope times fraction.
    latency = asks_after + ScalarMultiplier.latency

    def __init__(self, table: Interpolated):
        check_scalar(table)
        self.table = table
        super().__init__(
            {
                "i": In(flow(table.input_bits)),
                "o": Out(TABLE_FRACTION + 1),
                "request": Out(request_layout),
                "product": In(signed(2 * SCALAR_BITS)),
            }
        )
        self.memory = Memory(
            shape=entry_layout(table),
            depth=len(table.base),
            init=[
                {"base": base, "slope": slope}
                for base, slope in zip(table.base, table.slope, strict=True)
            ],
        )

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [Ram.of("memory", self.memory, Purpose.TABLE)]

    def elaborate(self, platform):
        m = Module()
        table = self.table
        m.submodules.memory = self.memory
        read = self.memory.read_port()
        fraction = Signal(table.fraction_bits)
        valid = Signal()
        bases = [
            Signal(unsigned(TABLE_FRACTION + 1), name=f"base_{n + 1}")
            for n in range(ScalarMultiplier.latency)
        ]
        m.d.comb += [read.en.eq(self.i.valid), read.addr.eq(self.i.p[table.fraction_bits :])]
        m.d.sync += valid.eq(self.i.valid)
        with m.If(self.i.valid):
            m.d.sync += fraction.eq(self.i.p[: table.fraction_bits])
        with m.If(valid):
            m.d.comb += ask(self.request, read.data.slope, fraction)
        m.d.sync += [
            later.eq(sooner) for sooner, later in itertools.pairwise([read.data.base, *bases])
        ]
        m.d.comb += self.o.eq(
            bases[-1] + shift_right(self.product, table.fraction_bits, Rounding.HALF_UP)
        )
        return m
