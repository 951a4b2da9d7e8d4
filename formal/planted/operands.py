"""Floating-point operands of the matrices, rounded, moved and squared wrongly."""

from formal.planted.bug import planted

OPERANDS = (
    planted(
        "nano_wide", "arith.residual",
        "an element in the middle has the greatest exponent",
        "design.operand", "exponent = Mux(fits, smaller, exponent)",
        "exponent = Mux(fits & (smaller == 0), smaller, exponent)",
    ),
    planted(
        "nano_wide", "arith.residual",
        "a mantissa that rounding makes too large keeps its exponent",
        "design.operand", "above = rounded[bits - 1 :]",
        "above = (value >> (EXPONENT_STEP * smaller))[bits - 1 :]",
    ),
    planted(
        "nano_wide", "arith.residual",
        "a mantissa is truncated",
        "design.operand", "rounded = shift_right(value, EXPONENT_STEP * smaller, rounding)",
        "rounded = shift_right(value, EXPONENT_STEP * smaller, Rounding.TRUNCATE)",
    ),
    planted(
        "nano_wide", "arith.swiglu",
        "the matrix reads the low bits of the hidden vector",
        "design.swiglu", "self.o.eq(to_operand(ffn, n.ffn, n.rounding))", "self.o.eq(ffn)",
    ),
    planted(
        "nano_wide", "arith.residual",
        "a square is moved by the exponent once",
        "design.residual", "count, 2 * EXPONENT_STEP)", "count, EXPONENT_STEP)",
    ),
    planted(
        "nano_wide", "arith.residual",
        "a square is moved by the exponent of the element that comes next",
        "design.residual", "            of_square = later\n", "",
    ),
    planted(
        "nano_wide", "arith.lanes",
        "a product is moved by a bit too few",
        "design.array", "times_power(product, exponent, count)",
        "times_power(product, exponent, count, EXPONENT_STEP - 1)",
    ),
    planted(
        "nano_wide", "arith.lanes",
        "a product is moved by the exponent of the next one",
        "design.array", "exponent = of_products[lane // derived.per_slot]",
        "exponent = exponents[lane // derived.per_slot]",
    ),
    planted(
        "nano_wide", "dataflow.routing",
        "the upper half of the lanes has the exponent of the left half of a column-split row",
        "design.issue", "exponents[2 * slot // derived.slots]", "exponents[0]",
    ),
    planted(
        "nano_wide", "dataflow.routing",
        "a query is moved by the exponent of the residual",
        "design.issue", "with m.If(is_kind[Kind.WEIGHT]):", "with m.If(~is_kind[Kind.HEADER]):",
    ),
    planted(
        "nano_wide", "arith.sum.qkv",
        "an accumulator has no room for the exponent",
        "spec.derived",
        "sum_width(shape.dim, numerics.weight_bits, operand_bits(numerics.residual))",
        "sum_width(shape.dim, numerics.weight_bits, mantissa_bits(numerics.residual))",
    ),
)  # fmt: skip
