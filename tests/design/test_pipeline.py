"""A pipeline: every element comes to each step with its valid bit, and only while it may move."""

from amaranth import *
from hypothesis import given
from hypothesis import strategies as st

from design.pipeline import Pipeline
from tests.design.support import costly, expect, simulate


@costly
@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.none() | st.integers(0, 255), st.booleans()), max_size=30),
)
def test_elements_move_on_with_their_valid_bits(length, cycles):
    m, pipeline = Module(), Pipeline(8, length, name="step")
    valid, element, en = Signal(), Signal(8), Signal()
    pipeline.follow(m, valid, element, en=en)

    async def testbench(ctx):
        came: list[int | None] = [None] * length
        for now, moves in cycles:
            ctx.set(valid, now is not None)
            ctx.set(element, now or 0)
            ctx.set(en, moves)
            await ctx.tick()
            if moves:
                came = [now, *came[:-1]]
            for n, then in enumerate(came):
                expect(ctx, pipeline.valid[n], then is not None)
                if then is not None:
                    expect(ctx, pipeline.steps[n], then)

    simulate(m, testbench)
