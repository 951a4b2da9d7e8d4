"""ActivationBuffer against a list: written in order, read while it fills."""

from hypothesis import given
from hypothesis import strategies as st

from design.activations import ActivationBuffer
from tests.design.support import costly, signed_bits, simulate


@st.composite
def cases(draw):
    depth, width = draw(st.integers(1, 9)), draw(st.sampled_from([2, 9, 16]))
    cycle = st.fixed_dictionaries(
        dict(
            clear=st.sampled_from([False] * 7 + [True]),
            write=st.none() | signed_bits(width),
            read=st.none() | st.integers(0, depth - 1),
        )
    )
    return depth, width, draw(st.lists(cycle, min_size=1, max_size=60))


@costly
@given(cases())
def test_reads_what_was_written(case):
    depth, width, cycles = case
    dut = ActivationBuffer(depth=depth, width=width)

    async def testbench(ctx):
        held: list[int] = []
        shown = None
        for cycle in cycles:
            # Never more than there is room for, and never together with `clear`.
            writes = cycle["write"] is not None and len(held) < depth and not cycle["clear"]
            reads = cycle["read"] is not None and cycle["read"] < len(held)
            ctx.set(dut.clear, cycle["clear"])
            ctx.set(dut.wr_en, writes)
            ctx.set(dut.wr_data, cycle["write"] or 0)
            ctx.set(dut.rd_en, reads)
            ctx.set(dut.rd_index, cycle["read"] or 0)
            if reads:
                shown = held[cycle["read"]]
            if cycle["clear"]:
                held = []
            elif writes:
                held.append(cycle["write"])
            await ctx.tick()
            assert ctx.get(dut.filled) == len(held)
            if shown is not None:
                assert ctx.get(dut.rd_data) == shown

    simulate(dut, testbench)
