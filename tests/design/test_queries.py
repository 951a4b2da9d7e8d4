"""QueryBuffer: every slot reads its own head, and `full` rises with the last element."""

from hypothesis import given
from hypothesis import strategies as st

from design.queries import QueryBuffer
from spec.derived import derive
from tests.design.support import costly, expect, in_format, simulate, small_configs


@st.composite
def cases(draw):
    config = draw(small_configs)
    dim = config.shape.q_dim
    vector = st.lists(in_format(config.numerics.q), min_size=dim, max_size=dim)
    return config, draw(st.lists(vector, min_size=1, max_size=3))


@costly
@given(cases(), st.lists(st.booleans(), max_size=40))
def test_every_slot_reads_its_head(case, pattern):
    config, vectors = case
    shape, derived = config.shape, derive(config)
    dut = QueryBuffer(config)
    bubbles = iter(pattern)

    async def testbench(ctx):
        for vector in vectors:
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            for index, value in enumerate(vector):
                expect(ctx, dut.full, 0)
                if next(bubbles, False):
                    await ctx.tick()
                head, d = divmod(index, shape.head_dim)
                ctx.set(dut.wr_en, 1)
                ctx.set(dut.wr_head, head)
                ctx.set(dut.wr_d, d)
                ctx.set(dut.wr_data, value)
                # The element being written can be read in the same cycle.
                ctx.set(dut.rd_en, 1)
                ctx.set(dut.rd_block, head // derived.slots)
                ctx.set(dut.rd_d, d)
                await ctx.tick()
                ctx.set(dut.wr_en, 0)
                ctx.set(dut.rd_en, 0)
                expect(ctx, dut.rd_data[head % derived.slots], value)
            expect(ctx, dut.full, 1)
            for block in range(derived.head_blocks):
                for d in range(shape.head_dim):
                    ctx.set(dut.rd_en, 1)
                    ctx.set(dut.rd_block, block)
                    ctx.set(dut.rd_d, d)
                    await ctx.tick()
                    ctx.set(dut.rd_en, 0)
                    ctx.set(dut.rd_d, 0)
                    await ctx.tick()  # data hold until the next `rd_en`
                    for slot in range(derived.slots):
                        head = block * derived.slots + slot
                        if head < shape.heads:
                            found = ctx.get(dut.rd_data[slot])
                            assert found == vector[head * shape.head_dim + d]

    simulate(dut, testbench)
