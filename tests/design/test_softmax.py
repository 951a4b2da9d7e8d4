"""The first half of the softmax against golden: scores to weights, and their sums."""

from collections import deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from design.softmax import Softmax
from golden import fixed_math
from spec import tables
from spec.config import Config
from spec.derived import ceil_pow2, derive
from spec.trace import Tensor
from tests.design.support import (
    column,
    costly,
    expect,
    heads_of,
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
            expect(ctx, dut.ready, 0)
            ctx.set(dut.scores.valid, not wait)
            ctx.set(
                dut.scores.payload,
                dict(sums=[s[t] for s in sums], t=t, block=block, layer=0, last=t == length - 1),
            )
            await ctx.tick()
            traced += records(ctx, dut.trace)
    ctx.set(dut.scores.valid, 0)
    # The first beat waits already.
    ctx.set(dut.rd_en, 1)
    ctx.set(dut.rd_t, 0)
    expect(ctx, dut.ready, 0)
    await ctx.tick()
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
            # The score is read in the cycle before. Then it takes three enabled cycles to the
            # weights, which are then added.
            waiting = deque([None, None, None])
            maxima = [maximum for _, maximum, _ in golden]
            expect(ctx, dut.ready, 1)
            ctx.set(dut.adds.p.block, block)
            pending = deque([*positions, None, None, None])
            while pending:
                en = next(enables, True)
                out = waiting[0]
                ctx.set(dut.en, en)
                # What the next cycle takes, once this one takes what waits.
                then = pending[1] if len(pending) > 1 else None
                ctx.set(dut.rd_en, en)
                ctx.set(dut.rd_t, then or 0)
                ctx.set(dut.adds.valid, en and out is not None)
                ctx.set(dut.adds.p.first, out == 0)
                ctx.set(dut.adds.p.t, out or 0)
                if out is not None:
                    for slot in range(derived.slots):
                        expect(ctx, dut.weights[slot], golden[slot][2][out])
                if en:
                    assert out is None or records(ctx, dut.trace) == [
                        (Tensor.WEIGHT, 0, head * stride + out, golden[slot][2][out])
                        for slot, head in heads.items()
                    ]
                    waiting.popleft()
                    waiting.append(pending.popleft())
                await ctx.tick()
                expect(ctx, dut.ready, 1)
                assert [ctx.get(maximum) for maximum in dut.totals.maxima] == maxima
            ctx.set(dut.adds.valid, 0)
            for slot in range(derived.slots):
                expect(ctx, dut.totals.sums[slot], sum(golden[slot][2]))

    simulate(dut, testbench)
