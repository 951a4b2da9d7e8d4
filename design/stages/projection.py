"""Walks the array through one projection: S1, S4, S5, the embedding and the classifier."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from design.beat import Kind, Sink, beat_layout, to_sink
from design.config import Config
from design.schedule import Op, matrix


class ProjectionStage(wiring.Component):
    """Issues the beats of one matrix, pass by pass: a header, then every column.

    Latency: `done` comes ``passes * (1 + cols) + 1`` cycles after `start` when `o` is always
    ready, one later for each cycle it is not.

    Members
    -------
    start : In(1)
        Begin; ignored unless idle.
    op : In(Sink)
        Which projection; sampled with `start`.
    done : Out(1)
        One-cycle pulse after the last beat was taken. A new `start` may come with it.
    o : Out(stream)
        Beats, one a cycle.
    remaining : Out
        Beats still to be taken: falls with each, and is 0 when idle (the ranking function).
    """

    def __init__(self, config: Config):
        self.config = config
        self.matrices = {op: matrix(config, op) for op in Op}
        most = max(spec.beats for spec in self.matrices.values())
        super().__init__(
            {
                "start": In(1),
                "op": In(Sink),
                "done": Out(1),
                "o": Out(stream.Signature(beat_layout(config))),
                "remaining": Out(range(most + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        lanes = config.geometry.lanes
        op = Signal(Sink)
        beat = self.o.payload
        column = Signal.like(beat.column)
        row = Signal.like(beat.row)
        rows_left = Signal(range(max(spec.rows for spec in self.matrices.values()) + 1))
        last_column = Signal.like(beat.column)
        count = Signal.like(beat.count)
        last_pass = Signal()

        m.d.comb += [
            last_pass.eq(rows_left <= lanes),
            count.eq(Mux(last_pass, rows_left, lanes)),
            beat.sink.eq(op),
            beat.row.eq(row),
            beat.column.eq(column),
            beat.count.eq(count),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.remaining.eq(self.remaining - 1)
        m.d.sync += self.done.eq(0)

        with m.FSM():
            with m.State("Idle"):
                with m.If(self.start):
                    m.d.sync += [op.eq(self.op), row.eq(0), column.eq(0)]
                    with m.Switch(self.op):
                        for each, spec in self.matrices.items():
                            with m.Case(to_sink(each)):
                                m.d.sync += [
                                    rows_left.eq(spec.rows),
                                    last_column.eq(spec.cols - 1),
                                    self.remaining.eq(spec.beats),
                                ]
                    m.next = "Header"
            with m.State("Header"):
                m.d.comb += [self.o.valid.eq(1), beat.kind.eq(Kind.HEADER)]
                with m.If(self.o.ready):
                    m.next = "Columns"
            with m.State("Columns"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    beat.kind.eq(Kind.WEIGHT),
                    beat.first.eq(column == 0),
                    beat.last.eq(column == last_column),
                    beat.macs.eq(count),
                ]
                with m.If(self.o.ready):
                    m.d.sync += column.eq(column + 1)
                    with m.If(beat.last):
                        m.d.sync += [
                            column.eq(0),
                            row.eq(row + lanes),
                            rows_left.eq(rows_left - count),
                        ]
                        m.next = "Header"
                        with m.If(last_pass):
                            m.d.sync += self.done.eq(1)
                            m.next = "Idle"
        return m
