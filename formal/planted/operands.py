"""Floating-point operands of the matrices, rounded, moved and squared wrongly."""

from formal.planted.bug import planted

OPERANDS = (
    planted(
        "nano_wide", "arith.residual",
        "an element in the middle has the greatest exponent",
        "design.operand", "to_operand", "Mux(fits, smaller, exponent)",
        "Mux(fits & (smaller == 0), smaller, exponent)",
    ),
    planted(
        "nano_wide", "arith.residual",
        "a mantissa that rounding makes too large keeps its exponent",
        "design.operand", "to_operand", "rounded[bits - 1 :]",
        "(value >> (EXPONENT_STEP * smaller))[bits - 1 :]",
    ),
    planted(
        "nano_wide", "arith.residual",
        "a mantissa is truncated",
        "design.operand", "to_operand", "shift_right(value, EXPONENT_STEP * smaller, rounding)",
        "shift_right(value, EXPONENT_STEP * smaller, Rounding.TRUNCATE)",
    ),
    planted(
        "nano_wide", "arith.swiglu",
        "the matrix reads the low bits of the hidden vector",
        "design.swiglu", "SwiGlu.elaborate", "to_operand(ffn, n.ffn, n.rounding)", "ffn",
    ),
    planted(
        "nano_wide", "arith.residual",
        "a square is moved by the exponent once",
        "design.residual", "Residual.elaborate", "2 * EXPONENT_STEP", "EXPONENT_STEP",
    ),
    planted(
        "nano_wide", "arith.residual",
        "a square is moved by the exponent of the element that comes next",
        "design.residual", "Residual.elaborate", "asked.exponent", "operand.exponent",
    ),
    planted(
        "nano_wide", "arith.lanes",
        "a product is moved by a bit too few",
        "design.array", "MultiplierArray.elaborate", "times_power(product, exponent, count)",
        "times_power(product, exponent, count, EXPONENT_STEP - 1)",
    ),
    planted(
        "nano_wide", "arith.lanes",
        "a product is moved by the exponent of the next one",
        "design.array", "MultiplierArray.elaborate", "of_products[lane // derived.per_slot]",
        "exponents[lane // derived.per_slot]",
    ),
    planted(
        "nano_wide", "dataflow.routing",
        "the upper half of the lanes has the exponent of the left half of a column-split row",
        "design.issue", "Issue._operands", "exponents[2 * slot // derived.slots]", "exponents[0]",
    ),
    planted(
        "nano_wide", "dataflow.routing",
        "a query is moved by the exponent of the residual",
        "design.issue", "Issue._operands", "is_kind[Kind.WEIGHT]", "~is_kind[Kind.HEADER]",
    ),
    planted(
        "nano_wide", "arith.sum.qkv",
        "an accumulator has no room for the exponent",
        "spec.derived",
        "derive",
        "sum_width(shape.dim, numerics.weight_bits, operand_bits(numerics.residual))",
        "sum_width(shape.dim, numerics.weight_bits, mantissa_bits(numerics.residual))",
    ),
)  # fmt: skip
