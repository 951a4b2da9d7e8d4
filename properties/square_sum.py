"""The sum of squares that a norm begins with."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

from amaranth import *

from design.beat import is_op
from properties.dialect import Theorem, implies
from spec.config import Config
from spec.derived import derive, mantissa_bits, operand_bits
from spec.schedule import Op

#: Cycles from an element to its square: it is written, multiplied, and the product is there.
_SQUARE_LATENCY = 3


@dataclass(eq=False)
class SquareSumHolds(Theorem):
    """When the residual says that it is complete, its sum of squares is at least epsilon, and stays
    for another cycle; each sum begins with the first element, and has no more than all of them.

    `residual` has the signature of `design.residual.Residual`; its products must be the squares of
    the operands `a` that it asks for. `adds` says that `square` is added in this cycle, `first`
    that it is the first, to epsilon.
    """

    config: Config
    residual: Any
    _: KW_ONLY
    adds: Value
    first: Value
    square: Value

    def describe(self, m: Module) -> None:
        residual, adds, first = self.residual, self.adds, self.first
        total, square = residual.square_sum, self.square
        dim, form = self.config.shape.dim, self.config.numerics.residual
        epsilon, most = derive(self.config).epsilon, 1 << 2 * (operand_bits(form) - 1)
        updates = Cat(is_op(op, residual.i.p) for op in (Op.EMBED, Op.WO, Op.W2)).any()
        takes = residual.i.valid & updates
        row = Signal(range(dim))  # that comes next
        came_last = Signal()
        m.d.sync += came_last.eq(takes & (row == dim - 1))
        with m.If(takes):
            m.d.sync += row.eq(Mux(row == dim - 1, 0, row + 1))
        self.suppose(
            "rows_in_order",
            implies(takes, residual.i.p.row == row),
            "Each update brings all elements, in order.",
        )
        self.suppose(
            "updates_apart",
            implies(came_last, ~takes),
            "Behind the last element of an update is a cycle without one.",
        )

        # The row whose square is, or will be, added next.
        due = row
        for cycle in range(_SQUARE_LATENCY):
            earlier = Signal.like(row, name=f"row_{cycle + 1}_ago")
            m.d.sync += earlier.eq(due)
            due = earlier
        # Squares in this sum.
        count = Signal(range(dim + 1))
        counted = Mux(first, 0, count)
        completes = Signal()
        sum_then, was_complete = Signal.like(total), Signal()
        m.d.sync += [
            completes.eq(adds & (due == dim - 1)),
            sum_then.eq(total),
            was_complete.eq(residual.complete),
        ]
        with m.If(adds):
            m.d.sync += count.eq(counted + 1)

        request = residual.requests[0]
        is_element = request.a == request.a[: mantissa_bits(form)].as_signed()
        asks_square = (request.a == request.b) & is_element
        self.claim("squares", implies(request.en, asks_square), "It asks for squares of elements.")
        in_bound = (square >= 0) & (square <= most)
        self.claim(
            "term_in_bound",
            implies(adds, in_bound),
            "A square is not negative, nor greater than that of the least element.",
        )
        self.claim(
            "begins",
            implies(adds & (count == 0), first),
            "Whatever comes after a reset begins a sum.",
        )
        all_or_none = (count == 0) | (count == dim)
        own_count = Mux(due == 0, all_or_none, count == due)
        self.claims(
            "Each element is squared once.",
            no_more_terms=implies(adds, counted < dim),
            counted=own_count & (row < dim),
        )
        within = (total >= epsilon) & (total <= epsilon + count * most)
        self.claim("bounded", implies(count != 0, within), "The sum has not wrapped.")
        self.claim(
            "complete",
            residual.complete == completes,
            "The residual is complete when the last square is added, and only then.",
        )
        at_least_epsilon = implies(residual.complete, total >= epsilon)
        self.claim(
            "at_least_epsilon",
            at_least_epsilon,
            "Its sum of squares is never less than what it begins with.",
        )
        self.claim(
            "sum_stays",
            implies(was_complete, total == sum_then),
            "It stays for the cycle in which the norm looks at it.",
        )

        self.witness("complete", residual.complete)
