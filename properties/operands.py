"""No beat overtakes what it reads."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from amaranth import *

from design.beat import Kind, Sink
from properties.dialect import Theorem, implies

#: What reports to a beat at the entrance that something is written, or will be when it reads.
REPORTS = (
    "residual_filled",
    "attention_filled",
    "hidden_filled",
    "queries_full",
    "keys_ready",
    "scores_ready",
    "values_ready",
    "words_ready",
)


@dataclass(eq=False)
class OperandsExist(Theorem):
    """A beat reads a vector, the caches or the weight stream only if all it reads there was told to
    be written when it entered: one cycle before the caches are read, two before the vectors.

    `issue` has the signature of `design.issue.Issue`; `reads` and `fetches` say that a beat is at
    those two steps, whether or not the pipeline moves, `waiting` is the beat at the entrance, if it
    `waits`, and `takes_weights` the register that asks for weights.
    """

    issue: Any
    _: KW_ONLY
    dim: int
    reads: Value
    fetches: Value
    waits: Value
    waiting: Any
    takes_weights: Value

    def describe(self, m: Module) -> None:
        issue = self.issue

        # What was reported when the beats at the two steps entered.
        to_reader: Mapping[str, Signal] = {name: self._later(name, "reader") for name in REPORTS}
        to_fetcher: Mapping[str, Signal] = {name: self._later(name, "fetcher") for name in REPORTS}
        with m.If(issue.en):
            m.d.sync += [to_reader[name].eq(getattr(issue, name)) for name in REPORTS]
            m.d.sync += [to_fetcher[name].eq(to_reader[name]) for name in REPORTS]

        steps = Cat(issue.read.valid, issue.fetch.valid) == Cat(
            self.reads & issue.en, self.fetches & issue.en
        )
        self.claim(
            "reads_when_it_moves",
            steps,
            "Memories are read for the beat at their step, when the pipeline moves.",
        )
        reader = self._written(self.reads, issue.read.p, to_reader)
        fetcher = self._written(self.fetches, issue.fetch.p, to_fetcher)
        for name in reader:
            self.claim(
                name,
                reader[name] & fetcher[name],
                "At both steps, of whatever the beat reads, the beat knew.",
            )
        leaves, kind = issue.o.valid & issue.en, issue.o.p.beat.kind
        of_stream = (kind == Kind.HEADER) | (kind == Kind.WEIGHT)
        takes = leaves & of_stream
        weights = issue.i_weights.valid & issue.i_weights.ready
        self.claim(
            "one_beat_of_weights",
            weights == takes,
            "Each header and each column takes one beat of weights as it leaves, no other does.",
        )
        self.claim(
            "weights_foreseen",
            self.takes_weights == (issue.o.valid & of_stream),
            "Whether the beat that leaves needs weights is known in a register.",
        )
        column, folded = Signal.like(issue.next_column, name="told_column"), Signal()
        m.d.sync += [column.eq(issue.next_column), folded.eq(issue.next_folded)]
        announced = (issue.fetch.p.column == column) & (issue.fetch.p.folded == folded)
        self.claim(
            "column_ahead",
            implies(self.fetches, announced),
            "The column that will be fetched was announced in the cycle before.",
        )
        claimed = Signal()
        with m.If(issue.en):
            m.d.sync += claimed.eq(issue.claims.valid)
        attends = (issue.read.p.kind == Kind.KEY) | (issue.read.p.kind == Kind.VALUE)
        once = (claimed == (self.reads & attends)) & implies(issue.claims.valid, issue.en)
        self.claim(
            "claims_its_word",
            once,
            "Each beat of the attention claims the word of the cache that it will read, as "
            "it enters.",
        )
        shown, old = Signal.like(issue.next_t, name="shown_t"), Signal()
        with m.If(issue.next_t_en):
            m.d.sync += [shown.eq(issue.next_t), old.eq(0)]
        with m.Else():
            m.d.sync += old.eq(old | ~issue.scores_ready)
        waits_for_score = self.waits & (self.waiting.kind == Kind.VALUE)
        self.claim(
            "score_shown",
            implies(waits_for_score, (shown == self.waiting.t) & ~old),
            "What the score memory shows is the score of the value beat that waits; it was "
            "there when it was read, or will be read again.",
        )

        fetched, read = issue.fetch.p, issue.read.p
        self.witness(
            "column", issue.fetch.valid & (fetched.kind == Kind.WEIGHT) & fetched.column[0]
        )
        self.witness("newest_key", issue.read.valid & (read.kind == Kind.KEY) & read.newest)
        self.witness("newest_value", issue.read.valid & (read.kind == Kind.VALUE) & read.newest)
        self.witness("weights", takes)
        self.witness("score_read_again", waits_for_score & ~issue.en & issue.next_t_en)

    def _written(self, valid: Value, beat: Any, known: Mapping[str, Signal]) -> dict[str, Value]:
        """By operand, that `beat` (if `valid`) does not read it, or it was reported as written."""
        weight = valid & (beat.kind == Kind.WEIGHT)
        normed = weight & Cat(beat.sink == s for s in (Sink.QKV, Sink.W13, Sink.CLS)).any()
        # A folded pass reads at two places, and has all of the residual.
        whole = implies(beat.folded, known["residual_filled"] == self.dim)
        return {
            "residual": implies(normed, (beat.column < known["residual_filled"]) & whole),
            "attention": implies(
                weight & (beat.sink == Sink.WO), beat.column < known["attention_filled"]
            ),
            "hidden": implies(
                weight & (beat.sink == Sink.W2), beat.column < known["hidden_filled"]
            ),
            "queries_and_keys": implies(
                valid & (beat.kind == Kind.KEY),
                known["words_ready"] & known["queries_full"] & (known["keys_ready"] | ~beat.newest),
            ),
            "scores_and_values": implies(
                valid & (beat.kind == Kind.VALUE),
                known["words_ready"]
                & known["scores_ready"]
                & (known["values_ready"] | ~beat.newest),
            ),
        }

    def _later(self, name: str, who: str) -> Signal:
        return Signal.like(getattr(self.issue, name), name=f"{name}_to_{who}")
