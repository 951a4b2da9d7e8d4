"""RoPE on a whole QKV vector, against golden, with pauses and results for others in between."""

from hypothesis import given
from hypothesis import strategies as st

from design.beat import Sink
from design.rope import ANGLES, Rope
from design.writeback import Writeback
from formal.harness import pairs
from golden.fixed_math import requantize
from spec import tables
from spec.config import Config, RopeBy
from spec.derived import derive
from spec.trace import Tensor
from tests.design.support import (
    SMALL,
    WithScalars,
    costly,
    expect,
    in_format,
    offer,
    records,
    simulate,
    small_configs,
)

#: Cycles before a result in which `Writeback` asks for its product.
ASKED_BEFORE = Writeback.scaled_latency - Writeback.latency


def sections(config: Config):
    """(bit of `o`, tensor, format, heads) in the order of the rows of QKV."""
    shape, n = config.shape, config.numerics
    return (
        ("q", Tensor.Q, n.q, shape.heads),
        ("k", Tensor.K, n.k, shape.kv_heads),
        ("v", Tensor.V, n.v, shape.kv_heads),
    )


@st.composite
def cases(draw):
    config = draw(small_configs).with_rope(draw(st.sampled_from(RopeBy)))
    head_dim = config.shape.head_dim
    vector = [
        draw(st.lists(in_format(form), min_size=heads * head_dim, max_size=heads * head_dim))
        for _, _, form, heads in sections(config)
    ]
    rows = sum(map(len, vector))
    pauses = draw(st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=rows, max_size=rows))
    return config, vector, pauses, draw(st.integers(0, config.shape.seq_len - 1))


def turned(config: Config, tensor: Tensor, form, a: int, b: int, pos: int, pair: int):
    """The pair (a, b) after RoPE; values stay as they are."""
    if tensor is Tensor.V:
        return a, b
    table, n = tables.rope(config), config.numerics
    cos, sin = table.cos[pos * table.pairs + pair], table.sin[pos * table.pairs + pair]
    return (
        int(requantize(a * cos - b * sin, n.rope.f, form, n.rounding)),
        int(requantize(a * sin + b * cos, n.rope.f, form, n.rounding)),
    )


@costly
@given(cases())
def test_turns_pairs_of_queries_and_keys(case):
    config, vector, pauses, pos = case
    hs = config.shape.head_dim
    turn = derive(config).turn
    unit = Rope(config)
    latency = unit.latencies[1]
    dut = WithScalars(unit, shared=turn > 1)
    layer = config.shape.layers - 1
    offered: dict[int, dict] = {}  # by cycle
    expected: dict[int, tuple] = {}  # cycle: port, head, element, value, tensor, index
    # An element every `turn` cycles, or later. With turns, even rows keep their phase.
    pause = 2 * turn if turn > 1 else 1
    cycle, row = ASKED_BEFORE, 0
    waits = iter(pauses)
    for (port, tensor, form, _), values in zip(sections(config), vector, strict=True):
        for index in range(0, len(values), 2):
            arrival = []
            for value in values[index : index + 2]:
                cycle += pause * next(waits)
                offered[cycle] = dict(value=value, sink=Sink.QKV, row=row, layer=layer)
                arrival.append(cycle)
                cycle, row = cycle + turn, row + 1
            head, d = divmod(index, hs)
            a, b = turned(config, tensor, form, values[index], values[index + 1], pos, d // 2)
            # The first of a pair waits for the second; a value waits for nobody.
            first = arrival[0] if tensor is Tensor.V else arrival[1] - turn
            expected[first + latency] = (port, head, d, a, tensor, index)
            expected[arrival[1] + latency] = (port, head, d + 1, b, tensor, index + 1)

    # Of the last key, of the last value; a beat that enters 1 cycle before reads it then.
    last_out = {port: max(out for out, each in expected.items() if each[0] == port)
                for port in ("k", "v")}  # fmt: skip

    async def testbench(ctx):
        for token in range(pos + 1):
            ctx.set(unit.first_token, token == 0)
            ctx.set(unit.next_token, 1)
            await ctx.tick()
            ctx.set(unit.first_token, 0)
            ctx.set(unit.next_token, 0)
            for _ in range(unit.angles.latency):
                expect(ctx, unit.ready, 0)
                await ctx.tick()
            expect(ctx, unit.ready, 1)
        ctx.set(unit.clear, 1)
        await ctx.tick()
        ctx.set(unit.clear, 0)
        for now in range(cycle + latency + 2):
            ctx.set(dut.others, now + ASKED_BEFORE in offered)
            for_others = dict(value=3, sink=Sink.WO, row=1)
            offer(ctx, unit, offered.get(now, for_others))
            out = ctx.get(unit.o)
            found = [port for port in ("q", "k", "v") if out[port]]
            if now in expected:
                port, head, d, value, tensor, index = expected[now]
                assert found == [port]
                assert (out.head, out.d, out.value, out.layer) == (head, d, value, layer)
                assert records(ctx, unit.trace) == [(tensor, layer, index, value)]
            else:
                assert not found and not records(ctx, unit.trace)
            expect(ctx, unit.keys_coming, now >= last_out["k"] - 1)
            expect(ctx, unit.values_coming, now >= last_out["v"] - 1)
            expect(ctx, unit.fault, 0)
            expect(ctx, dut.clash, 0)
            await ctx.tick()
        ctx.set(unit.clear, 1)
        await ctx.tick()
        expect(ctx, unit.keys_coming, 0)
        expect(ctx, unit.values_coming, 0)

    simulate(dut, testbench)


def test_pairs_out_of_phase_are_a_fault():
    """With turns, a pair half a round too soon would begin to leave as the one before ends."""
    config = next(config for config in SMALL if derive(config).turn > 1)
    unit = Rope(config)
    offered = {0: 0, 1: 1, 3: 2, 4: 3}  # cycle: row

    async def testbench(ctx):
        for now in range(12):
            comes = now in offered
            offer(ctx, unit, dict(sink=Sink.QKV, row=offered[now]) if comes else None)
            # Both leave in the next cycle.
            expect(ctx, unit.fault, now + 1 == 1 + unit.latencies[1])
            await ctx.tick()

    simulate(WithScalars(unit), testbench)


def test_every_variant_stands_in_every_table():
    for variants in (tables.ROTATIONS, ANGLES, pairs.ANGLES):
        assert list(variants) == list(RopeBy)
