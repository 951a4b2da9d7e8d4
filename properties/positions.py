"""Score and value passes walk through the positions up to the token's own, and no further."""

from collections.abc import Callable, Mapping
from typing import Any

from amaranth import *
from amaranth.utils import exact_log2

from properties.dialect import Theorem, implies
from properties.loops import FirstPosition
from properties.streams import taken
from spec.config import Config
from spec.derived import derive


class _Positions(Theorem):
    """The pass that runs, and where it is: `place` in its inner loop, `number` of its outer one.

    `stage` has the signature of a stage of the attention. `invariants` gives, from the position
    that a pass was started for, statements about its inside, claimed, not believed.
    """

    def __init__(
        self, config: Config, stage: Any, invariants: Callable[[Value], Mapping[str, Value]]
    ):
        self.config = config
        self.stage = stage
        self.invariants = invariants
        self.works = Signal()
        self.pos = Signal.like(stage.pos, name="pos")
        self.number = Signal(range(config.shape.seq_len + config.shape.head_dim))
        self.place = Signal.like(self.number)

    def walk(self, m: Module, *, inner_ends: Value, outer_ends: Value, step_t: int = 1) -> None:
        """Drive the signals, and claim that beats come while a pass works, and `done` behind it.

        `t` goes in steps of `step_t`.
        """
        stage, step = self.stage, taken(self.stage.o)
        ends, ended = Signal(), Signal()
        m.d.comb += ends.eq(step & inner_ends & outer_ends)
        m.d.sync += ended.eq(ends)
        with m.If(step):
            m.d.sync += self.place.eq(self.place + 1)
            with m.If(inner_ends):
                m.d.sync += [self.place.eq(0), self.number.eq(self.number + 1)]
            with m.If(ends):
                m.d.sync += self.works.eq(0)
        with m.If(stage.start & ~self.works):
            m.d.sync += [self.works.eq(1), self.pos.eq(stage.pos)]
            m.d.sync += [self.place.eq(0), self.number.eq(0)]
        exists = stage.pos < self.config.shape.seq_len
        self.suppose_before(
            "pos_in_range",
            implies(stage.start, exists),
            "A pass is started for a position that exists.",
        )
        self.claim(
            "offers_while_it_works",
            stage.o.valid == self.works,
            "Beats are there from the cycle after the start on, and none after the last.",
        )
        self.claim(
            "done_after_the_last",
            stage.done == ended,
            "Done comes in the cycle after the last beat was taken.",
        )
        self.claim(
            "none_above",
            implies(self.works, stage.o.payload.t <= self.pos),
            "No position above the pass's own is read.",
        )
        self.claim_inside(self.invariants(self.pos))
        if self.config.shape.seq_len > step_t:
            self.witness("second_position", taken(stage.o) & (stage.o.payload.t != 0))
        self.witness("done", stage.done)


class ScorePositions(_Positions):
    """A score pass offers each element of each key word up to that of its position, once and in
    order, no position above it, and says which word is the newest.

    Obligations: 6, and one for each invariant.
    """

    def describe(self, m: Module) -> None:
        works, beat = self.works, self.stage.o.payload
        word_bits = exact_log2(derive(self.config).k_word)
        newest = self.number == self.pos >> word_bits
        last = self.place == self.config.shape.head_dim - 1
        self.walk(m, inner_ends=last, outer_ends=newest, step_t=1 << word_bits)
        here = (beat.t == self.number << word_bits) & (beat.d == self.place)
        self.claim(
            "element_in_order",
            implies(works, here),
            "Each element of each word comes once, in order.",
        )
        edges = (beat.first == (self.place == 0)) & (beat.last == last)
        self.claim(
            "sums_begin_and_end", implies(works, edges), "A sum is that of all elements of a word."
        )
        self.claim(
            "newest_is_newest",
            implies(works, beat.newest == newest),
            "The newest word is the one with the pass's own position.",
        )


class ValuePositions(_Positions):
    """A value pass offers, for each value word of a head, each position up to its own, once and in
    order, none above it, and says which is the newest; and the first-position abstraction is
    sound: it begins a sum at the start and behind a last position, and then only.

    Obligations: 7, and one for each invariant.
    """

    def describe(self, m: Module) -> None:
        works, beat = self.works, self.stage.o.payload
        derived = derive(self.config)
        newest = self.place == self.pos
        self.walk(m, inner_ends=newest, outer_ends=self.number == derived.v_words - 1)
        here = (beat.t == self.place) & (beat.d == self.number << exact_log2(derived.v_word))
        self.claim(
            "position_in_order",
            implies(works, here),
            "Each position comes once for each word, in order.",
        )
        edges = (beat.first == (self.place == 0)) & (beat.last == newest)
        self.claim("sums_begin_and_end", implies(works, edges), "A sum is that of all positions.")
        self.claim(
            "newest_is_newest",
            implies(works, beat.newest == newest),
            "The newest position is the pass's own.",
        )
        loose = FirstPosition(self.stage)
        loose.follow(m)
        self.claim(
            "first_is_first",
            implies(works, beat.first == loose.is_first),
            "The abstraction of the first position is it.",
        )
