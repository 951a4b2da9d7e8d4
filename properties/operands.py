"""No beat overtakes what it reads."""

from collections.abc import Mapping
from typing import Any

from amaranth import *

from design.beat import Kind, Sink
from properties.dialect import Theorem, implies

#: What tells a beat at the entrance that something is written, or will be when it reads.
TOLD = (
    "residual_filled",
    "attention_filled",
    "hidden_filled",
    "queries_full",
    "keys_ready",
    "scores_ready",
    "values_ready",
)


class OperandsExist(Theorem):
    """A beat reads a vector, the caches or the weight stream only if all it reads there was told to
    be written when it entered: one cycle before the caches are read, two before the vectors.

    `issue` has the signature of `design.issue.Issue`; `reads` and `fetches` say that a beat is at
    those two steps, whether or not the pipeline moves. Obligations: 7.
    """

    def __init__(self, issue: Any, *, dim: int, reads: Value, fetches: Value):
        self.issue = issue
        self.dim = dim
        self.reads = reads
        self.fetches = fetches

    def elaborate(self, platform):
        m = Module()
        issue = self.issue

        # What was told when the beats at the two steps entered.
        to_reader: Mapping[str, Signal] = {name: self._later(name, "reader") for name in TOLD}
        to_fetcher: Mapping[str, Signal] = {name: self._later(name, "fetcher") for name in TOLD}
        with m.If(issue.en):
            m.d.sync += [to_reader[name].eq(getattr(issue, name)) for name in TOLD]
            m.d.sync += [to_fetcher[name].eq(to_reader[name]) for name in TOLD]

        # Memories are read for the beat at their step, when the pipeline moves.
        steps = Cat(issue.read, issue.fetch) == Cat(self.reads & issue.en, self.fetches & issue.en)
        m.d.comb += self.claim("reads_when_it_moves", steps)
        reader = self._told(self.reads, issue.read_beat, to_reader)
        fetcher = self._told(self.fetches, issue.fetch_beat, to_fetcher)
        for name in reader:
            # At both steps, of whatever the beat reads, the beat was told.
            m.d.comb += self.claim(name, reader[name] & fetcher[name])
        # Each header and each column takes one beat of weights as it leaves, no other does.
        leaves, kind = issue.o_valid & issue.en, issue.o_beat.kind
        takes = leaves & ((kind == Kind.HEADER) | (kind == Kind.WEIGHT))
        weights = issue.i_weights.valid & issue.i_weights.ready
        m.d.comb += self.claim("one_beat_of_weights", weights == takes)

        fetched, read = issue.fetch_beat, issue.read_beat
        m.d.comb += [
            self.witness("column", issue.fetch & (fetched.kind == Kind.WEIGHT) & fetched.column[0]),
            self.witness("newest_key", issue.read & (read.kind == Kind.KEY) & read.newest),
            self.witness("newest_value", issue.read & (read.kind == Kind.VALUE) & read.newest),
            self.witness("weights", takes),
        ]
        return m

    def _told(self, valid: Value, beat: Any, told: Mapping[str, Signal]) -> dict[str, Value]:
        """By operand, that `beat` (if `valid`) does not read it, or was told that it is written."""
        weight = valid & (beat.kind == Kind.WEIGHT)
        normed = weight & Cat(beat.sink == s for s in (Sink.QKV, Sink.W13, Sink.CLS)).any()
        # A folded pass reads at two places, and has all of the residual.
        whole = implies(beat.folded, told["residual_filled"] == self.dim)
        return {
            "residual": implies(normed, (beat.column < told["residual_filled"]) & whole),
            "attention": implies(
                weight & (beat.sink == Sink.WO), beat.column < told["attention_filled"]
            ),
            "hidden": implies(weight & (beat.sink == Sink.W2), beat.column < told["hidden_filled"]),
            "queries_and_keys": implies(
                valid & (beat.kind == Kind.KEY),
                told["queries_full"] & (told["keys_ready"] | ~beat.newest),
            ),
            "scores_and_values": implies(
                valid & (beat.kind == Kind.VALUE),
                told["scores_ready"] & (told["values_ready"] | ~beat.newest),
            ),
        }

    def _later(self, name: str, who: str) -> Signal:
        return Signal.like(getattr(self.issue, name), name=f"{name}_to_{who}")
