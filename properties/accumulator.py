"""Products within their bound, and sums that never wrap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth import *

from properties.dialect import OneOf, Theorem, implies
from spec.derived import EXPONENT_STEP


@dataclass(eq=False, kw_only=True)
class EachLaneMultiplies(Theorem):
    """Each lane of the array makes, 2 enabled cycles later, the product of its own operand and that
    of its slot, moved left by the exponent of the latter.

    `en` is the clock enable. By lane: `given` are its two operands and the exponent, `held` the
    registers that they go to, `products` the register of its product, `terms` what is added of it.
    There are `exponents` of them. No solver multiplies: specification and lane are the same product
    of the same registers.
    """

    en: Value
    given: Sequence[tuple[Value, Value, Value]]
    held: Sequence[tuple[Value, Value, Value]]
    products: Sequence[Value]
    terms: Sequence[Value]
    exponents: int

    def describe(self, m: Module) -> None:
        same_operands, same_product = [], []
        lanes = zip(self.given, self.held, self.products, self.terms, strict=True)
        for lane, (given, held, product, term) in enumerate(lanes):
            a, b, power = held
            asked = [Signal(each.shape(), name=f"asked_{lane}_{n}") for n, each in enumerate(given)]
            expected = Signal.like(product, name=f"expected_{lane}")
            expected_power = Signal.like(power, name=f"expected_power_{lane}")
            with m.If(self.en):
                m.d.sync += [each.eq(value) for each, value in zip(asked, given, strict=True)]
                m.d.sync += [expected.eq(a * b), expected_power.eq(power)]
            same_operands.append(
                Cat(each == before for each, before in zip(held, asked, strict=True)).all()
            )
            moved = term == expected << (EXPONENT_STEP * expected_power)
            same_product.append(
                (product == expected) & implies(expected_power < self.exponents, moved)
            )
        self.claim(
            "operands", Cat(same_operands).all(), "The operands are those that the lane was given."
        )
        self.claim(
            "product",
            Cat(same_product).all(),
            "The product is theirs, and what is added is that, moved by the exponent.",
        )
        self.witness("negative", self.products[-1] < -1)
        self.witness("positive", self.products[-1] > 1)


@dataclass(eq=False, kw_only=True)
class MultipliesWithinBound(Theorem):
    """What a lane adds for operands of two formats is no greater than the product of their greatest
    magnitudes.

    `en` is the lane's clock enable, `held` the registers of its operands and the exponent, `term`
    what is added; `formats` the bits of both operands and how many exponents the second has, by
    name. Obligations: one for each of `formats`.
    """

    en: Value
    held: tuple[Value, Value, Value]
    term: Value
    formats: Mapping[str, tuple[int, int, int]]

    def describe(self, m: Module) -> None:
        a, b, power = self.held
        for name, (a_bits, b_bits, exponents) in self.formats.items():
            fits = Signal(name=f"fits_{name}")
            bound = 1 << (a_bits - 1 + b_bits - 1 + EXPONENT_STEP * (exponents - 1))
            with m.If(self.en):
                m.d.sync += fits.eq(_is_of(a, a_bits) & _is_of(b, b_bits) & (power < exponents))
            within = (self.term >= -bound) & (self.term <= bound)
            self.claim(
                f"{name}_in_bound",
                implies(fits, within),
                "A product of these formats is within the bound of a term of their sum.",
            )
        self.witness("negative", self.term < -1)
        self.witness("positive", self.term > 1)


def _is_of(value: Value, width: int) -> Value:
    """`value` is a number of so many bits."""
    return value == value[:width].as_signed()


def _always_within(shape: Shape, low: int, high: int) -> bool:
    """Every number of this shape is."""
    least = -(1 << shape.width - 1) if shape.signed else 0
    return low <= least and least + (1 << shape.width) - 1 <= high


@dataclass(eq=False, kw_only=True)
class AccumulatesExactly(Theorem):
    """An accumulator holds the exact sum of its terms, and cannot overflow, as long as a sum has no
    more terms than the schedule gives it, each within its bound.

    `adds` says that `term` is added in this cycle, to nothing if it is the `first`; `total` is the
    register from the next cycle on. `start` is what a sum begins with. `terms` is the most of them,
    `low` and `high` the bounds of one. Of several accumulators `term` and `total` are those that
    `chosen` names.
    """

    adds: Value
    first: Value
    term: Value
    total: Value
    terms: int
    low: int
    high: int
    start: int = 0
    chosen: OneOf | None = None

    def describe(self, m: Module) -> None:
        if self.chosen:
            self.chosen.choose(self)
        limit = self.start + self.terms * max(self.high, -self.low)
        exact = Signal(signed(limit.bit_length() + 2))
        count = Signal(range(self.terms + 1))
        counted = Mux(self.first, 0, count)
        with m.If(self.adds):
            m.d.sync += [
                exact.eq(Mux(self.first, self.start, exact) + self.term),
                count.eq(counted + 1),
            ]
        within = (self.term >= self.low) & (self.term <= self.high)
        if not _always_within(Value.cast(self.term).shape(), self.low, self.high):
            self.suppose(
                "term_in_bound",
                implies(self.adds, within),
                "The same sum in a register that has room for it twice over.",
            )
        self.suppose(
            "no_more_terms",
            implies(self.adds, counted < self.terms),
            "A sum has no more terms than the schedule gives it.",
        )
        begun = count != 0
        self.suppose(
            "begins", implies(self.adds & ~begun, self.first), "The first term of all begins a sum."
        )

        self.claim("exact", implies(begun, self.total == exact), "The register is the exact sum.")
        least, most = count * self.low + self.start, count * self.high + self.start
        self.claim(
            "bounded",
            implies(begun, (exact >= least) & (exact <= most)),
            "That is no more than its terms allow, so that nothing ever left at the top.",
        )

        self.witness("long_sum", (count > 1) & (exact != 0))
