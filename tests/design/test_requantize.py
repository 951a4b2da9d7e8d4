"""Rounding and saturation: hardware, golden, and fractions agree on every value."""

import math
from fractions import Fraction

import pytest
from amaranth import *
from amaranth.hdl import signed, unsigned
from hypothesis import given
from hypothesis import strategies as st

from design.requantize import (
    guard,
    requantize,
    round_guarded,
    saturate,
    shift_guarded,
    shift_right,
)
from golden import fixed_math
from spec.derived import MAX_SHIFT
from spec.fixed import SQ, Rounding
from tests.design.support import expect, signed_bits, simulate

WIDE = 54


def rounded(value: int, shift: int, rounding: Rounding) -> int:
    """The definition, on fractions."""
    exact = Fraction(value, 1 << shift)
    if rounding is Rounding.TRUNCATE:
        return math.floor(exact)
    if rounding is Rounding.HALF_UP:
        return math.floor(exact + Fraction(1, 2))
    return round(exact)


class Rounder(Elaboratable):
    """`value` shifted by `shift` (a constant, or a signal of 6 bits), once for each rounding."""

    def __init__(self, shape: Shape, shift: int | None = None, form: SQ | None = None):
        self.value = Signal(shape)
        self.shift = Signal(6)
        self.results = {rounding: Signal(signed(shape.width + 2)) for rounding in Rounding}
        self._shift = self.shift if shift is None else shift
        self._form = form

    def elaborate(self, platform):
        m = Module()
        for rounding, result in self.results.items():
            if self._form is None:
                m.d.comb += result.eq(shift_right(self.value, self._shift, rounding))
            else:
                m.d.comb += result.eq(requantize(self.value, self._shift, self._form, rounding))
        return m


WORKED = [
    (Rounding.TRUNCATE, {-5: -3, -3: -2, 3: 1}),
    (Rounding.HALF_UP, {-5: -2, -3: -1, 3: 2}),
    (Rounding.HALF_EVEN, {-5: -2, -3: -2, 3: 2}),
]


@pytest.mark.parametrize(("rounding", "halves"), WORKED)
@pytest.mark.parametrize("static", [True, False])
def test_worked_examples(rounding, halves, static):
    dut = Rounder(signed(4), 1 if static else None)

    async def testbench(ctx):
        ctx.set(dut.shift, 1)
        for value, expected in halves.items():
            ctx.set(dut.value, value)
            expect(ctx, dut.results[rounding], expected)
            assert fixed_math.shift_right(value, 1, rounding) == expected
            assert rounded(value, 1, rounding) == expected

    simulate(dut, testbench)


@pytest.mark.parametrize("shift", [None, *range(9)])
@pytest.mark.parametrize("shape", [signed(6), unsigned(6)])
def test_every_small_value(shape, shift):
    dut = Rounder(shape, shift)
    values = range(-32, 32) if shape.signed else range(64)
    shifts = (*range(9), MAX_SHIFT) if shift is None else (shift,)

    async def testbench(ctx):
        for by in shifts:
            ctx.set(dut.shift, by)
            for value in values:
                ctx.set(dut.value, value)
                for rounding, result in dut.results.items():
                    expect(ctx, result, rounded(value, by, rounding))

    simulate(dut, testbench)


@given(st.lists(st.tuples(signed_bits(WIDE), st.integers(0, MAX_SHIFT)), min_size=1))
def test_wide_values(cases):
    form = SQ(3, 15)
    raw, rebased = Rounder(signed(WIDE)), Rounder(signed(WIDE), form=form)
    dut = Module()
    dut.submodules += [raw, rebased]

    async def testbench(ctx):
        for value, shift in cases:
            for one in (raw, rebased):
                ctx.set(one.value, value)
                ctx.set(one.shift, shift)
            for rounding in Rounding:
                exact = rounded(value, shift, rounding)
                expect(ctx, raw.results[rounding], exact)
                within = min(max(exact, form.min), form.max)
                expect(ctx, rebased.results[rounding], within)

    simulate(dut, testbench)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("static", [True, False])
def test_a_shift_in_two_steps_rounds_once(rounding, static):
    value, shifts = Signal(signed(7)), [Signal(4), Signal(4)]
    pairs = [(0, 0), (1, 2), (3, 1), (2, 6), (9, 3)]
    results = [Signal(signed(9)) for _ in pairs]
    dut = Module()
    for pair, result in zip(pairs, results, strict=True):
        first, second = pair if static else shifts
        shifted = shift_guarded(shift_guarded(guard(value), first), second)
        dut.d.comb += result.eq(round_guarded(shifted, rounding))

    async def testbench(ctx):
        for pair, result in zip(pairs, results, strict=True):
            for port, shift in zip(shifts, pair, strict=True):
                ctx.set(port, shift)
            for each in range(-64, 64):
                ctx.set(value, each)
                expect(ctx, result, rounded(each, sum(pair), rounding))

    simulate(dut, testbench)


@pytest.mark.parametrize("form", [SQ(2, 0), SQ(1, 4), SQ(4, 4)], ids=str)
@pytest.mark.parametrize("shape", [signed(7), unsigned(7), signed(2)])
def test_saturation(form, shape):
    value, result = Signal(shape), Signal(signed(12))
    dut = Module()
    dut.d.comb += result.eq(saturate(value, form))

    async def testbench(ctx):
        low = -(1 << (shape.width - 1)) if shape.signed else 0
        for each in range(low, low + (1 << shape.width)):
            ctx.set(value, each)
            expect(ctx, result, min(max(each, form.min), form.max))

    simulate(dut, testbench)
