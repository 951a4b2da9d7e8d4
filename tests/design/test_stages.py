"""The three stages: their beats equal the schedule, their latency the formula, `done` one pulse."""

from amaranth.lib.wiring import Component
from hypothesis import given
from hypothesis import strategies as st

from design.beat import Kind, Sink, beat_layout, to_sink
from design.stages.projection import ProjectionStage
from design.stages.score import ScoreStage
from design.stages.value import ValueStage
from spec.config import Config
from spec.derived import ceil_div, derive
from spec.schedule import Op, matrix, ops
from tests.design.support import SMALL, costly, expect, passes, simulate, small_configs


def projection_beats(config: Config, op: Op):
    cols = matrix(config, op).cols
    for rows, folded, number in passes(config, op):
        count = len(rows)
        common = dict(sink=to_sink(op), row=rows.start, count=count, folded=folded)
        if config.shape.qkv_bias:
            common["bias"] = op is Op.BIAS
        if number == 0:
            yield dict(kind=Kind.HEADER, first=0, last=0, macs=0, **common)
        length = cols // 2 if folded else cols
        for column in range(length):
            last = column == length - 1
            beat = dict(kind=Kind.WEIGHT, first=column == 0, last=last, column=column)
            # An embedding or a bias is read through the array, but is no product of the model.
            macs = 0 if op in (Op.EMBED, Op.BIAS) else count * cols // length
            yield beat | common | dict(shift_index=number, macs=macs)


def heads_in(config: Config, block: int) -> int:
    slots = derive(config).slots
    return min(slots, config.shape.heads - block * slots)


def score_beats(config: Config, pos: int, block: int):
    word, heads = derive(config).k_word, heads_in(config, block)
    for t in range(0, pos + 1, word):
        count = min(word, pos + 1 - t)
        for d in range(config.shape.head_dim):
            yield dict(
                kind=Kind.KEY, sink=Sink.SCORE, first=d == 0, last=d == config.shape.head_dim - 1,
                newest=t + word > pos, t=t, d=d, block=block, count=count, macs=count * heads,
            )  # fmt: skip


def value_beats(config: Config, pos: int, block: int):
    shape, derived = config.shape, derive(config)
    for d in range(0, shape.head_dim, derived.v_word):
        elements = min(derived.v_word, shape.head_dim - d)
        for t in range(pos + 1):
            yield dict(
                kind=Kind.VALUE, sink=Sink.VALUE, first=t == 0, last=t == pos, newest=t == pos,
                t=t, d=d, block=block, count=config.geometry.lanes,
                macs=elements * heads_in(config, block),
            )  # fmt: skip


def check_run(config: Config, stage: Component, inputs: dict, beats: list[dict], readies) -> None:
    """Two runs in a row, the second started with the `done` of the first, `start` held in between.

    `readies` stalls the first run.
    """
    fields = beat_layout(config).members

    async def testbench(ctx):
        for name, value in inputs.items():
            ctx.set(getattr(stage, name), value)
        ctx.set(stage.start, 1)
        assert (ctx.get(stage.remaining), ctx.get(stage.o.valid)) == (0, 0)
        await ctx.tick()
        for stalls in (iter(readies), iter(())):
            cycles = 1  # since `start`
            stalled = 0
            for number, beat in enumerate(beats):
                while True:
                    ready = next(stalls, True)
                    ctx.set(stage.o.ready, ready)
                    expect(ctx, stage.o.valid, 1)
                    expect(ctx, stage.done, 0)
                    # Ignored unless idle.
                    ctx.set(stage.start, number % 2)
                    expect(ctx, stage.remaining, len(beats) - number)
                    shown = {name: ctx.get(stage.o.payload[name]) for name in beat}
                    assert shown == beat
                    await ctx.tick()
                    cycles += 1
                    if ready:
                        break
                    stalled += 1
            assert cycles == len(beats) + 1 + stalled
            expect(ctx, stage.done, 1)
            expect(ctx, stage.o.valid, 0)
            expect(ctx, stage.remaining, 0)
            ctx.set(stage.start, 1)
            await ctx.tick()
        ctx.set(stage.start, 0)
        expect(ctx, stage.done, 0)

    assert all(beat.keys() <= fields.keys() for beat in beats)
    simulate(stage, testbench)


stalls = st.lists(st.booleans(), max_size=40)


@costly
@given(small_configs, st.data(), stalls)
def test_projection(config, data, readies):
    op = data.draw(st.sampled_from(ops(config)))
    beats = list(projection_beats(config, op))
    assert len(beats) == matrix(config, op).beats
    inputs = dict(op=to_sink(op)) | (dict(bias=op is Op.BIAS) if config.shape.qkv_bias else {})
    check_run(config, ProjectionStage(config), inputs, beats, readies)


@st.composite
def attention(draw):
    config = draw(small_configs)
    pos = draw(st.integers(0, config.shape.seq_len - 1))
    return config, pos, draw(st.integers(0, derive(config).head_blocks - 1))


@costly
@given(attention(), stalls)
def test_score(case, readies):
    config, pos, block = case
    beats = list(score_beats(config, pos, block))
    assert len(beats) == (pos // derive(config).k_word + 1) * config.shape.head_dim
    check_run(config, ScoreStage(config), dict(pos=pos, block=block), beats, readies)


@costly
@given(attention(), stalls)
def test_value(case, readies):
    config, pos, block = case
    beats = list(value_beats(config, pos, block))
    assert len(beats) == derive(config).v_words * (pos + 1)
    check_run(config, ValueStage(config), dict(pos=pos, block=block), beats, readies)


def test_useful_work_of_a_token_is_that_of_the_model():
    for config in SMALL:
        shape, blocks = config.shape, range(derive(config).head_blocks)
        weights = sum(beat["macs"] for op in ops(config) for beat in projection_beats(config, op))
        products = {op: matrix(config, op).rows * matrix(config, op).cols for op in ops(config)}
        assert weights == sum(products.values()) - products[Op.EMBED] - products.get(Op.BIAS, 0)
        for pos in range(shape.seq_len):
            for beats in (score_beats, value_beats):
                macs = sum(beat["macs"] for block in blocks for beat in beats(config, pos, block))
                assert macs == (pos + 1) * shape.q_dim
        assert ceil_div(shape.heads, derive(config).slots) == len(blocks)
