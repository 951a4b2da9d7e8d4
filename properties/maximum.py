"""The running maximum of a slot's scores."""

from typing import Any

from amaranth import *

from properties.dialect import OneOf, Theorem, implies


class RunningMaximum(Theorem):
    """The running maximum of a slot is the greatest of the scores stored since the last `clear`.

    `softmax` has the signature of `design.softmax.Softmax`, `chosen` is any of its slots. Scores
    are read off its trace; they are stored when `stored` says so (see `ScoresKept`). `empty` says
    that none is, for the induction.
    """

    def __init__(self, softmax: Any, *, chosen: OneOf, stored: Value, empty: Value):
        self.softmax = softmax
        self.chosen = chosen
        self.stored = stored
        self.empty = empty

    def describe(self, m: Module) -> None:
        softmax, slots = self.softmax, range(self.chosen.size)
        self.chosen.choose(self)
        maximum = self.chosen.of(softmax.totals.maxima[slot] for slot in slots)
        score = self.chosen.of(softmax.trace[2 * slot].value for slot in slots)
        # A score that the solver chooses; whether it came, and whether any did.
        chosen = Signal(maximum.shape(), name="score")
        m.d.comb += chosen.eq(self.constant(len(chosen)))
        came, some_came = Signal(), Signal()
        with m.If(softmax.clear):
            m.d.sync += [came.eq(0), some_came.eq(0)]
        with m.Elif(self.stored):
            m.d.sync += [came.eq(came | (score == chosen)), some_came.eq(1)]

        self.claim("none_greater", implies(came, chosen <= maximum), "No score is greater.")
        is_chosen = some_came & (maximum == chosen)
        self.claim("one_of_them", implies(is_chosen, came), "The maximum is one of them.")
        knows = (self.empty == ~some_came) & implies(came, some_came)
        self.claim("empty", knows, "The unit knows whether there is one.")

        self.witness("two_scores", came & (chosen < maximum))
