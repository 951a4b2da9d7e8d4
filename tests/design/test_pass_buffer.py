"""The pass buffer: passes in order, at once when it is empty, and never more than one held."""

from hypothesis import given
from hypothesis import strategies as st

from design.pass_buffer import PassBuffer
from spec.derived import MAX_SHIFT, derive
from tests.design.support import costly, expect, signed_bits, simulate, small_configs


@st.composite
def cases(draw):
    config = draw(small_configs)
    lanes = config.geometry.lanes
    sums = st.lists(signed_bits(derive(config).acc_width), min_size=lanes, max_size=lanes)
    shifts = st.lists(st.integers(0, MAX_SHIFT), min_size=lanes, max_size=lanes)
    one_pass = st.tuples(sums, shifts, st.integers(1, lanes))
    # What the array offers, and whether the drain is ready.
    return config, draw(st.lists(st.tuples(st.none() | one_pass, st.booleans()), max_size=30))


@costly
@given(cases())
def test_passes_in_order(case):
    config, cycles = case
    dut = PassBuffer(config)

    async def testbench(ctx):
        held = None
        for offered, ready in cycles:
            ctx.set(dut.i.valid, offered is not None)
            if offered is not None:
                ctx.set(dut.i.p.sums, offered[0])
                ctx.set(dut.i.p.shifts, offered[1])
                ctx.set(dut.i.p.beat, dict(count=offered[2]))
            ctx.set(dut.o.ready, ready)
            expect(ctx, dut.i.ready, held is None)
            shown = held or offered
            expect(ctx, dut.o.valid, shown is not None)
            if shown is not None:
                found = [ctx.get(total) for total in dut.o.p.sums]
                shifts = [ctx.get(shift) for shift in dut.o.p.shifts]
                assert (found, shifts, ctx.get(dut.o.p.beat.count)) == shown
            held = None if ready else shown
            await ctx.tick()

    simulate(dut, testbench)
