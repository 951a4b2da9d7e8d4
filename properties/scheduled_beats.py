"""The projection stage walks through its matrix as the weight schedule lays it out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from amaranth import *
from amaranth.lib import data
from amaranth.utils import exact_log2

from design.beat import Kind, Sink, to_sink
from properties.dialect import Theorem, implies
from properties.streams import offer_stands
from spec.config import Config
from spec.derived import derive
from spec.schedule import Matrix, Op, matrix, ops


class ScheduledBeats(Theorem):
    """A projection offers each beat of its matrix once, in the order of the schedule: a header
    whenever the shifts run out, whole passes, the folded one last; and is done after the last.

    `stage` has the signature of `design.stages.projection.ProjectionStage`. `invariants` gives
    statements about its inside, claimed, not believed. Obligations: 9, and one for each of these.
    """

    def __init__(
        self,
        config: Config,
        stage: Any,
        invariants: Callable[[Sequence[Value]], Mapping[str, Value]],
    ):
        self.stage = stage
        self.matrices = [matrix(config, op) for op in ops(config)]
        self.share = derive(config).header_passes
        self.invariants = invariants

    def _expected(self, m: Module, op: Value, bias: Value, number: Value) -> dict[str, Signal]:
        """Of pass `number` of `op`: columns, rows, whether folded, whether last; and all beats."""
        lanes = self.matrices[0].lanes
        expected = {
            "columns": Signal(range(max(spec.cols for spec in self.matrices) + 1)),
            "count": Signal(range(lanes + 1)),
            "folded": Signal(),
            "final": Signal(),
            "beats": Signal(range(max(spec.beats for spec in self.matrices) + 1)),
        }

        def of(spec: Matrix) -> list:
            folded = (number == spec.whole_passes) & spec.folded_passes
            final = number == passes(spec) - 1
            return [
                expected["columns"].eq(Mux(folded, spec.cols // 2, spec.cols)),
                expected["count"].eq(Mux(final, spec.rows - lanes * (passes(spec) - 1), lanes)),
                expected["folded"].eq(folded),
                expected["final"].eq(final),
                expected["beats"].eq(spec.beats),
            ]

        by_matrix(m, "comb", self.matrices, op, bias, of)
        return expected

    def describe(self, m: Module) -> None:
        stage, offer = self.stage, self.stage.o
        beat = offer.payload
        most = max(spec.beats for spec in self.matrices)

        # Of the projection that runs: which, the pass, the columns it had, the passes whose shifts
        # the last header still holds, all beats.
        op, bias = Signal.like(stage.op), Signal()
        works = Signal()
        number = Signal(range(max(map(passes, self.matrices)) + 1))
        columns = Signal(range(max(spec.cols for spec in self.matrices)))
        covered = Signal(range(self.share + 1))
        beats = Signal(range(most + 1))
        expected = self._expected(m, op, bias, number)
        is_header = covered == 0
        is_last = ~is_header & (columns == expected["columns"] - 1)
        ends = Signal()
        m.d.comb += ends.eq(offer.valid & offer.ready & is_last & expected["final"])
        with m.If(offer.valid & offer.ready):
            m.d.sync += beats.eq(beats + 1)
            with m.If(is_header):
                m.d.sync += covered.eq(self.share)
            with m.Else():
                m.d.sync += columns.eq(columns + 1)
            with m.If(is_last):
                m.d.sync += [columns.eq(0), number.eq(number + 1), covered.eq(covered - 1)]
            with m.If(ends):
                m.d.sync += works.eq(0)
        with m.If(stage.start):
            m.d.sync += [op.eq(stage.op), bias.eq(bias_of(stage)), works.eq(1)]
            m.d.sync += [number.eq(0), columns.eq(0), covered.eq(0), beats.eq(0)]
        ended = Signal()
        m.d.sync += ended.eq(ends)

        self.suppose_before(
            "op_is_projection",
            implies(stage.start, known_op(stage)),
            "What is started is a projection.",
        )
        self.suppose_before(
            "start_when_idle", ~(stage.start & works), "It is started while none is under way."
        )

        self.claim(
            "offers_while_it_works",
            offer.valid == works,
            "Beats are there from the cycle after the start on, and none after the last.",
        )
        self.claim("beat_stands", offer_stands(m, offer, "beat"), "A beat waits unchanged.")
        kind = Mux(is_header, beat.kind == Kind.HEADER, beat.kind == Kind.WEIGHT)
        own = (beat.sink == op) & (bias_of(beat) == bias)
        self.claim(
            "header_when_due",
            implies(works, kind & own),
            "A header comes when the shifts of the last one are used up, and only then.",
        )
        place = (beat.row == number << exact_log2(self.matrices[0].lanes)) & (
            beat.column == columns
        )
        self.claim(
            "column_in_order",
            implies(works, place),
            "Each column of each pass comes once, in order.",
        )
        rows = (beat.count == expected["count"]) & (beat.folded == expected["folded"])
        self.claim(
            "rows_of_the_pass",
            implies(works, rows),
            "The pass has its rows, and is folded when it is the one that is to be.",
        )
        edges = (beat.last == is_last) & implies(~is_header, beat.first == (columns == 0))
        self.claim(
            "sums_begin_and_end",
            implies(works, edges),
            "Sums begin with the first column and are complete with the last.",
        )
        shift = beat.shift_index == self.share - covered
        self.claim(
            "own_shifts",
            implies(works & ~is_header, shift),
            "Each pass takes its own shifts out of the header.",
        )
        self.claim(
            "done_after_the_last",
            stage.done == ended,
            "Done comes in the cycle after the last beat was taken.",
        )
        counted = beats + stage.remaining == expected["beats"]
        self.claim(
            "beats_of_the_schedule",
            implies(works | ended, counted),
            "By then as many beats were taken as the schedule counts.",
        )
        self.claim_inside(self.invariants(()))

        self.witness("done", stage.done)
        if any(passes(spec) > 1 for spec in self.matrices):
            self.witness("second_pass", works & (number == 1) & ~is_header)
        if any(spec.folded_passes for spec in self.matrices):
            self.witness("folded", ends & expected["folded"])


def bias_of(asked: Any) -> Value:
    """Whether a stage's ports, or a beat, are about biases, which not every shape has."""
    fields = asked.shape() if isinstance(asked, data.View) else asked.signature
    return asked.bias if "bias" in fields.members else C(0, 1)


def known_op(stage: Any) -> Value:
    """A projection is asked for: where biases are, they are read as an embedding is."""
    known = (stage.op != Sink.SCORE) & (stage.op != Sink.VALUE)
    return known & implies(bias_of(stage), stage.op == Sink.EMBED)


def by_matrix(
    m: Module,
    domain: str,
    matrices: Sequence[Matrix],
    op: Value,
    bias: Value,
    statements: Callable[[Matrix], list],
) -> None:
    """In `domain`, the `statements` about the matrix that `op` and `bias` say."""
    with m.Switch(op):
        for spec in matrices:
            if spec.op is not Op.BIAS:
                with m.Case(to_sink(spec.op)):
                    m.d[domain] += statements(spec)
    for spec in matrices:
        if spec.op is Op.BIAS:
            with m.If(bias):
                m.d[domain] += statements(spec)


def passes(spec: Matrix) -> int:
    """Whole passes and the folded one."""
    return spec.whole_passes + spec.folded_passes
