"""Holds a finished pass while the drain is busy with the one before."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from design.array import pass_layout
from spec.config import Config


class PassBuffer(wiring.Component):
    """One pass deep, empty most of the time: the array goes on while a long pass drains.

    Latency: 0 cycles (`latency`) when empty. `i.ready` comes straight from a register, so that the
    clock enable of the array, which hangs on it, does not wait for what the drain decides.

    Members
    -------
    i : In(stream(pass_layout))
        `ready` is low while a pass is held.
    o : Out(stream(pass_layout))
        The pass that is held, or else the one that comes.

    Inside (for proofs)
    -------------------
    full, held_beat
        A pass is held, and its beat.
    """

    latency = 0

    def __init__(self, config: Config):
        self.config = config
        passes = stream.Signature(pass_layout(config))
        super().__init__({"i": In(passes), "o": Out(passes)})
        self.full = Signal()
        self.held_beat = Signal.like(self.i.p.beat.as_value(), name="held_beat")

    def elaborate(self, platform):
        m = Module()
        full = self.full
        holds = Signal()
        m.d.comb += [
            self.i.ready.eq(~full),
            self.o.valid.eq(full | self.i.valid),
            holds.eq(self.i.valid & ~full & ~self.o.ready),
        ]
        m.d.sync += full.eq(holds | (full & ~self.o.ready))

        # One signal a lane: simulators handle many narrow registers better than one wide one.
        def hold(held: Signal, value: Value, target: Value) -> None:
            with m.If(holds):
                m.d.sync += held.eq(value)
            m.d.comb += target.eq(Mux(full, held, value))

        for lane in range(self.config.geometry.lanes):
            for name, value, target in (
                ("sum", self.i.p.sums[lane], self.o.p.sums[lane]),
                ("shift", self.i.p.shifts[lane], self.o.p.shifts[lane]),
            ):
                hold(Signal.like(value, name=f"{name}_{lane}"), value, target)
        hold(self.held_beat, self.i.p.beat.as_value(), self.o.p.beat.as_value())
        return m
