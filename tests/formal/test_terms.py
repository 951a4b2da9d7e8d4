"""Golden's functions give the same results on Amaranth values as on numpy arrays."""

import numpy as np
import pytest
from amaranth import *
from amaranth.hdl import signed
from hypothesis import given
from hypothesis import strategies as st

from formal.harness.terms import Circuit, Lookup, Term, Terms, term
from golden import fixed_math, steps
from golden.fast.decoder import _round
from spec.config import named
from spec.fixed import SQ, Rounding
from tests.design.support import costly, signed_bits, simulate

N = named("nano").numerics
FORM = SQ(4, 4)
TABLE = [3, -1, 4, -1, 5, -9, 2, 6]


def golden(value, shift, positive):
    """Every operation of golden: the same call for arrays and for terms."""
    results = []
    for rounding in Rounding:
        results.append(fixed_math.requantize(value, shift, FORM, rounding))
        total = value.astype(np.float64) * np.exp2(3 - shift)
        _round(total, (FORM.min, FORM.max), rounding)
        results.append(total)
    results += fixed_math.rsqrt_operand(*fixed_math.halves(positive))
    results.append(fixed_math.operand(value, SQ(12, 13), Rounding.HALF_EVEN))
    results += fixed_math.reciprocal_operand(positive)
    results.append(steps.gated(N, value, positive))
    results.append(np.where(value > 5, value, -shift))
    results.append((value.reshape(1, 1) @ shift.reshape(1, 1))[0])
    return results


@costly
@given(
    st.booleans(),
    st.lists(st.tuples(signed_bits(20), st.integers(0, 31), st.integers(1, 1 << 17))),
)
def test_terms_compute_what_numpy_does(by_bits, cases):
    ports = value, shift, positive = Signal(signed(20)), Signal(5), Signal(18)
    m = Module()
    checks = []
    with Circuit(m, by_bits=by_bits):
        drawn = golden(Terms(value), Terms(shift), Terms(positive))
        drawn.append(Lookup(lambda at: Array(TABLE)[at.value])[Terms(shift) & 7])
        for (term,) in drawn:
            number, fine = Signal(signed(64)), Signal()
            m.d.comb += [number.eq(term._fixed().value), fine.eq(term.defined)]
            checks.append((number, fine))

    async def testbench(ctx):
        for numbers in cases:
            for port, number in zip(ports, numbers, strict=True):
                ctx.set(port, number)
            exact = golden(*(np.array([number]) for number in numbers))
            exact.append(np.array([TABLE[numbers[1] & 7]]))
            for (number, fine), (right,) in zip(checks, exact, strict=True):
                assert ctx.get(fine)
                assert ctx.get(number) == right

    simulate(m, testbench)


def test_a_negative_shift_is_not_defined_nor_is_what_int64_does_not_hold():
    amount, wide = Signal(signed(4)), Signal(signed(60))
    m = Module()
    with Circuit(m):
        shifted, product = term(5) << Term(amount), Term(wide) * Term(wide)
        results = []
        for found, number in ((shifted, 20), (product, 1 << 60)):
            same = Signal()
            m.d.comb += same.eq(found.equals(C(number)))
            results.append((found.defined, same))

    async def testbench(ctx):
        for by, factor, expected in ((2, 1 << 30, True), (-2, 1 << 40, False)):
            ctx.set(amount, by)
            ctx.set(wide, factor)
            for defined, same in results:
                assert ctx.get(defined) == ctx.get(same) == expected

    simulate(m, testbench)


def test_golden_must_not_branch_on_a_term():
    with Circuit(Module()), pytest.raises(TypeError, match="golden must not branch on a value"):
        bool(Term(Signal()))
