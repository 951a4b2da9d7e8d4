"""SwiGLU against golden: gates on even cycles, their ups behind them, or later on one lane."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from design import tables
from design.beat import Sink
from design.config import Config
from design.derived import TABLE_FRACTION
from design.swiglu import SwiGlu
from design.trace import Tensor
from golden.fixed_math import interpolate, requantize
from tests.design.support import (
    WithScalars,
    costly,
    in_format,
    offer,
    records,
    simulate,
    small_configs,
)


def golden(config: Config, gate: int, up: int) -> dict[Tensor, int]:
    n, table = config.numerics, tables.sigmoid(config)
    x = gate - n.gate.min
    sigmoid = int(interpolate(table, np.array(table.base), np.array(table.slope), x))
    shift = TABLE_FRACTION + n.gate.f - n.silu.f
    silu = int(requantize(gate * sigmoid, shift, n.silu, n.rounding))
    ffn = int(requantize(silu * up, n.silu.f + n.up.f - n.ffn.f, n.ffn, n.rounding))
    return {Tensor.SIGMOID: sigmoid, Tensor.SILU: silu, Tensor.FFN: ffn}


@st.composite
def cases(draw):
    config = draw(small_configs)
    n, hidden = config.numerics, config.shape.hidden
    # An up follows its gate, or starts a pass of its own on an even cycle.
    lateness = st.sampled_from([2, 4, 6, 8, 10]) if config.geometry.lanes == 1 else st.just(1)
    pause = st.sampled_from([0, 0, 2, 4])
    pair = st.tuples(in_format(n.gate), in_format(n.up), lateness, pause)
    return config, draw(st.lists(pair, min_size=hidden, max_size=hidden))


@costly
@given(cases(), st.booleans())
def test_equals_golden(case, odd):
    config, pairs = case
    unit = SwiGlu(config)
    layer = config.shape.layers - 1
    offered: dict[int, dict] = {}
    outputs: dict[int, int] = {}
    expected: dict[Tensor, list] = {tensor: [] for tensor in golden(config, 0, 0)}
    cycle = int(odd)  # all gates have the same parity, whichever
    for index, (gate, up, lateness, pause) in enumerate(pairs):
        common = dict(sink=Sink.W13, layer=layer)
        offered[cycle] = dict(value=gate, row=2 * index, **common)
        offered[cycle + lateness] = dict(value=up, row=2 * index + 1, **common)
        values = golden(config, gate, up)
        outputs[max(cycle + 9, cycle + lateness + 4)] = values[Tensor.FFN]
        for tensor, value in values.items():
            expected[tensor].append((tensor, layer, index, value))
        cycle += lateness + 2 - lateness % 2 + pause

    async def testbench(ctx):
        traced: dict[Tensor, list] = {tensor: [] for tensor in expected}
        for now in range(max(outputs) + 3):
            offer(ctx, unit, offered.get(now, dict(value=1, sink=Sink.WO)))
            assert ctx.get(unit.o_valid) == (now in outputs)
            if now in outputs:
                assert ctx.get(unit.o) == outputs[now]
            for record in records(ctx, unit.trace):
                traced[record[0]].append(record)
            await ctx.tick()
        assert traced == expected

    simulate(WithScalars(unit), testbench)
