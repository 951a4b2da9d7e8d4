"""The reciprocals of the sums of weights, against golden, slot by slot."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from design.reciprocals import Reciprocals
from golden import fixed_math
from spec import tables
from spec.derived import derive
from spec.trace import Tensor
from tests.design.support import (
    WithScalars,
    column,
    costly,
    expect,
    heads_of,
    records,
    simulate,
    small_configs,
)


@st.composite
def cases(draw):
    """A configuration, and rounds of a block, the sum of each slot, and cycles to the next."""
    config = draw(small_configs)
    derived, n = derive(config), config.numerics
    least, most = n.weight.max, config.shape.seq_len * n.weight.max
    total = st.sampled_from([least, most]) | st.integers(least, most)
    sums = st.lists(total, min_size=derived.slots, max_size=derived.slots)
    block = st.integers(0, derived.head_blocks - 1)
    rounds = st.tuples(block, sums, st.integers(0, 4))
    return config, draw(st.lists(rounds, min_size=1, max_size=3))


@costly
@given(cases())
def test_equals_golden(case):
    config, rounds = case
    derived, n = derive(config), config.numerics
    unit = Reciprocals(config)
    table = tables.reciprocal(config)
    layer = config.shape.layers - 1

    async def run_round(ctx, block: int, sums: list[int], pause: int) -> None:
        m, e = fixed_math.reciprocal_operand(column(sums))
        mantissas = fixed_math.interpolate(table, np.array(table.base), np.array(table.slope), m)
        totals = unit.totals
        ctx.set(totals.sums, sums)
        ctx.set(totals.maxima, [slot - 1 for slot in range(derived.slots)])
        ctx.set(totals.block, block)
        ctx.set(totals.layer, layer)
        # With one multiplier, value sums wait for the last slot.
        awaited = 0 if derived.scalar_multipliers > 1 else derived.slots - 1
        for port in (totals.first, totals.complete):
            ctx.set(port, 1)
            await ctx.tick()
            ctx.set(port, 0)
            at_once = Reciprocals.ready_latency + awaited == 1
            expect(ctx, unit.ready, port is totals.complete and at_once)
        # `complete` was one cycle ago.
        enough = Reciprocals.ready_latency + awaited
        heads = heads_of(config, block)
        for cycle in range(1, Reciprocals.latency + derived.slots + pause):
            expect(ctx, unit.ready, cycle >= enough)
            for slot in range(derived.slots):
                if cycle >= Reciprocals.shift_latency + slot:
                    shift = e[slot] + n.v.f - n.attention.f + derived.lead
                    expect(ctx, unit.shifts[slot], shift)
                if cycle >= Reciprocals.latency + slot:
                    expect(ctx, unit.factors[slot], mantissas[slot])
            found = cycle - Reciprocals.latency + 1  # in this cycle, for the next
            expected = []
            if found in heads:
                head = heads[found]
                expected = [
                    (Tensor.RECIPROCAL, layer, 2 * head, mantissas[found]),
                    (Tensor.RECIPROCAL, layer, 2 * head + 1, e[found]),
                    (Tensor.MAXIMUM, layer, head, found - 1),
                ]
            assert records(ctx, unit.trace) == expected
            await ctx.tick()

    async def testbench(ctx):
        expect(ctx, unit.ready, 0)
        for each in rounds:
            await run_round(ctx, *each)

    simulate(WithScalars(unit), testbench)
