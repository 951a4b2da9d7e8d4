"""Scores between the pass that stores them and the weights that are made of them."""

from typing import Any

from amaranth import *

from properties.dialect import Theorem, anything, implies


class _ScorePass(Theorem):
    """What is known of the scores of a pass, and of those that value beats have on their way.

    `softmax` has the signature of `design.softmax.Softmax`; `stores` and `stores_t` are its
    registers that say that scores are stored in this cycle, and of which position, `empty` that
    none is stored of this pass; `maximum` and
    `held` are those of the slot `slot`, any of `slots`, that keep its maximum and the score behind
    the memory. `shown` is what its memory shows, `at_place` what it holds for position `place`.
    `enters` says that a value beat enters `Issue`, with the score that the memory shows: any may,
    where it is not given.
    """

    def __init__(
        self,
        softmax: Any,
        *,
        slots: int,
        seq_len: int,
        stores: Value,
        stores_t: Value,
        empty: Value,
        enters: Value | None = None,
    ):
        self.softmax = softmax
        self.slots = slots
        self.seq_len = seq_len
        self.stores = stores
        self.stores_t = stores_t
        self.empty = empty
        self.slot = Signal(range(slots), name="slot")
        self.maximum = Signal(softmax.totals.maxima[0].shape())
        self.held = Signal.like(self.maximum)
        self.shown = Signal.like(self.maximum)
        self.at_place = Signal.like(self.maximum)
        self.place = Signal(range(seq_len))
        self.enters = Signal()
        self.given_enters = enters

    def _follow(self, m: Module) -> None:
        """State what scores, reads and beats keep to, and follow them.

        Afterwards `some` is high if one was stored since the last `clear`, and `newest` is the
        position of the last. `fresh` says that what the memory shows was stored since then, for
        position `shown_t`. `valid` and `t` are of the beats 1, 2 and 3 enabled cycles behind the
        entrance.
        """
        softmax, position = self.softmax, range(self.seq_len)
        self.choose(self.slot, self.slots)
        enters = anything(1) if self.given_enters is None else self.given_enters
        m.d.comb += self.enters.eq(enters)
        self.some, self.newest = Signal(), Signal(position)
        self.fresh, self.shown_t = Signal(), Signal(position)
        self.valid = [Signal(name=f"valid_{n}") for n in (1, 2, 3)]
        self.t = [Signal(position, name=f"t_{n}") for n in (1, 2, 3)]

        some_now = self.stores | self.some
        newest_now = Mux(self.stores, self.stores_t, self.newest)
        m.d.sync += [self.some.eq(some_now & ~softmax.clear), self.newest.eq(newest_now)]
        with m.If(softmax.rd_en):
            m.d.sync += self.shown_t.eq(softmax.rd_t)
            m.d.sync += self.fresh.eq(some_now & (softmax.rd_t <= newest_now))
        with m.If(softmax.clear):
            m.d.sync += self.fresh.eq(0)
        with m.If(softmax.en):
            m.d.sync += Cat(self.valid).eq(Cat(self.enters, self.valid))
            for later, sooner in zip(self.t, [self.shown_t, *self.t], strict=False):
                m.d.sync += later.eq(sooner)
        exists = self.stores_t < self.seq_len
        in_turn = exists & (self.stores_t == Mux(self.some, self.newest + 1, 0))
        self.suppose(
            "scores_in_order",
            implies(self.stores, in_turn),
            "Scores of a pass come in the order of their positions, which exist.",
        )
        self.suppose(
            "no_score_cleared",
            implies(self.stores, ~softmax.clear),
            "The maxima are forgotten between two passes, not within one.",
        )
        self.suppose(
            "enters_enabled",
            implies(self.enters, softmax.en),
            "A beat enters when the pipeline moves.",
        )
        self.suppose(
            "score_exists",
            implies(self.enters, softmax.ready & self.fresh),
            "All scores of the pass are stored by then, and that of the beat was when it was read.",
        )
        self.suppose(
            "weighed_first",
            implies(self.stores, ~Cat(self.valid).any()),
            "The next pass stores nothing as long as a beat of this one is on its way.",
        )


class ScoresBelowMaximum(_ScorePass):
    """The score that goes with a value beat, of any slot and position, is no greater than the
    maximum of its slot, until its distance from that is taken.

    See `_ScorePass`; `place` is any position.
    """

    def describe(self, m: Module) -> None:
        self._follow(m)
        self.choose(self.place, self.seq_len)
        maximum, place = self.maximum, self.place

        self.claim("empty", self.empty == ~self.some, "The unit knows whether there is one.")
        stored = self.some & (place <= self.newest)
        self.claim(
            "stored", implies(stored, self.at_place <= maximum), "No stored score is greater."
        )
        fresh = self.some & (self.shown_t <= self.newest)
        self.claim("fresh", implies(self.fresh, fresh), "What is fresh was stored.")
        shown = self.fresh & (self.shown_t == place)
        self.claim(
            "shown", implies(shown, self.shown <= maximum), "Nor is the one that the memory shows."
        )
        own = self.valid[0] & (self.t[0] == place)
        self.claim(
            "not_above_the_maximum", implies(own, self.held <= maximum), "Nor is that of the beat."
        )

        self.witness("below", own & (self.held < maximum) & (place == 0))


