"""Models of the writeback beside the circuits that golden's own lines draw."""

import itertools
from typing import Any

import numpy as np
from amaranth import *

from design.arith import pick
from design.beat import Sink, is_op, to_sink
from design.biases import Biases
from design.writeback import DIRECT, NORMED, Writeback, any_of, result_layout, sum_bits
from formal.harness.arithmetic import expected, later, stand_in
from formal.harness.ranges import norm_exponents, value_shifts
from formal.harness.terms import Circuit, Term, Terms, select
from formal.model import Model
from golden import steps
from golden.fast.decoder import Projection
from golden.quantise import Rows
from properties import golden as theorems
from properties.dialect import implies
from spec.config import Config
from spec.derived import SCALAR_BITS, SHIFT_BITS, derive
from spec.schedule import Op, matrix, ops


def _looked_up(column: np.ndarray, row: Term) -> Terms:
    """The entry of golden's array at the element's row, as a row of one."""
    entry = int(column[0])
    found: Term | int = entry
    for start, (before, value) in enumerate(itertools.pairwise(column), 1):
        if before != value:
            found = select(row >= start, int(value), found)
    return Terms(found)


def _projection(config: Config, op: Op, row: Value, shift: Value) -> Projection:
    """Golden's matrix of one row, any row of `op`, with its one weight 1."""
    rows = Rows(weights=Terms(1).reshape(1, 1), shift=Terms(shift))
    projection = Projection(config, op, rows)
    # Beyond what float64 sums exactly golden's integers do the same.
    projection.always_exact = True
    for limits in ("limits", "sum_limits"):
        low, high = (_looked_up(each, Term(row)) for each in getattr(projection, limits))
        setattr(projection, limits, (low, high))
    return projection


def _is(op: Op | None, element: Any) -> Value:
    """`element` is of the projection, or else a value sum."""
    return element.sink == Sink.VALUE if op is None else is_op(op, element)


def _select(element: Any, terms: dict[Op | None, Term]) -> Term:
    """The term of what an element is of."""
    (_, found), *rest = terms.items()
    for each, term in rest:
        found = select(_is(each, element), term, found)
    return found


def _row_exists(config: Config, element: Any) -> Value:
    """The element is a row of its matrix."""
    return Cat(
        implies(_is(op, element), element.row < matrix(config, op).rows) for op in ops(config)
    ).all()


def _shown(terms: dict[Op | None, Term], out: Any, valid: Value) -> dict[str, Value]:
    """Witnesses: a negative value of each."""
    names = {op: "value" if op is None else op.name.lower() for op in terms}
    return {
        f"{name}_negative": valid & _is(op, out) & (out.value < 0) for op, name in names.items()
    }


def sums_rounded(config: Config) -> Model:
    """Sums as they come, with the shifts that their units give."""
    derived, n = derive(config), config.numerics
    dut, glue = Writeback(config), Module()
    raw = dut.i.p
    exponents, shifts = norm_exponents(config), value_shifts(config)
    shift_of_slot = pick(dut.value_shifts, raw.slot)
    # Reciprocals adds a constant to the exponent of the sum of weights.
    rebase = n.v.f - n.attention.f + derived.lead
    sum_exponents = range(shifts[0] - rebase, shifts[-1] - rebase + 1)

    golden: dict[Op | None, Term] = {}
    with Circuit(glue):
        total = Terms(raw.sum).reshape(1, 1)
        norm_exponent = Terms(Term(dut.norm_exponent, exponents))
        for op in ops(config):
            projection = _projection(config, op, raw.row, raw.shift)
            if to_sink(op) in NORMED:
                ((golden[op],),) = projection.behind_norm(total, norm_exponent)
            else:
                ((golden[op],),) = projection(total)
        value_exponent = Terms(Term(shift_of_slot - rebase, sum_exponents))
        ((golden[None],),) = steps.value_sum(n, total, value_exponent)
        result = expected(glue, _select(raw, golden), dut.latency)
        same = result.equals(dut.o.p.value)
    came = later(glue, dut.i.valid, dut.latency)
    in_time = dut.o.valid == came
    if config.shape.qkv_bias:
        # Biases are kept as they come, nothing else is.
        kept = dut.biases
        was_bias, row = (later(glue, each, dut.latency) for each in (is_op(Op.BIAS, raw), raw.row))
        in_time &= kept.wr_en == (came & was_bias)
        same &= implies(kept.wr_en, (kept.wr_row == row) & result.equals(kept.wr_data))
    equal = {"value": implies(came, same), "in_time": in_time}
    in_range = (shift_of_slot >= shifts[0]) & (shift_of_slot <= shifts[-1])
    given = {
        # Only of what comes: a pass of scores lies in the drain, too, and before the first norm and
        # block there are neither exponents nor shifts.
        "no_score": implies(dut.i.valid, raw.sink != Sink.SCORE),
        "row_exists": implies(dut.i.valid, _row_exists(config, raw)),
        "norm_exponent": implies(
            dut.i.valid & any_of(raw.sink, NORMED), dut.norm_exponent < exponents.stop
        ),
        "value_shift": implies(dut.i.valid & (raw.sink == Sink.VALUE), in_range),
    }
    shown = _shown(golden, dut.o.p, dut.o.valid)
    return Model(dut, theorems.RoundsSums(equal, given=given, shown=shown), glue=glue)


def sums_scaled(config: Config) -> Model:
    """Rounded sums as they stood at the output, with their factor, when their product is there.

    Where the shape has biases, the memory is asked for that of the row, and what it shows is added.
    """
    n = config.numerics
    dut, glue = Writeback(config), Module()
    # From the request for a product to the product that is rounded.
    scaling = dut.scaled_latency - dut.latency
    came, factor, of_slot = (
        later(glue, each, scaling - 1)
        for each in (dut.o.p, dut.norm_factor, pick(dut.value_factors, dut.o.p.slot))
    )
    came = result_layout(config, sum_bits(config))(came)
    golden: dict[Op | None, Term] = {}
    right_row: Value = C(1, 1)
    with Circuit(glue, stand_in(glue, dut, scaling)):
        sums = Terms(came.value[:SCALAR_BITS].as_signed()).reshape(1, 1)
        for op in (op for op in ops(config) if to_sink(op) in NORMED):
            bias: Any = 0
            if op is Op.QKV and config.shape.qkv_bias:
                bias = Terms(dut.biases.rd_data).reshape(1, 1)
                asked = later(glue, Cat(dut.biases.rd_en, dut.biases.rd_row), Biases.latency)
                right_row = implies(is_op(op, came), asked == Cat(C(1, 1), came.row))
            projection = _projection(config, op, came.row, C(0, SHIFT_BITS))
            ((golden[op],),) = projection.scaled(sums, Terms(factor), bias)
        ((golden[None],),) = steps.attended(n, sums, Terms(of_slot))
        result = expected(glue, _select(came, golden), 1)
        same = result.equals(dut.scaled.p.value)
    asks = dut.o.valid & ~any_of(dut.o.p.sink, DIRECT) & (dut.o.p.sink != Sink.SCORE)
    there = later(glue, asks, scaling)
    given = {"row_exists": implies(asks, _row_exists(config, dut.o.p))}
    shown = _shown(golden, dut.scaled.p, there)
    equal = {"value": implies(there, same & later(glue, right_row, 1))}
    theorem = theorems.ScalesSums(equal, given=given, shown=shown)
    return Model(dut, theorem, glue=glue, driven=("products",))
