"""Both halves of the softmax against golden: scores to weights, and sums to attention outputs."""

from collections import deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from design import tables
from design.attention_scale import AttentionScale
from design.beat import Sink
from design.config import Config
from design.derived import TABLE_FRACTION, ceil_pow2, derive
from design.softmax import Softmax
from design.trace import Tensor
from golden import fixed_math
from tests.design.support import (
    WithScalars,
    column,
    costly,
    in_format,
    offer,
    records,
    signed_bits,
    simulate,
    small_configs,
)


def golden_weights(config: Config, raw: list[int]) -> tuple[list[int], int, list[int]]:
    """(scores, maximum, weights) of one head from its raw sums."""
    n = config.numerics
    shift = n.q.f + n.k.f - n.score.f
    score = fixed_math.requantize(column(raw), shift, n.score, n.rounding)
    below = score.max() - score
    octaves = np.minimum(below >> n.score.f, n.weight.width)
    fraction = below & ((1 << n.score.f) - 1)
    weights = fixed_math.shift_right(np.array(tables.exp2(config))[fraction], octaves, n.rounding)
    return score.tolist(), int(score.max()), weights.tolist()


def heads_of(config: Config, block: int) -> dict[int, int]:
    """Slot -> query head, for the slots that hold one."""
    slots = derive(config).slots
    heads = range(block * slots, min((block + 1) * slots, config.shape.heads))
    return {head - block * slots: head for head in heads}


@st.composite
def passes(draw):
    """A configuration and score passes: positions, block, raw sums per slot and position."""
    config = draw(small_configs)
    derived, n = derive(config), config.numerics
    shift = n.q.f + n.k.f - n.score.f
    # Near the maximum, where weights differ, and anywhere.
    near = st.integers(-(8 << (n.score.f + shift)), 8 << (n.score.f + shift))
    raw = draw(st.sampled_from([near, signed_bits(derived.acc_width)]))
    found = []
    for _ in range(draw(st.integers(1, 2))):
        length = draw(st.integers(1, config.shape.seq_len))
        block = draw(st.integers(0, derived.head_blocks - 1))
        sums = st.lists(raw, min_size=length, max_size=length)
        found.append((block, [draw(sums) for _ in range(derived.slots)]))
    return config, found


async def store(ctx, dut: Softmax, block: int, sums: list[list[int]], bubbles) -> list:
    """The score pass; returns what the trace showed."""
    length, traced = len(sums[0]), []
    ctx.set(dut.clear, 1)
    await ctx.tick()
    ctx.set(dut.clear, 0)
    for t in range(length):
        for wait in (*[True] * next(bubbles, 0), False):
            assert not ctx.get(dut.ready)
            ctx.set(dut.scores_valid, not wait)
            ctx.set(
                dut.scores,
                dict(sums=[s[t] for s in sums], t=t, block=block, layer=0, last=t == length - 1),
            )
            await ctx.tick()
            traced += records(ctx, dut.trace)
    ctx.set(dut.scores_valid, 0)
    await ctx.tick()
    assert ctx.get(dut.ready)
    return traced


@costly
@given(passes(), st.data())
def test_weights(drawn, data):
    config, every_pass = drawn
    derived = derive(config)
    dut = Softmax(config)
    stride = ceil_pow2(config.shape.seq_len)
    bubbles = iter(data.draw(st.lists(st.integers(0, 2), max_size=20)))
    enables = iter(data.draw(st.lists(st.booleans(), max_size=40)))

    async def testbench(ctx):
        for block, sums in every_pass:
            traced = await store(ctx, dut, block, sums, bubbles)
            golden = [golden_weights(config, raw) for raw in sums]
            heads = heads_of(config, block)
            positions = range(len(sums[0]))
            assert traced == [
                (Tensor.SCORE, 0, head * stride + t, golden[slot][0][t])
                for t in positions
                for slot, head in heads.items()
            ]
            for slot in range(derived.slots):
                assert ctx.get(dut.maxima[slot]) == golden[slot][1]

            # Three enabled cycles from a position to its weights, which are then added.
            waiting = deque([None, None, None])
            ctx.set(dut.trace_block, block)
            pending = deque([*positions, None, None, None])
            while pending:
                en = next(enables, True)
                asked, out = pending[0], waiting[0]
                ctx.set(dut.en, en)
                ctx.set(dut.rd_t, asked or 0)
                ctx.set(dut.add, en and out is not None)
                ctx.set(dut.add_first, out == 0)
                ctx.set(dut.trace_t, out or 0)
                if out is not None:
                    for slot in range(derived.slots):
                        assert ctx.get(dut.weights[slot]) == golden[slot][2][out]
                if en:
                    assert out is None or records(ctx, dut.trace) == [
                        (Tensor.WEIGHT, 0, head * stride + out, golden[slot][2][out])
                        for slot, head in heads.items()
                    ]
                    waiting.popleft()
                    waiting.append(pending.popleft())
                await ctx.tick()
            ctx.set(dut.add, 0)
            for slot in range(derived.slots):
                assert ctx.get(dut.sums[slot]) == sum(golden[slot][2])

    simulate(dut, testbench)


