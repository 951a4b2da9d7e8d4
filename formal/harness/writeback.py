"""Models of the writeback beside the circuits that golden's own lines draw."""

import itertools
from typing import Any

import numpy as np
from amaranth import *

from design.arith import pick
from design.beat import Sink, to_sink
from design.config import Config
from design.derived import SCALAR_BITS, SHIFT_BITS, derive
from design.schedule import Op, matrix
from design.writeback import DIRECT, NORMED, Writeback, any_of
from formal.harness.arithmetic import expected, later, stand_in
from formal.harness.ranges import norm_exponents, value_shifts
from formal.model import Model
from formal.terms import Circuit, Term, Terms, select
from golden import steps
from golden.fixed_decoder import Projection
from golden.quantise import Rows
from properties import golden as theorems
from properties.dialect import implies


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


_OPS: dict[Any, Op] = {to_sink(op): op for op in Op}


def _by_sink(sink: Value, terms: dict[Any, Term]) -> Term:
    """The term of an element's sink."""
    (_, found), *rest = terms.items()
    for each, term in rest:
        found = select(sink == each, term, found)
    return found


def _row_exists(config: Config, element: Value) -> Value:
    """The element is a row of its matrix."""
    return Cat(
        implies(element.sink == sink, element.row < matrix(config, op).rows)
        for sink, op in _OPS.items()
    ).all()


def sums_rounded(config: Config) -> Model:
    """Sums as they come, with the shifts that their units give."""
    derived, n = derive(config), config.numerics
    dut = Writeback(config)
    glue = Module()
    raw = dut.i
    exponents, shifts = norm_exponents(config), value_shifts(config)
    shift_of_slot = pick(dut.value_shifts, raw.slot)
    # Reciprocals adds a constant to the exponent of the sum of weights.
    rebase = n.v.f - n.attention.f + derived.lead
    sum_exponents = range(shifts[0] - rebase, shifts[-1] - rebase + 1)

    golden: dict[Any, Term] = {}
    with Circuit(glue):
        total = Terms(raw.sum).reshape(1, 1)
        norm_exponent = Terms(Term(dut.norm_exponent, exponents))
        for sink, op in _OPS.items():
            projection = _projection(config, op, raw.row, raw.shift)
            if sink in NORMED:
                ((golden[sink],),) = projection.behind_norm(total, norm_exponent)
            else:
                ((golden[sink],),) = projection(total)
        value_exponent = Terms(Term(shift_of_slot - rebase, sum_exponents))
        ((golden[Sink.VALUE],),) = steps.value_sum(n, total, value_exponent)
        result = expected(glue, _by_sink(raw.sink, golden), 2)
        same = result.equals(dut.o.value)
    came = later(glue, dut.i_valid, 2)
    equal = {"value": implies(came, same), "in_time": dut.o_valid == came}
    in_range = (shift_of_slot >= shifts[0]) & (shift_of_slot <= shifts[-1])
    given = {
        # Only of what comes: a pass of scores lies in the drain, too, and before the first norm and
        # block there are neither exponents nor shifts.
        "no_score": implies(dut.i_valid, raw.sink != Sink.SCORE),
        "row_exists": implies(dut.i_valid, _row_exists(config, raw)),
        "norm_exponent": implies(
            dut.i_valid & any_of(raw.sink, NORMED), dut.norm_exponent < exponents.stop
        ),
        "value_shift": implies(dut.i_valid & (raw.sink == Sink.VALUE), in_range),
    }
    shown = {
        f"{sink.name.lower()}_negative": dut.o_valid & (dut.o.sink == sink) & (dut.o.value < 0)
        for sink in golden
    }
    return Model(dut, theorems.RoundsSums(equal, given=given, shown=shown), glue=glue)


def sums_scaled(config: Config) -> Model:
    """Rounded sums as they stand at the output, with their factor."""
    n = config.numerics
    dut = Writeback(config)
    glue = Module()
    golden: dict[Any, Term] = {}
    with Circuit(glue, stand_in(glue, dut)):
        sums = Terms(dut.o.value[:SCALAR_BITS].as_signed()).reshape(1, 1)
        for sink in NORMED:
            projection = _projection(config, _OPS[sink], dut.o.row, C(0, SHIFT_BITS))
            ((golden[sink],),) = projection.scaled(sums, Terms(dut.norm_factor))
        of_slot = Terms(pick(dut.value_factors, dut.o.slot))
        ((golden[Sink.VALUE],),) = steps.attended(n, sums, of_slot)
        result = expected(glue, _by_sink(dut.o.sink, golden), 3)
        same = result.equals(dut.scaled.value)
    asks = dut.o_valid & ~any_of(dut.o.sink, DIRECT) & (dut.o.sink != Sink.SCORE)
    came = later(glue, asks, 3)
    given = {"row_exists": implies(asks, _row_exists(config, dut.o))}
    shown = {
        f"{sink.name.lower()}_negative": came & (dut.scaled.sink == sink) & (dut.scaled.value < 0)
        for sink in golden
    }
    theorem = theorems.ScalesSums({"value": implies(came, same)}, given=given, shown=shown)
    return Model(dut, theorem, glue=glue, driven=("products",))
