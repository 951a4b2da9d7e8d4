"""What the external KV cache says about the row being written, and that its passes end."""

from collections.abc import Callable

from amaranth import *

from properties.dialect import Theorem, implies
from properties.kv_external import Inside, KvRow


class KvExternalRowDone(Theorem):
    """Keys and values are reported ready, and a row done, exactly when the memory has stored them.

    `cache` shows `busy` and `done` of its writer as well.
    """

    def __init__(self, row: KvRow, busy: Value, done: Value, inside: Inside):
        self.row = row
        self.busy = busy
        self.done = done
        self.inside = inside

    def describe(self, m: Module) -> None:
        row, cache = self.row, self.row.cache
        row.connect(m, self)
        stored = row.acknowledged == row.elements
        # A row was announced and its done not yet seen.
        pending = Signal()
        with m.If(cache.row_start):
            m.d.sync += pending.eq(1)
        with m.Elif(self.done):
            m.d.sync += pending.eq(0)

        self.claims(
            "Ready means that every key, every value, of the row is stored.",
            k_ready=cache.k_ready == (row.acknowledged >= row.elements // 2),
            v_ready=cache.v_ready == stored,
        )
        self.claim(
            "busy", self.busy == (row.open & ~stored), "Busy means announced and not stored."
        )
        self.claim(
            "done",
            self.done == (pending & stored),
            "Done comes when the row is stored, once for each announcement.",
        )
        self.claim("no_fault", ~cache.fault, "Who keeps the contract causes no fault.")

        if self.inside is not None:
            self.claim(
                "pending",
                implies(row.open & ~stored, pending),
                "No row that is not stored has had its done.",
            )
            self.claim_inside(self.inside(row))
        self.witness("row_done", self.done)


class KvExternalAnswered(Theorem):
    """A row is stored, and all its words come, within a bounded number of non-stalled cycles.

    A cycle waits when the caller has an element to give, a word to claim or to read and does not,
    or the memory a request to take, a beat to bring or a write to acknowledge and does not. Every
    other cycle brings the end nearer: what is left is the sum of what the counts of the row lack,
    beats asked for weighing twice, and of the `steps` that the reader makes between its requests,
    at most `most`. So a row takes ``3 * elements + 5 * words + most`` such cycles at most.

    `steps` is an invariant of the same kind as `inside`.
    """

    def __init__(self, row: KvRow, steps: Callable[[KvRow], Value], most: int, inside: Inside):
        self.row = row
        self.steps = steps
        self.most = most
        self.inside = inside

    def describe(self, m: Module) -> None:
        row, cache = self.row, self.row.cache
        row.connect(m, self)
        words = row.passes.all
        steps = Signal(range(self.most + 1))
        m.d.comb += steps.eq(self.steps(row))
        ended = (row.acknowledged == row.elements) & (row.started == words) & (steps == 0)
        waits = Cat(
            *row.waits().values(),
            (row.given < row.elements) & ~row.writes,
            cache.rd_ready & ~cache.rd_claim,
            (row.started < row.claimed) & ~row.reads,
        ).any()

        # The cycle before: was this row open, did it wait, what was left, how much was done.
        was_open, was_ended, had_waited = Signal(), Signal(), Signal()
        before = Signal.like(steps)
        done = Signal(8)
        m.d.sync += [
            was_open.eq(row.open & ~cache.row_start),
            was_ended.eq(ended),
            had_waited.eq(waits),
            before.eq(steps),
            done.eq(
                row.writes
                + row.stores
                + cache.i_kv_written
                + Mux(row.asks, 2 * cache.o_kv_read.payload.beats, 0)
                + cache.i_kv_words.valid
                + cache.rd_claim
                + row.reads
            ),
        ]
        self.claim(
            "falls",
            implies(was_open & ~was_ended & ~had_waited, steps < before + done),
            "A cycle that is not stalled brings the end nearer.",
        )
        self.claim(
            "never_rises",
            implies(was_open, steps <= before + done),
            "A cycle that waits does not put it further off.",
        )
        self.claim(
            "no_more_than_the_row",
            implies(
                row.open,
                Cat(
                    *(n <= row.elements for n in (row.given, row.accepted, row.acknowledged)),
                    *(n <= words for n in (row.requested, row.delivered, row.claimed, row.started)),
                ).all(),
            ),
            "No count exceeds what the row has, so that only so much can be done.",
        )
        self.claim(
            "steps_bounded", self.steps(row) <= self.most, "Nor do the steps exceed their bound."
        )

        if self.inside is not None:
            self.claim_inside(self.inside(row))
        self.witness("ended", row.open & ended)
