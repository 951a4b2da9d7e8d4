"""What softmax weights add up to."""

from amaranth import *

from properties.dialect import Theorem

#: How far from 1 the weights, divided by their sum, may add up to: docs/numerics.md.
DISTANCE = 3.4e-5
#: Bits of a fraction in which `DISTANCE` is counted.
_FRACTION = 40


class WeightsSumToOne(Theorem):
    """Whatever the softmax weights, times the reciprocal that golden finds for their sum, in the
    table that the design has, they add up to 1 within `DISTANCE`.

    `total` is the sum, `product` that times the factor, which stands for ``product / unit / 2**e``.
    """

    def __init__(
        self, total: Value, *, least: int, product: Value, e: Value, unit: int, defined: Value
    ):
        self.total = total
        self.least = least
        self.product = product
        self.e = e
        self.unit = unit
        self.defined = defined

    def describe(self, m: Module) -> None:
        self.suppose(
            "at_least_the_maximum",
            self.total >= self.least,
            "The weight of the maximum is among those that are summed.",
        )

        one = C(self.unit) << self.e
        away = Mux(self.product < one, one - self.product, self.product - one)
        near = C(int(DISTANCE * self.unit * 2**_FRACTION)) << self.e
        self.claim(
            "near_one",
            (away << _FRACTION) <= near,
            "Product and one are no farther apart than that.",
        )
        self.claim("defined", self.defined, "Golden's own integers can follow.")

        far = C(int(0.8 * DISTANCE * self.unit * 2**_FRACTION)) << self.e
        self.witness(
            "far",
            (away << _FRACTION) > far,
            "The bound is no idle one: some sum is more than four fifths of it away.",
        )