@st.composite
def value_passes(draw):
    """A configuration, a block, sums of weights and value sums already shifted, with their slot."""
    config = draw(small_configs)
    derived, n = derive(config), config.numerics
    block = draw(st.integers(0, derived.head_blocks - 1))
    least, most = n.weight.max, config.shape.seq_len * n.weight.max
    total = st.sampled_from([least, most]) | st.integers(least, most)
    sums = draw(st.lists(total, min_size=derived.slots, max_size=derived.slots))
    slot = st.sampled_from(sorted(heads_of(config, block)))
    value = st.tuples(slot, in_format(n.unscaled))
    most_values = config.shape.dim
    values = draw(st.lists(st.none() | value, min_size=1, max_size=most_values))
    return config, block, sums, values


@costly
@given(value_passes())
def test_attention_scale(drawn):
    config, block, sums, values = drawn
    derived, n = derive(config), config.numerics
    unit = AttentionScale(config)
    table = tables.reciprocal(config)
    m, e = fixed_math.reciprocal_operand(column(sums))
    mantissas = fixed_math.interpolate(table, np.array(table.base), np.array(table.slope), m)
    heads = heads_of(config, block)
    layer = config.shape.layers - 1

    def attention(slot: int, value: int) -> int:
        shift = TABLE_FRACTION + n.unscaled.f - n.attention.f
        product = value * int(mantissas[slot])
        return int(fixed_math.requantize(product, shift, n.attention, n.rounding))

    async def find_reciprocals(ctx):
        ctx.set(unit.sums, sums)
        ctx.set(unit.maxima, [slot - 1 for slot in range(derived.slots)])
        ctx.set(unit.block, block)
        ctx.set(unit.layer, layer)
        for port in (unit.clear, unit.start):
            ctx.set(port, 1)
            traced = records(ctx, unit.trace)
            await ctx.tick()
            ctx.set(port, 0)
        # `start` was one cycle ago.
        for cycle in range(1, derived.slots + 7):
            assert not ctx.get(unit.ready), cycle
            traced += records(ctx, unit.trace)
            await ctx.tick()
        assert ctx.get(unit.ready)
        assert traced == [
            record
            for slot, head in heads.items()
            for record in (
                (Tensor.RECIPROCAL, layer, 2 * head, mantissas[slot]),
                (Tensor.RECIPROCAL, layer, 2 * head + 1, e[slot]),
                (Tensor.MAXIMUM, layer, head, slot - 1),
            )
        ]
        for slot in heads:
            assert ctx.get(unit.shifts[slot]) == e[slot] + n.v.f - n.unscaled.f

    async def testbench(ctx):
        await find_reciprocals(ctx)
        ctx.set(unit.clear_index, 1)
        await ctx.tick()
        ctx.set(unit.clear_index, 0)
        others = dict(value=1, sink=Sink.WO)
        offers = [
            others if v is None else dict(value=v[1], sink=Sink.VALUE, slot=v[0], layer=layer)
            for v in values
        ]
        taken = given_out = 0
        for cycle in range(len(values) + 3):
            offer(ctx, unit, offers[cycle] if cycle < len(values) else None)
            expected = []
            if cycle < len(values) and values[cycle] is not None:
                expected.append((Tensor.UNSCALED, layer, taken, values[cycle][1]))
                taken += 1
            before = values[cycle - 3] if cycle >= 3 else None
            assert ctx.get(unit.o_valid) == (before is not None)
            if before is not None:
                assert ctx.get(unit.o) == attention(*before)
                expected.append((Tensor.ATTENTION, layer, given_out, attention(*before)))
                given_out += 1
            assert records(ctx, unit.trace) == expected
            await ctx.tick()

    simulate(WithScalars(unit), testbench)
