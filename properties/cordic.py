"""The angles that are computed for each token: when they are there, and that they do not drift."""

from typing import Any

from amaranth import *

from properties.dialect import Theorem, implies


class AnglesComputed(Theorem):
    """The phase of each pair is the token's position times the pair's step, exactly, at every
    position of every text, whatever the steps are; the angles of all pairs are there a fixed number
    of cycles after the token began, and stay until the next one begins.

    `angles` has the signature `design.angles.AnglesSignature`; each of the `pairs` takes `cycles`,
    and its phase grows in the first of them. Of the inside, `progress` is how many cycles of its
    pair are over, `exists` that this is one of a pair, `turning` which pair that is, and `first`
    that the position is 0. `phase`, `step` and `rotation` must be driven with what the memories
    hold at the chosen `pair`.
    """

    def __init__(
        self,
        angles: Any,
        *,
        seq_len: int,
        pairs: int,
        phase_bits: int,
        cycles: int,
        progress: Value,
        exists: Value,
        turning: Value,
        first: Value,
    ):
        self.angles = angles
        self.seq_len = seq_len
        self.pairs = pairs
        self.cycles = cycles
        self.progress = progress
        self.exists = exists
        self.turning = turning
        self.first = first
        self.pair = Signal(range(pairs))
        self.phase = Signal(phase_bits)
        self.step = Signal(phase_bits)
        self.rotation = Signal(len(angles.o.as_value()))

    def describe(self, m: Module) -> None:
        angles, pairs, cycles = self.angles, self.pairs, self.cycles
        self.choose(self.pair, pairs)
        pos, begun = Signal(range(self.seq_len)), Signal()
        with m.If(angles.first_token):
            m.d.sync += [pos.eq(0), begun.eq(1)]
        with m.Elif(angles.next_token):
            m.d.sync += pos.eq(pos + 1)
        begins = angles.first_token | angles.next_token
        self.suppose(
            "position_exists",
            implies(angles.next_token & ~angles.first_token, pos != self.seq_len - 1),
            "There is a position for the token.",
        )
        self.suppose(
            "begins_empty",
            implies(begins, angles.ready),
            "A token begins while the angles of the one before are there.",
        )

        since = Signal(range(cycles * pairs + 1), init=cycles * pairs)
        with m.If(begins):
            m.d.sync += since.eq(0)
        with m.Elif(~angles.ready):
            m.d.sync += since.eq(since + 1)
        self.claim(
            "in_time",
            angles.ready == (since == cycles * pairs),
            "The angles are there after so many cycles, no sooner and no later.",
        )
        starts = Array(cycles * pair for pair in range(pairs))
        exists = self.exists & (self.turning < pairs)
        in_order = since == starts[self.turning] + self.progress
        self.claim(
            "in_order",
            implies(~angles.ready, exists & in_order & (self.first == (pos == 0))),
            "One pair is turned after the other, each for as long.",
        )

        ran, step = Signal(), Signal.like(self.step)
        m.d.sync += [ran.eq(1), step.eq(self.step)]
        self.claim("step", implies(ran, self.step == step), "No step ever changes.")
        has_grown = since > starts[self.pair]
        grown = (pos * self.step)[: len(self.phase)]
        self.claim(
            "phase",
            implies(begun & has_grown, self.phase == grown),
            "A phase is its step times the position, ...",
        )
        self.claim(
            "grows",
            implies(
                begun & ~has_grown & (pos != 0),
                (self.phase + self.step)[: len(self.phase)] == grown,
            ),
            "... and a step less before it grows.",
        )
        was_ready, last = Signal(), Signal.like(self.rotation)
        m.d.sync += [was_ready.eq(angles.ready), last.eq(self.rotation)]
        self.claim(
            "stays",
            implies(was_ready, self.rotation == last),
            "While the angles are there, none changes.",
        )

        self.witness("second_position", begun & angles.ready & (pos == 1) & (self.phase[-2:] == 1))
