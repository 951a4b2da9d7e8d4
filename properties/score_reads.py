"""Which score a value beat takes along, and that its weight comes out with it."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

from amaranth import *

from design.beat import Kind
from properties.dialect import Theorem, implies


@dataclass(eq=False)
class ScoreOfItsBeat(Theorem):
    """When a value beat enters `Issue`, the score memories show the score of its position, read no
    sooner than in the cycle before all scores counted as stored; three enabled cycles later the
    beat is out, with no other.

    `issue` has the signature of `design.issue.Issue`. `waits` says that the beat `waiting` waits at
    the entrance, `enters` that it enters; `stages` are the beats 1, 2 and 3 enabled cycles behind,
    each with whether there is one.
    """

    issue: Any
    _: KW_ONLY
    waits: Value
    waiting: Any
    enters: Value
    stages: list[tuple[Value, Any]]

    def describe(self, m: Module) -> None:
        issue, waiting = self.issue, self.waiting
        value_waits = self.waits & (waiting.kind == Kind.VALUE)
        value_enters = self.enters & (waiting.kind == Kind.VALUE)
        # The position that was read last; whether it was in the cycle before; and whether all
        # scores counted as stored in the cycle behind that read.
        shown_t, just_read, stored = Signal.like(issue.next_t), Signal(), Signal()
        stored_now = Mux(just_read, issue.scores_ready, stored)
        m.d.sync += [just_read.eq(issue.next_t_en), stored.eq(stored_now)]
        with m.If(issue.next_t_en):
            m.d.sync += shown_t.eq(issue.next_t)

        enabled = implies(self.enters, issue.en) & implies(value_enters, issue.scores_ready)
        self.claim(
            "enters_enabled",
            enabled,
            "A beat enters when the pipeline moves, and value beats when all scores are stored.",
        )
        self.claim(
            "own_score",
            implies(value_waits, shown_t == waiting.t),
            "The memories show the score of the beat that waits, until it enters.",
        )
        self.claim("score_exists", implies(value_enters, stored_now), "It was stored by then.")
        again = just_read | stored
        self.claim("read_until_stored", implies(value_waits, again), "Unless it is read again.")
        own = (value_enters, shown_t)
        same = []
        for number, (valid, beat) in enumerate(self.stages, 1):
            is_value, t = (Signal.like(each, name=f"of_{number}") for each in own)
            with m.If(issue.en):
                m.d.sync += [is_value.eq(own[0]), t.eq(own[1])]
            own = (is_value, t)
            same.append(is_value == (valid & (beat.kind == Kind.VALUE)))
            same.append(implies(is_value, t == beat.t))
        self.claim("goes_along", Cat(same).all(), "What entered goes along with its beat,")
        is_out = issue.o.valid & (issue.o.p.beat.kind == Kind.VALUE)
        out = (own[0] == is_out) & implies(is_out, own[1] == issue.o.p.beat.t)
        self.claim("own_weight", out, "until its weight is out.")

        self.witness("value_beat", is_out & (issue.o.p.beat.t == 1))
        waited = Signal()
        m.d.sync += waited.eq(value_waits & ~value_enters)
        self.witness("waited", waited & value_enters)
