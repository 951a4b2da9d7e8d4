"""What a unit puts out is what golden computes: one theorem for each step of the arithmetic.

The expected value is no second writing: the harness runs golden's own lines on the inputs.
"""

from collections.abc import Mapping

from amaranth import *

from properties.dialect import Condition, OneOf, Theorem, stated


class _EqualsGolden(Theorem):
    """What comes out is what golden computes of what came in.

    `equal` are the claims, `given` what is supposed, `shown` the witnesses, about any of several
    that are alike where one is `chosen`.
    """

    def __init__(
        self,
        equal: Mapping[str, Condition],
        *,
        given: Mapping[str, Condition] | None = None,
        shown: Mapping[str, Value],
        chosen: OneOf | None = None,
    ):
        self.equal = equal
        self.given = given or {}
        self.shown = shown
        self.chosen = chosen

    def describe(self, m: Module) -> None:
        if self.chosen:
            self.chosen.choose(self)
        never = "What is not among these never comes."
        same = "Golden's integers are defined, and the same."
        for name, condition in self.given.items():
            self.suppose(name, *stated(condition, never))
        for name, condition in self.equal.items():
            self.claim(name, *stated(condition, same))
        for name, condition in self.shown.items():
            self.witness(name, condition)


class Requantizes(_EqualsGolden):
    """Shift, rounding and saturation give golden's integer for every value, at every place of the
    design that rounds and in every rounding mode."""


class RoundsSums(_EqualsGolden):
    """A sum leaves the writeback, 2 cycles after it came, as golden rounds it: to the format of its
    row, or to that of a sum in front of its factor."""


class ScalesSums(_EqualsGolden):
    """A rounded sum leaves the writeback, 3 cycles later, times its factor, as golden rounds it."""


class TurnsPairs(_EqualsGolden):
    """A pair (a, b) of a query or key leaves RoPE as golden turns it by the cosine and sine of its
    place in the table, whatever the table holds."""


class Gates(_EqualsGolden):
    """Sigmoid, silu, their product with up and its operand are golden's, whatever the table
    holds."""


class Weighs(_EqualsGolden):
    """The softmax weight of a score, of any slot, is golden's for every distance from the maximum,
    3 enabled cycles after the score memory shows the score, whatever the table of exp2 holds."""


class AddsUp(_EqualsGolden):
    """An element of the residual is golden's saturated sum, 1 cycle after what is added to it came;
    the embedding replaces it. It leaves as golden's operand, whose mantissa is squared, and the
    square is moved by twice the exponent."""


class FindsNorm(_EqualsGolden):
    """Exponent and factor of a norm are golden's for every sum of squares, whatever the table
    holds, and stay until the next."""


class FindsReciprocals(_EqualsGolden):
    """Shift and reciprocal of each sum of softmax weights are golden's, whatever the table
    holds, and stay until those of the next block."""


class Multiplies(_EqualsGolden):
    """A scalar multiplier gives, 2 cycles later, the product of the operands asked for."""
