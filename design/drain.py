"""Takes finished sums off the array, so that the lanes start the next pass at once."""

import itertools

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from design.beat import Sink, beat_layout
from design.config import Config
from design.derived import SHIFT_BITS, derive


def sum_layout(config: Config) -> data.StructLayout:
    """One raw sum on its way to rounding.

    `row`: output row (projections). `slot`: its query head (value sums). `shift`: the row's
    right shift from the header; meaningless for value sums.
    """
    derived, beat = derive(config), beat_layout(config)
    return data.StructLayout(
        {
            "sum": signed(derived.acc_width),
            "shift": SHIFT_BITS,
            "sink": Sink,
            "row": beat["row"].shape,
            "slot": range(derived.slots),
            "block": range(derived.head_blocks),
            "layer": beat["layer"].shape,
        }
    )


def scores_layout(config: Config) -> data.StructLayout:
    """One raw score of every slot, for position `t` and the heads of `block`."""
    derived, beat = derive(config), beat_layout(config)
    return data.StructLayout(
        {
            "sums": data.ArrayLayout(signed(derived.acc_width), derived.slots),
            "t": beat["t"].shape,
            "block": range(derived.head_blocks),
            "layer": beat["layer"].shape,
            "last": 1,
        }
    )


class Drain(wiring.Component):
    """A shift register behind the accumulators.

    Projections and value sums leave one a cycle, lane 0 first; scores leave one a cycle from
    every slot at once. Padding (rows beyond the matrix, heads or elements beyond the shape) stays
    inside. Gate and up leave on even and odd cycles, which the SwiGLU unit relies on.

    Latency: the first result is offered 1 cycle after capture (up to 2 for W13). A pass occupies
    the drain for `count` cycles (value sums: `lanes`), plus the cycles in which `o` stalls or
    `hold` is high; the next capture can share the last of them.

    Members
    -------
    i_valid, i_ready : In(1), Out(1)
        Capture `sums`, `shifts` and `beat` when both are high.
    sums, shifts, beat : In
        See `MultiplierArray`.
    hold : In(1)
        Value sums must wait (their reciprocals are not there yet).
    o : Out(stream)
        Serial results, see `sum_layout`.
    scores, scores_valid : Out
        Parallel results, see `scores_layout`; never stalled.
    """

    def __init__(self, config: Config):
        self.config = config
        derived, lanes = derive(config), config.geometry.lanes
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "sums": In(data.ArrayLayout(signed(derived.acc_width), lanes)),
                "shifts": In(data.ArrayLayout(SHIFT_BITS, lanes)),
                "beat": In(beat_layout(config)),
                "hold": In(1),
                "o": Out(stream.Signature(sum_layout(config))),
                "scores": Out(scores_layout(config)),
                "scores_valid": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape, derived = self.config.shape, derive(self.config)
        lanes, per_slot = self.config.geometry.lanes, derived.per_slot

        # One signal a lane: simulators handle many narrow registers better than one wide one.
        held = data.StructLayout({"sum": signed(derived.acc_width), "shift": SHIFT_BITS})
        column = [Signal(held, name=f"lane_{n}") for n in range(lanes)]
        beat = Signal.like(self.beat)
        remaining = Signal(range(lanes + 1))
        lane = Signal(range(lanes))
        odd_cycle = Signal()
        started = Signal()
        m.d.sync += odd_cycle.eq(~odd_cycle)

        is_score = beat.sink == Sink.SCORE
        is_value = beat.sink == Sink.VALUE
        occupied = Signal()
        may_start = Signal()
        is_padding = Signal()
        advance = Signal()
        m.d.comb += [
            occupied.eq(remaining != 0),
            may_start.eq(started | (beat.sink != Sink.W13) | ~odd_cycle),
            self.o.valid.eq(
                occupied & ~is_score & may_start & ~is_padding & ~(is_value & self.hold)
            ),
            self.scores_valid.eq(occupied & is_score),
            advance.eq(
                self.scores_valid
                | (self.o.valid & self.o.ready)
                | (occupied & is_padding & ~self.hold)
            ),
            self.i_ready.eq(~occupied | (advance & (remaining == 1))),
        ]

        slot_bits, element_bits = exact_log2(derived.slots), exact_log2(per_slot)
        element = lane[:element_bits]
        slot = lane[element_bits : element_bits + slot_bits]
        with m.If(is_value):
            m.d.comb += is_padding.eq(
                (element >= derived.v_word)
                | (beat.d + element >= shape.head_dim)
                | (Cat(slot, beat.block) >= shape.heads)
            )
        m.d.comb += [
            self.o.payload.sum.eq(column[0].sum),
            self.o.payload.shift.eq(column[0].shift),
            self.o.payload.sink.eq(beat.sink),
            self.o.payload.row.eq(beat.row + lane),
            self.o.payload.slot.eq(slot),
            self.o.payload.block.eq(beat.block),
            self.o.payload.layer.eq(beat.layer),
            self.scores.t.eq(beat.t + lane),
            self.scores.block.eq(beat.block),
            self.scores.layer.eq(beat.layer),
            self.scores.last.eq(beat.newest & (remaining == 1)),
        ]
        for n in range(derived.slots):
            m.d.comb += self.scores.sums[n].eq(column[n * per_slot].sum)

        with m.If(advance):
            m.d.sync += [remaining.eq(remaining - 1), lane.eq(lane + 1), started.eq(1)]
            m.d.sync += [here.eq(above) for here, above in itertools.pairwise(column)]
        with m.If(self.i_valid & self.i_ready):
            m.d.sync += [
                lane_held.eq(Cat(self.sums[n], self.shifts[n]))
                for n, lane_held in enumerate(column)
            ]
            m.d.sync += [
                beat.eq(self.beat),
                remaining.eq(self.beat.count),
                lane.eq(0),
                started.eq(0),
            ]
        return m
