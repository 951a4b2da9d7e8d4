"""The loops that make a large decoder's states too many, run any number of times.

A score pass and a value pass have a round for each position, the classifier a pass for each few
rows of the vocabulary. Nothing else in the control of a decoder knows which round it is, only
whether it is the first or the last. So explicit-state model checking can do without these counters:
`Loops` has an abstraction that takes every value that they may take, and what is proved holds in
every context, for any number of passes of the classifier beyond one. `RowsLeftCovered` here, and
`properties.positions`, prove of each stage that this is sound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amaranth import *

from design.beat import Sink
from properties.dialect import CUT, LOOP_ENDS, LOOP_GOES_ON, STAND_IN, Theorem, anything, implies
from properties.scheduled_beats import bias_of, by_matrix, known_op, passes
from properties.streams import taken
from spec.config import Config
from spec.schedule import Op, matrix, ops

#: Anything with the signature of a stage of `design.stages`.
Stage = Any


class RowsLeft:
    """The rows that a projection has left, except the classifier's: of those there are all as long
    as it likes, and then those of its last pass."""

    def __init__(self, config: Config, stage: Stage):
        self.stage = stage
        self.matrices = [matrix(config, op) for op in ops(config)]
        self.left = Signal(range(max(spec.rows for spec in self.matrices) + 1))
        self.classifier = matrix(config, Op.CLS)
        #: Rows of the classifier's last pass.
        self.rest = self.classifier.rows - self.classifier.lanes * (passes(self.classifier) - 1)
        #: A pass of the classifier ends that is not its last.
        self.decides = Signal()

    def follow(self, m: Module, is_last: Value) -> None:
        """Drive the signals; where `decides` is high, `is_last` is about the next pass."""
        stage, offer = self.stage, self.stage.o
        ends = taken(offer) & offer.payload.last
        more = (offer.payload.sink == Sink.CLS) & (self.left != self.rest)
        m.d.comb += self.decides.eq(ends & more)
        with m.If(self.decides):
            m.d.sync += self.left.eq(Mux(is_last, self.rest, self.classifier.rows))
        with m.Elif(ends):
            m.d.sync += self.left.eq(self.left - offer.payload.count)
        with m.If(stage.start & ~offer.valid):
            by_matrix(
                m, "sync", self.matrices, stage.op, bias_of(stage),
                lambda spec: [self.left.eq(spec.rows)],
            )  # fmt: skip


class FirstPosition:
    """Whether the beat that a value pass offers begins a sum: the first of all does, and each
    behind a last one."""

    def __init__(self, stage: Stage):
        self.stage = stage
        self.is_first = Signal()

    def follow(self, m: Module) -> None:
        """Drive the signal."""
        offer = self.stage.o
        with m.If(taken(offer)):
            m.d.sync += self.is_first.eq(offer.payload.last)
        with m.If(self.stage.start & ~offer.valid):
            m.d.sync += self.is_first.eq(1)


class RowsLeftCovered(Theorem):
    """The row-counter abstraction is sound: it equals the counter and still reports the
    classifier's last pass.

    `rows_left` is the register, `invariants` are statements about the inside of the stage, claimed,
    not believed. Obligations: 1, and one for each of these.
    """

    def __init__(
        self, config: Config, stage: Stage, rows_left: Value, invariants: Mapping[str, Value]
    ):
        self.stage = stage
        self.rows_left = rows_left
        self.invariants = invariants
        self.loose = RowsLeft(config, stage)

    def describe(self, m: Module) -> None:
        stage, loose, beat = self.stage, self.loose, self.stage.o.payload
        self.suppose_before(
            "op_is_projection",
            implies(stage.start, known_op(stage)),
            "What is started is a projection.",
        )
        loose.follow(m, self.rows_left - beat.count == loose.rest)
        many = (beat.sink == Sink.CLS) & (self.rows_left > loose.rest)
        same = loose.left == Mux(many, loose.classifier.rows, self.rows_left)
        self.claim(
            "one_stands_for_the_other",
            implies(stage.o.valid, same),
            "While the stage works, one stands for the other.",
        )
        self.claim_inside(self.invariants)
        if loose.classifier.rows > loose.rest:
            self.witness("another_pass", loose.decides)
        self.witness("done", stage.done)


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What the loops hang on: of the score stage, whether the word is the newest; of the projection
    stage, the rows left and the row."""

    newest: Value
    rows_left: Value
    row: Value


class Loops:
    """The three loops of a decoder, without their counters.

    One bit, free in every cycle, is the abstraction of whatever marks the last round. Nobody knows
    the row of a logit.
    """

    def __init__(self, config: Config, stages: Mapping[str, Stage], counters: Counters):
        self.stages = stages
        self.counters = counters
        self.rows = RowsLeft(config, stages["projection"])
        self.first = FirstPosition(stages["value"])
        self.is_last = Signal()
        #: The register of the row holds one; else it is the classifier's.
        self.has_row = Signal(init=1)
        self._goes_on, self._ends = Signal(), Signal()

    def ends(self) -> dict[str, Value]:
        """The cutpoints, and their abstractions."""
        value = self.stages["value"].o.payload
        pairs: dict[str, tuple[Value, Value]] = {
            "score_newest": (self.counters.newest, self.is_last),
            "value_first": (value.first, self.first.is_first),
            "value_last": (value.last, self.is_last),
            "value_newest": (value.newest, self.is_last),
            "rows_left": (self.counters.rows_left, self.rows.left),
        }
        return {
            f"{prefix}{name}": signal
            for name, pair in pairs.items()
            for prefix, signal in zip((CUT, STAND_IN), pair, strict=True)
        }

    def held(self) -> dict[str, tuple[Value, Value]]:
        """A register with its valid qualifier."""
        return {"projection_row": (self.counters.row, self.has_row)}

    def fairness(self) -> dict[str, Value]:
        """No loop goes on for ever: what `done.ranking` says of the stages."""
        return {LOOP_GOES_ON: self._goes_on, LOOP_ENDS: self._ends}

    def follow(self, m: Module) -> None:
        """Drive the signals."""
        projection, score, value = (self.stages[name] for name in ("projection", "score", "value"))
        m.d.comb += self.is_last.eq(anything(1))
        self.rows.follow(m, self.is_last)
        self.first.follow(m)
        with m.If(projection.start & ~projection.o.valid):
            m.d.sync += self.has_row.eq(projection.op != Sink.CLS)
        round_ends = self.rows.decides | (taken(score.o) & score.o.payload.last) | taken(value.o)
        m.d.comb += [
            self._goes_on.eq(round_ends & ~self.is_last),
            self._ends.eq(round_ends & self.is_last),
        ]
