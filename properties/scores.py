"""The scores of a block of heads, written by the drain and read by the value pass."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

from amaranth import *

from properties.dialect import OneOf, Theorem, implies


@dataclass(eq=False)
class ScoresKept(Theorem):
    """Every read of a score of a slot shows what was last stored for its position, and holds it; a
    raw score is stored in the cycle after it comes, rounded as golden rounds it.

    `softmax` has the signature of `design.softmax.Softmax`; `written` and `written_t` are its
    registers that say that scores are stored, and for which position. Of the slot that is `chosen`,
    `shown` is what its memory shows. `rounded` must be driven with golden's rounding of the raw
    score of that slot, `stored` with what its memory holds for position `t`, any of `seq_len`.
    """

    softmax: Any
    _: KW_ONLY
    chosen: OneOf
    seq_len: int
    written: Value
    written_t: Value
    shown: Value

    def __post_init__(self):
        self.t = Signal(range(self.seq_len), name="t")
        self.rounded = Signal(self.shown.shape())
        self.stored = Signal(self.shown.shape())

    def describe(self, m: Module) -> None:
        softmax = self.softmax
        self.chosen.choose(self)
        self.choose(self.t, self.seq_len)
        score = self.chosen.of(softmax.trace[2 * slot].value for slot in range(self.chosen.size))
        self.suppose(
            "comes_in_range",
            implies(softmax.scores.valid, softmax.scores.p.t < self.seq_len),
            "What comes is of a position that there is, ...",
        )
        self.suppose(
            "read_in_range",
            implies(softmax.rd_en, softmax.rd_t < self.seq_len),
            "... and so is what is asked for.",
        )

        # The score that came in the cycle before; then it stays where it is.
        comes, t, last = Signal(), Signal.like(self.t), Signal.like(self.stored)
        m.d.sync += comes.eq(softmax.scores.valid)
        with m.If(softmax.scores.valid):
            m.d.sync += [t.eq(softmax.scores.p.t), last.eq(self.rounded)]
        # Reset does not clear a RAM, so it does not clear its shadow.
        known = Signal(reset_less=True)
        kept = Signal.like(self.stored, reset_less=True)
        writes = comes & (t == self.t)
        known_now, kept_now = known | writes, Mux(writes, last, kept)
        m.d.sync += [known.eq(known_now), kept.eq(kept_now)]
        due, expected = Signal(), Signal.like(self.stored)
        with m.If(softmax.rd_en):
            m.d.sync += [due.eq(known_now & (softmax.rd_t == self.t)), expected.eq(kept_now)]

        in_time = (self.written == comes) & implies(comes, self.written_t == t)
        self.claim(
            "stored_in_time", in_time, "What came is stored in the next cycle, under its position."
        )
        self.claim(
            "rounded",
            implies(comes, score == last),
            "It is rounded as golden rounds it, and the trace shows it.",
        )
        self.claim(
            "stays_stored",
            implies(known, self.stored == kept),
            "No score of another position touches it.",
        )
        self.claim(
            "returns_last_stored",
            implies(due, self.shown == expected),
            "What is read is what was stored last, which may be in its very cycle, until "
            "the next read.",
        )

        self.witness("read_back", due & (expected < 0))
        met = writes & softmax.rd_en & (softmax.rd_t == self.t)
        self.witness("read_as_it_is_stored", met)
