"""SwiGLU against golden: gates in their phase, their ups behind them, or later on one lane."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from design.beat import Sink
from design.swiglu import SwiGlu
from design.writeback import Writeback
from golden import fixed_math
from golden.fixed_math import interpolate, requantize
from spec import tables
from spec.config import Config
from spec.derived import TABLE_FRACTION, derive
from spec.trace import Tensor
from tests.design.support import (
    SMALL,
    WithScalars,
    costly,
    expect,
    in_format,
    offer,
    operand_value,
    records,
    simulate,
    small_configs,
)

#: Cycles from the drain to the unit; before a result in which `Writeback` asks for its product.
ARRIVAL = Writeback.scaled_latency
ASKED_BEFORE = Writeback.scaled_latency - Writeback.latency


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
    # Rounds of the phase by which an up is late, and by which the next gate is.
    late = st.sampled_from([0, 0, 1, 2]) if config.geometry.lanes == 1 else st.just(0)
    pause = st.sampled_from([0, 0, 1, 2])
    pair = st.tuples(in_format(n.gate), in_format(n.up), late, pause)
    return config, draw(st.lists(pair, min_size=hidden, max_size=hidden))


@costly
@given(cases())
def test_equals_golden(case):
    config, pairs = case
    turn = derive(config).turn
    unit = SwiGlu(config)
    dut = WithScalars(unit, shared=turn > 1)
    layer = config.shape.layers - 1
    offered: dict[int, dict] = {}
    outputs: dict[int, int] = {}
    expected: dict[Tensor, list] = {tensor: [] for tensor in golden(config, 0, 0)}
    cycle = ARRIVAL
    for index, (gate, up, late, pause) in enumerate(pairs):
        common = dict(sink=Sink.W13, layer=layer)
        offered[cycle] = dict(value=gate, row=2 * index, **common)
        late *= 2 * turn
        offered[cycle + turn + late] = dict(value=up, row=2 * index + 1, **common)
        values = golden(config, gate, up)
        outputs[cycle + unit.latency + late] = values[Tensor.FFN]
        for tensor, value in values.items():
            expected[tensor].append((tensor, layer, index, value))
        cycle += late + 2 * turn * (1 + pause)

    async def testbench(ctx):
        traced: dict[Tensor, list] = {tensor: [] for tensor in expected}
        for now in range(max(outputs) + 3):
            ctx.set(dut.others, now + ASKED_BEFORE in offered)
            ctx.set(unit.phase, now % (2 * turn))
            offer(ctx, unit, offered.get(now, dict(value=1, sink=Sink.WO)))
            expect(ctx, unit.coming, now + unit.lead_time in outputs)
            expect(ctx, unit.o.valid, now in outputs)
            if now in outputs:
                n = config.numerics
                operand = fixed_math.operand(np.int64(outputs[now]), n.ffn, n.rounding)
                assert operand_value(ctx, unit.o.p) == operand
            for record in records(ctx, unit.trace):
                traced[record[0]].append(record)
            expect(ctx, unit.fault, 0)
            expect(ctx, dut.clash, 0)
            await ctx.tick()
        assert traced == expected

    simulate(dut, testbench)


@pytest.mark.parametrize(("row", "room"), [(1, 4), (0, 1)], ids=["ups", "gates"])
def test_one_kind_alone_is_a_fault_when_there_is_no_room(row, room):
    for config in SMALL:
        unit, cycles = SwiGlu(config), 2 * derive(config).turn

        async def testbench(ctx, unit=unit, cycles=cycles):
            # A gate that nobody meets shows when the next silu is there, 6 cycles behind its gate.
            shows = room * cycles + (0 if row else 6)
            for now in range(shows + 1):
                comes = now % cycles == 0
                offer(ctx, unit, dict(value=1, sink=Sink.W13, row=row) if comes else None)
                expect(ctx, unit.fault, now == shows)
                await ctx.tick()

        simulate(WithScalars(unit), testbench)
