"""Takes finished sums off the array, so that the lanes start the next pass at once."""

import itertools
from typing import ClassVar

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from design.array import pass_layout
from design.beat import Sink, beat_layout, bias_field
from design.pipeline import flow
from spec.config import Config
from spec.derived import SHIFT_BITS, derive


def sum_layout(config: Config) -> data.StructLayout:
    """One raw sum on its way to rounding.

    `bias`: as of a beat. `row`: output row (projections). `slot`: its query head (value sums).
    `shift`: the row's right shift from the header; meaningless for value sums.
    """
    derived, beat = derive(config), beat_layout(config)
    return data.StructLayout(
        {
            "sum": signed(derived.acc_width),
            "shift": SHIFT_BITS,
            "sink": Sink,
            **bias_field(config),
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
    inside.

    The rows of QKV and W13 go through units that make several products of each, so they leave by
    `phase`, a counter of ``2 * turn`` cycles: even rows when it is 0, odd ones when it is `turn`.
    (But not those of QKV when `turn` is 1: RoPE minds how many come in a cycle, not when.)

    Latency: the first result leaves 1 cycle after capture (QKV and W13: up to ``2 * turn``). A
    pass occupies the drain for `count` cycles (QKV and W13: times `turn`; value sums: `lanes`),
    plus those in which it must wait; the next capture can share the last of them. What may leave
    is decided 1 cycle ahead (`decision_latency`).

    Members
    -------
    i : In(stream(pass_layout))
    norm_ready, reciprocals_ready, logits_ready : In(1)
        In `decision_latency` cycles and from then on, the factor of QKV, W13 and classifier rows is
        there; that of value sums; there is room for a logit. Sums wait for theirs.
    phase : Out(range(2 * turn))
    o : Out(flow(sum_layout))
        Serial results.
    scores : Out(flow(scores_layout))
        Parallel results.

    Inside (for proofs)
    -------------------
    column, held_beat
        The sum and the shift of each lane, that of the head first, and their beat.
    occupied, remaining, is_last
        There is something left, how much, and whether that is one.
    lane
        Which lane is at the head.
    leaves
        What is at the head may leave.
    """

    latency = 1
    decision_latency = 1
    #: While the first is high, sums wait for one of the others (a hang is explained by them).
    waits_for: ClassVar = {
        "occupied": (
            "leaves", "held_beat.sink", "norm_ready", "reciprocals_ready", "logits_ready",
        )
    }  # fmt: skip

    def __init__(self, config: Config):
        self.config = config
        derived, lanes = derive(config), config.geometry.lanes
        super().__init__(
            {
                "i": In(stream.Signature(pass_layout(config))),
                "norm_ready": In(1),
                "reciprocals_ready": In(1),
                "logits_ready": In(1),
                "phase": Out(range(2 * derived.turn)),
                "o": Out(flow(sum_layout(config))),
                "scores": Out(flow(scores_layout(config))),
            }
        )
        # One signal a lane: simulators handle many narrow registers better than one wide one.
        held = data.StructLayout({"sum": signed(derived.acc_width), "shift": SHIFT_BITS})
        self.column = [Signal(held, name=f"lane_{n}") for n in range(lanes)]
        self.held_beat = Signal.like(self.i.p.beat, name="beat")
        self.remaining = Signal(range(lanes + 1))
        self.lane = Signal(range(lanes))
        self.occupied = Signal()
        self.is_last = Signal()
        self.leaves = Signal()

    def elaborate(self, platform):
        m = Module()
        shape, derived = self.config.shape, derive(self.config)
        lanes, per_slot = self.config.geometry.lanes, derived.per_slot
        column, beat, lane, remaining = self.column, self.held_beat, self.lane, self.remaining
        occupied, is_last, leaves = self.occupied, self.is_last, self.leaves
        passed, out, scores = self.i.p, self.o.p, self.scores.p

        is_score = beat.sink == Sink.SCORE
        is_value = beat.sink == Sink.VALUE
        is_padding = Signal()
        captures = self.i.valid & self.i.ready
        advance = occupied & leaves
        self._leaves(m, leaves, captures, beat, (beat.row ^ lane)[0] ^ advance)
        m.d.comb += [
            self.o.valid.eq(advance & ~is_score & ~is_padding),
            self.scores.valid.eq(occupied & is_score),
            self.i.ready.eq(~occupied | (leaves & is_last)),
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
            out.sum.eq(column[0].sum),
            out.shift.eq(column[0].shift),
            out.sink.eq(beat.sink),
            out.row.eq(beat.row + lane),
            out.slot.eq(slot),
            out.block.eq(beat.block),
            out.layer.eq(beat.layer),
            scores.t.eq(beat.t + lane),
            scores.block.eq(beat.block),
            scores.layer.eq(beat.layer),
            scores.last.eq(beat.newest & is_last),
        ]
        if self.config.shape.qkv_bias:
            m.d.comb += out.bias.eq(beat.bias)
        for n in range(derived.slots):
            m.d.comb += scores.sums[n].eq(column[n * per_slot].sum)

        if derived.slots > 1:
            # A folded row's left half is about to be at the head, and its right half is here.
            # Each source has its adder, since `captures` comes late.
            middle = lanes // 2
            new_right = Mux(passed.beat.folded, passed.sums[middle], 0)
            held_right: Value = C(0, 1)
            if middle + 1 < lanes:
                held_right = Mux(beat.folded, column[middle + 1].sum, 0)
        else:
            new_right = held_right = C(0, 1)

        with m.If(advance):
            m.d.sync += [
                remaining.eq(remaining - 1),
                is_last.eq(remaining == 2),
                occupied.eq(~is_last),
                lane.eq(lane + 1),
            ]
            m.d.sync += [here.eq(above) for here, above in itertools.pairwise(column)]
            if lanes > 1:
                m.d.sync += column[0].sum.eq(column[1].sum + held_right)
        with m.If(captures):
            m.d.sync += [
                lane_held.eq(Cat(passed.sums[n], passed.shifts[n]))
                for n, lane_held in enumerate(column)
            ]
            m.d.sync += column[0].sum.eq(passed.sums[0] + new_right)
            m.d.sync += [
                beat.eq(passed.beat),
                remaining.eq(passed.beat.count),
                is_last.eq(passed.beat.count == 1),
                occupied.eq(1),
                lane.eq(0),
            ]
        return m

    def _leaves(
        self, m: Module, leaves: Signal, captures: Value, beat: data.View, is_odd: Value
    ) -> None:
        """Decide a cycle ahead whether what will be at the head may leave: all lanes hang on it.

        `is_odd`: the row that will be there, unless a new pass is captured.
        """
        turn = derive(self.config).turn
        phase = Signal.like(self.phase)
        m.d.comb += phase.eq(Mux(self.phase == 2 * turn - 1, 0, self.phase + 1))
        m.d.sync += self.phase.eq(phase)

        def may_leave(beat: data.View, is_odd: Value, name: str) -> Signal:
            result = Signal(name=name)
            in_phase = phase == Mux(is_odd, turn, 0)
            with m.Switch(beat.sink):
                with m.Case(Sink.W13):
                    m.d.comb += result.eq(in_phase & self.norm_ready)
                with m.Case(Sink.QKV):
                    m.d.comb += result.eq((in_phase | (turn == 1)) & self.norm_ready)
                with m.Case(Sink.CLS):
                    m.d.comb += result.eq(self.norm_ready & self.logits_ready)
                with m.Case(Sink.VALUE):
                    m.d.comb += result.eq(self.reciprocals_ready)
                with m.Default():
                    m.d.comb += result.eq(1)
            return result

        m.d.sync += leaves.eq(
            Mux(
                captures,
                may_leave(self.i.p.beat, self.i.p.beat.row[0], "new_may_leave"),
                may_leave(beat, is_odd, "held_may_leave"),
            )
        )