class SumIncludesTheMaximum(_ScorePass):
    """When the weights of all positions of a pass were added, in their order, the sum of a slot is
    at least the weight of its maximum, the greatest there is.

    See `_ScorePass`; `place` is the first position of the maximum. Of the slot: `score` is stored,
    `octaves` and `looked_up` are the registers behind `held`, `first_entry` is what the table of
    exp2 holds for a score that is the maximum, `weight` and `total` the weight and the sum.
    `greatest` is the greatest weight.
    """

    def __init__(self, softmax: Any, *, greatest: int, **more: Any):
        super().__init__(softmax, **more)
        self.greatest = greatest
        self.score = Signal.like(self.maximum)
        self.octaves = Signal(greatest.bit_length())
        self.looked_up = Signal(greatest.bit_length())
        self.first_entry = Signal.like(self.looked_up)
        self.weight = Signal.like(self.looked_up)
        self.total = Signal(softmax.totals.sums[0].shape())

    def describe(self, m: Module) -> None:
        self._follow(m)
        softmax, place, newest = self.softmax, self.place, self.newest
        total, greatest, added_t = self.total, self.greatest, self.softmax.adds.p.t
        # Whether there is a maximum; its first position.
        known = Signal()
        with m.If(self.stores):
            m.d.sync += known.eq(1)
            with m.If(~self.some | (self.score > self.maximum)):
                m.d.sync += place.eq(self.stores_t)
        # A sum is open from its first weight to that of the newest position.
        is_open, due, complete = Signal(), Signal(range(self.seq_len + 1)), Signal()
        is_last = added_t == newest
        with m.If(softmax.adds.valid):
            m.d.sync += [is_open.eq(~is_last), complete.eq(is_last), due.eq(added_t + 1)]
        is_out = self.valid[2] & (self.t[2] == added_t)
        in_turn = (softmax.adds.p.first == ~is_open) & (added_t == Mux(is_open, due, 0))
        self.suppose(
            "adds_what_is_out",
            implies(softmax.adds.valid, softmax.en & is_out),
            "What is added is the weight of the beat that is out.",
        )
        self.suppose(
            "adds_in_turn",
            implies(softmax.adds.valid, in_turn),
            "Each position is added once, in order, and the first begins the sum.",
        )
        self.suppose(
            "summed_first",
            implies(self.stores, ~is_open),
            "The next pass stores nothing before the sum of this one is complete.",
        )
        self.suppose(
            "maximum_weighs_most",
            self.first_entry == greatest,
            "A score that is the maximum has the greatest weight, in the table.",
        )

        self.claim(
            "empty",
            (self.empty == ~self.some) & implies(self.some, known),
            "The unit knows whether there is a score.",
        )
        exists = (place <= newest) & (newest < self.seq_len) & (self.at_place == self.maximum)
        fresh = self.some & (self.shown_t <= newest)
        beats = zip(self.valid, self.t, strict=True)
        under_way = [implies(valid, known & (t <= newest)) for valid, t in beats]
        self.claims(
            "The maximum stands at its place, which was stored; so is what is fresh, and on "
            "its way.",
            stored=implies(known, exists),
            fresh=implies(self.fresh, fresh) & Cat(under_way).all(),
        )
        # From there it goes through the pipeline, with nothing below it, to the greatest weight.
        steps = {
            "shown": (self.fresh, self.shown_t, self.shown == self.maximum),
            "held": (self.valid[0], self.t[0], self.held == self.maximum),
            "looked_up": (
                self.valid[1],
                self.t[1],
                (self.octaves == 0) & (self.looked_up == self.first_entry),
            ),
            "weight": (self.valid[2], self.t[2], self.weight == greatest),
        }
        for name, (valid, t, reached) in steps.items():
            self.claim(
                name, implies(valid & (t == place), reached), "The beat of its place has it."
            )
        includes = implies(due > place, total >= greatest)
        goes_on = known & (due > 0) & (due <= newest) & (total <= due * greatest)
        self.claim(
            "open",
            implies(is_open, goes_on & includes),
            "An open sum has it once it is behind its place, and has not wrapped.",
        )
        self.claim(
            "at_least_the_maximum",
            implies(complete, total >= greatest),
            "So has one that is complete.",
        )

        self.witness("complete", complete & (newest == 1) & (place == 1))
