"""Logits pass untouched and the first index of their maximum stays, however often they stall."""

from hypothesis import given
from hypothesis import strategies as st

from design.argmax import Argmax
from design.beat import Sink
from spec.trace import Tensor
from tests.design.support import (
    SMALL,
    costly,
    expect,
    in_format,
    offer,
    records,
    simulate,
    small_configs,
)

#: Cycles from `ready`, which the drain asks, to the unit; logits that the queue holds.
ARRIVAL, ROOM = 6, 8


@st.composite
def cases(draw):
    config = draw(small_configs)
    vocab = config.shape.vocab
    logit = st.integers(-2, 2) | in_format(config.numerics.logits)  # ties are common
    texts = st.lists(st.lists(logit, min_size=vocab, max_size=vocab), min_size=1, max_size=3)
    return config, draw(texts)


@costly
@given(cases(), st.lists(st.booleans(), max_size=60), st.lists(st.booleans(), max_size=60))
def test_first_of_the_greatest(case, leaving, taking):
    config, texts = case
    dut = Argmax(config)
    leaves, takes = iter(leaving), iter(taking)

    async def testbench(ctx):
        for logits in texts:
            to_leave = list(enumerate(logits))
            coming: list = [None] * ARRIVAL
            waiting: list = []
            arrived = 0
            last_was_taken = False
            while not last_was_taken:
                # Whoever asks may still have let some go in the last cycles.
                ready = len(waiting) + ARRIVAL < ROOM
                expect(ctx, dut.ready, ready)
                left = to_leave.pop(0) if to_leave and ready and next(leaves, True) else None
                coming.append(left)
                here = coming.pop(0)

                other = dict(value=config.numerics.residual.max, sink=Sink.W2, row=0)
                logit = here and dict(value=here[1], sink=Sink.CLS, row=here[0])
                offer(ctx, dut, logit or other)
                shown = [(Tensor.LOGITS, 0, *here)] if here else []
                assert records(ctx, dut.trace) == shown
                expect(ctx, dut.fault, 0)

                take = next(takes, True)
                ctx.set(dut.o_logits.ready, take)
                if here:
                    waiting.append(here)
                    arrived += 1
                expect(ctx, dut.o_logits.valid, bool(waiting))
                if waiting:
                    row, value = waiting[0]
                    payload = dut.o_logits.payload
                    expect(ctx, payload.value, value)
                    expect(ctx, payload.last, row == len(logits) - 1)
                    if take:
                        waiting.pop(0)
                        last_was_taken = row == len(logits) - 1
                expect(ctx, dut.done, last_was_taken)
                await ctx.tick()
                if arrived:
                    expect(ctx, dut.best, logits.index(max(logits[:arrived])))

    simulate(dut, testbench)


def test_a_logit_without_room_is_a_fault():
    dut = Argmax(SMALL[0])

    async def testbench(ctx):
        for row in range(ROOM + 1):
            offer(ctx, dut, dict(value=row, sink=Sink.CLS, row=row))
            expect(ctx, dut.fault, row == ROOM)
            await ctx.tick()

    simulate(dut, testbench)
