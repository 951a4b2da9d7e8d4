"""Walks the array through one projection: S1, S4, S5, the embedding and the classifier."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from design.beat import Kind, Sink, to_sink
from design.stages.ports import stage_members
from spec.config import Config
from spec.derived import derive
from spec.schedule import Matrix, Op, matrix, ops


class ProjectionStage(wiring.Component):
    """Issues the beats of one matrix, pass by pass: every column (when folded, half of them), and
    a header where `schedule` puts one.

    Latency: `done` comes ``beats + 1`` cycles after `start` when `o` is always ready, one later
    for each cycle it is not, with the `beats` of `schedule.Matrix`.

    Members
    -------
    start, done, o, remaining
        See `stage_members`.
    op : In(Sink)
        Which projection; sampled with `start`.
    bias : In(1), where the shape has biases
        That it is these, with EMBED as `op`; sampled with `start`.

    Inside (for proofs)
    -------------------
    row, rows_left
        The first row of this pass; rows that no pass has done.
    last_column, folded_rows
        Of the matrix: its last column, and of how many rows the folded pass has to be.
    fsm
    """

    def __init__(self, config: Config):
        self.config = config
        self.matrices = {op: matrix(config, op) for op in ops(config)}
        most = max(spec.beats for spec in self.matrices.values())
        biases = {"bias": In(1)} if config.shape.qkv_bias else {}
        super().__init__({"op": In(Sink), **biases, **stage_members(config, most)})
        beat = self.o.payload
        self.row = Signal.like(beat.row)
        self.rows_left = Signal(range(max(spec.rows for spec in self.matrices.values()) + 1))
        self.last_column = Signal.like(beat.column)
        self.folded_rows = Signal(range(config.geometry.lanes + 1))

    def elaborate(self, platform):
        m = Module()
        config = self.config
        lanes = config.geometry.lanes
        op = Signal(Sink)
        beat = self.o.payload
        column = Signal.like(beat.column)
        row, rows_left = self.row, self.rows_left
        last_column, folded_rows = self.last_column, self.folded_rows
        pass_rows = Signal(range(lanes + 1))
        count = Signal.like(beat.count)
        last_pass = Signal()
        shift_index = Signal.like(beat.shift_index)
        needs_header = Signal()

        m.d.comb += [
            beat.folded.eq(rows_left <= folded_rows),
            pass_rows.eq(Mux(beat.folded, lanes // 2, lanes)),
            last_pass.eq(rows_left <= pass_rows),
            count.eq(Mux(last_pass, rows_left, pass_rows)),
            beat.sink.eq(op),
            beat.row.eq(row),
            beat.column.eq(column),
            beat.count.eq(count),
            beat.shift_index.eq(shift_index),
            needs_header.eq(shift_index == derive(config).header_passes - 1),
        ]
        if Op.BIAS in self.matrices:
            bias = Signal()
            m.d.comb += beat.bias.eq(bias)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.remaining.eq(self.remaining - 1)
        m.d.sync += self.done.eq(0)

        with m.FSM() as self.fsm:
            with m.State("Idle"):
                with m.If(self.start):
                    m.d.sync += [op.eq(self.op), row.eq(0), column.eq(0)]

                    def begin(spec: Matrix) -> None:
                        m.d.sync += [
                            rows_left.eq(spec.rows),
                            folded_rows.eq(spec.folded_rows),
                            last_column.eq(spec.cols - 1),
                            self.remaining.eq(spec.beats),
                        ]

                    with m.Switch(self.op):
                        for each, spec in self.matrices.items():
                            if each is not Op.BIAS:
                                with m.Case(to_sink(each)):
                                    begin(spec)
                    if Op.BIAS in self.matrices:
                        m.d.sync += bias.eq(self.bias)
                        with m.If(self.bias):
                            begin(self.matrices[Op.BIAS])
                    m.next = "Header"
            with m.State("Header"):
                m.d.comb += [self.o.valid.eq(1), beat.kind.eq(Kind.HEADER)]
                with m.If(self.o.ready):
                    m.d.sync += shift_index.eq(0)
                    m.next = "Columns"
            with m.State("Columns"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    beat.kind.eq(Kind.WEIGHT),
                    beat.first.eq(column == 0),
                    beat.last.eq(column == Mux(beat.folded, last_column >> 1, last_column)),
                    # Reading an embedding or a bias through the array is no product of the model.
                    beat.macs.eq(Mux(op == Sink.EMBED, 0, count << beat.folded)),
                ]
                with m.If(self.o.ready):
                    m.d.sync += column.eq(column + 1)
                    with m.If(beat.last):
                        m.d.sync += [
                            column.eq(0),
                            row.eq(row + pass_rows),
                            rows_left.eq(rows_left - count),
                            shift_index.eq(shift_index + 1),
                        ]
                        with m.If(needs_header):
                            m.next = "Header"
                        with m.If(last_pass):
                            m.d.sync += self.done.eq(1)
                            m.next = "Idle"
        return m
