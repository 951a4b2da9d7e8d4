"""Holds a finished pass while the drain is busy with the one before."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from design.beat import beat_layout
from spec.config import Config
from spec.derived import SHIFT_BITS, derive


class PassBuffer(wiring.Component):
    """One pass deep, empty most of the time: the array goes on while a long pass drains.

    Latency: 0 cycles (`latency`) when empty. `i_ready` comes straight from a register, so that the
    clock enable of the array, which hangs on it, does not wait for what the drain decides.

    Members
    -------
    i_valid, i_ready : In(1), Out(1)
        Take `sums`, `shifts` and `beat` when both are high. `i_ready` is low while a pass is held.
    sums, shifts, beat : In
        See `MultiplierArray`.
    o_valid, o_ready : Out(1), In(1)
        Offer the oldest pass.
    o_sums, o_shifts, o_beat : Out
        The pass that is held, or else the one that comes.

    Inside (for proofs)
    -------------------
    full, held_beat
        A pass is held, and its beat.
    """

    latency = 0

    def __init__(self, config: Config):
        self.config = config
        derived, lanes = derive(config), config.geometry.lanes
        sums = data.ArrayLayout(signed(derived.acc_width), lanes)
        shifts = data.ArrayLayout(SHIFT_BITS, lanes)
        beat = beat_layout(config)
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "sums": In(sums),
                "shifts": In(shifts),
                "beat": In(beat),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_sums": Out(sums),
                "o_shifts": Out(shifts),
                "o_beat": Out(beat),
            }
        )
        self.full = Signal()
        self.held_beat = Signal.like(self.beat.as_value())

    def elaborate(self, platform):
        m = Module()
        full = self.full
        holds = Signal()
        m.d.comb += [
            self.i_ready.eq(~full),
            self.o_valid.eq(full | self.i_valid),
            holds.eq(self.i_valid & ~full & ~self.o_ready),
        ]
        m.d.sync += full.eq(holds | (full & ~self.o_ready))

        # One signal a lane: simulators handle many narrow registers better than one wide one.
        def hold(held: Signal, value: Value, target: Value) -> None:
            with m.If(holds):
                m.d.sync += held.eq(value)
            m.d.comb += target.eq(Mux(full, held, value))

        for lane in range(self.config.geometry.lanes):
            for name, value, target in (
                ("sum", self.sums[lane], self.o_sums[lane]),
                ("shift", self.shifts[lane], self.o_shifts[lane]),
            ):
                hold(Signal.like(value, name=f"{name}_{lane}"), value, target)
        hold(self.held_beat, self.beat.as_value(), self.o_beat.as_value())
        return m
