"""ActivationBuffer against a list: announced, written in order, read while it fills."""

from collections import deque

from amaranth.hdl import signed
from hypothesis import given
from hypothesis import strategies as st

from design.activations import ActivationBuffer
from tests.design.support import costly, expect, signed_bits, simulate


@st.composite
def cases(draw):
    foldable = draw(st.booleans())
    depth = 2 * draw(st.integers(1, 5)) if foldable else draw(st.integers(1, 9))
    width = draw(st.sampled_from([2, 9, 16]))
    cycle = st.fixed_dictionaries(
        dict(
            clear=st.sampled_from([False] * 24 + [True]),
            coming=st.sampled_from([True, True, False]),
            patience=st.integers(0, ActivationBuffer.lead_time),
            value=signed_bits(width),
            read=st.none() | st.integers(0, depth - 1),
            folded=st.booleans() if foldable else st.just(False),
            enabled=st.sampled_from([True, True, True, False]),
        )
    )
    return foldable, depth, width, draw(st.lists(cycle, min_size=20, max_size=80))


@costly
@given(cases())
def test_reads_what_was_written(case):
    foldable, depth, width, cycles = case
    dut = ActivationBuffer(depth=depth, shape=signed(width), foldable=foldable)

    async def testbench(ctx):
        filled = 0
        held: list[int] = []  # the old vector, until the first element of a new one is announced
        promised: deque = deque()  # the latest cycle for each element to come
        asked = None  # what can be fetched in this cycle
        shown = None
        for now, cycle in enumerate(cycles):
            clear = cycle["clear"] and not promised
            full = filled == depth
            coming = cycle["coming"] and not clear and not full
            writes = bool(promised) and (promised[0] == now or cycle["patience"] == 0)
            ctx.set(dut.clear, clear)
            ctx.set(dut.coming, coming)
            ctx.set(dut.wr_en, writes)
            ctx.set(dut.wr_data, cycle["value"])
            if writes:
                promised.popleft()
                held.append(cycle["value"])

            # As in `Issue`: while the pipeline stands still, it goes on asking for the same.
            enabled = cycle["enabled"]
            ctx.set(dut.rd_en, enabled)
            ctx.set(dut.fetch, enabled and asked is not None)
            if enabled:
                shown = None
                if asked is not None:
                    early = max(asked) >= len(held)
                    shown = None if early else tuple(held[index] for index in asked)
                    expect(ctx, dut.fault, early)
                index = cycle["read"]
                asked = None
                if index is not None:
                    folded = cycle["folded"] and index < depth // 2
                    asked = (index, index + depth // 2 * folded)
                    ctx.set(dut.next_index, index)
                    ctx.set(dut.next_folded, folded)
            else:
                expect(ctx, dut.fault, 0)

            if coming:
                held = [] if filled == 0 else held
                promised.append(now + ActivationBuffer.lead_time)
            filled = 0 if clear else filled + coming
            await ctx.tick()
            expect(ctx, dut.filled, filled)
            if shown is not None:
                assert (ctx.get(dut.rd_data), ctx.get(dut.rd_right)) == shown

    simulate(dut, testbench)


def test_an_element_beyond_the_last_is_a_fault():
    dut = ActivationBuffer(depth=3, shape=signed(4))

    async def testbench(ctx):
        ctx.set(dut.coming, 1)
        for number in range(4):
            expect(ctx, dut.fault, number == 3)
            await ctx.tick()

    simulate(dut, testbench)
