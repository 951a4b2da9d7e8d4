"""The interpolated tables in hardware, against the same tables in golden."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from design.interpolate import Interpolator
from golden.fixed_math import interpolate
from spec import tables
from spec.config import named
from tests.design.support import WithScalars, costly, expect, simulate
from tests.strategies import NUMERICS
from tools.errors import BadInput

CONFIGS = [named("nano").with_numerics(numerics) for numerics in NUMERICS.values()]
TABLES = [
    table
    for config in CONFIGS
    for table in (tables.rsqrt(config), tables.reciprocal(config), tables.sigmoid(config))
]


@costly
@given(st.data())
def test_equals_golden_with_any_bubbles(data):
    table = data.draw(st.sampled_from(TABLES))
    x = st.none() | st.integers(0, (1 << table.input_bits) - 1)
    inputs = data.draw(st.lists(x, min_size=1, max_size=40))
    unit = Interpolator(table)

    async def testbench(ctx):
        for cycle in range(len(inputs) + Interpolator.latency):
            now = inputs[cycle] if cycle < len(inputs) else None
            ctx.set(unit.i.valid, now is not None)
            ctx.set(unit.i.p, now or 0)
            before = cycle - Interpolator.latency
            if before >= 0 and inputs[before] is not None:
                base, slope = np.array(table.base), np.array(table.slope)
                expect(ctx, unit.o, interpolate(table, base, slope, inputs[before]))
            # The product is asked for 1 cycle after the input, and at no other time.
            asks = 1 <= cycle <= len(inputs) and inputs[cycle - 1] is not None
            expect(ctx, unit.request.en, asks)
            if not asks:
                expect(ctx, unit.request.as_value(), 0)
            await ctx.tick()

    simulate(WithScalars(unit), testbench)


def test_a_table_too_wide_is_refused():
    table = tables.Interpolated(index_bits=1, fraction_bits=18, base=(0, 5), slope=(5, 0))
    with pytest.raises(BadInput, match="too wide for 18-bit multipliers"):
        Interpolator(table)
