"""Logits pass untouched and the first index of their maximum stays, however often they stall."""

from hypothesis import given
from hypothesis import strategies as st

from design.argmax import Argmax
from design.beat import Sink
from design.trace import Tensor
from tests.design.support import costly, in_format, offer, records, simulate, small_configs


@st.composite
def cases(draw):
    config = draw(small_configs)
    vocab = config.shape.vocab
    logit = st.integers(-2, 2) | in_format(config.numerics.logits)  # ties are common
    texts = st.lists(st.lists(logit, min_size=vocab, max_size=vocab), min_size=1, max_size=3)
    return config, draw(texts)


@costly
@given(cases(), st.lists(st.sampled_from(["take", "stall", "other", "nothing"]), max_size=60))
def test_first_of_the_greatest(case, pattern):
    config, texts = case
    dut = Argmax(config)
    actions = iter(pattern)

    async def testbench(ctx):
        for logits in texts:
            row = 0
            done = False
            while row < len(logits) or not done:
                action = next(actions, "take") if row < len(logits) else "nothing"
                logit = dict(value=logits[min(row, len(logits) - 1)], sink=Sink.CLS, row=row)
                other = dict(value=config.numerics.residual.max, sink=Sink.W2, row=0)
                offered = {"take": logit, "stall": logit, "other": other}.get(action)
                offer(ctx, dut, offered)
                ctx.set(dut.o_logits.ready, action in ("take", "other"))
                assert ctx.get(dut.o_stall) == (action == "stall")
                assert ctx.get(dut.o_logits.valid) == (action in ("take", "stall"))
                taken = action == "take"
                if action in ("take", "stall"):
                    payload = dut.o_logits.payload
                    assert ctx.get(payload.value) == logits[row]
                    assert ctx.get(payload.last) == (row == len(logits) - 1)
                shown = [(Tensor.LOGITS, 0, row, logits[row])] if taken else []
                assert records(ctx, [dut.trace]) == shown
                await ctx.tick()
                row += taken
                done = ctx.get(dut.done)
                assert done == (taken and row == len(logits))
                if row:
                    assert ctx.get(dut.best) == logits.index(max(logits[:row]))

    simulate(dut, testbench)
