"""The sequencers: which stage runs when, how long it takes, and what a token is answered."""

from hypothesis import given
from hypothesis import strategies as st

from design.beat import Sink
from design.sequencer import LayerSequencer, TokenSequencer
from spec.derived import derive
from spec.schedule import image
from tests.design.support import costly, expect, simulate, small_configs


@st.composite
def layer_runs(draw):
    config = draw(small_configs)
    stages = 4 + 2 * derive(config).head_blocks + config.shape.qkv_bias
    latencies = st.lists(st.integers(1, 5), min_size=stages, max_size=stages)
    return config, draw(st.lists(latencies, min_size=1, max_size=3))


@costly
@given(layer_runs())
def test_layer_runs_every_stage_once_in_order(case):
    config, runs = case
    dut = LayerSequencer(config)
    blocks = range(derive(config).head_blocks)
    order: list[tuple] = [("projection", Sink.EMBED)] if config.shape.qkv_bias else []
    order += [("projection", Sink.QKV)]
    order += [(stage, block) for block in blocks for stage in ("score", "value")]
    order += [("projection", sink) for sink in (Sink.WO, Sink.W13, Sink.W2)]

    def started(ctx) -> list[tuple]:
        found = []
        if ctx.get(dut.projection_start):
            found.append(("projection", ctx.get(dut.projection_op)))
            if config.shape.qkv_bias:
                expect(ctx, dut.projection_bias, found[-1][1] == Sink.EMBED)
        for stage in ("score", "value"):
            if ctx.get(getattr(dut, f"{stage}_start")):
                found.append((stage, ctx.get(dut.block)))
        return found

    async def testbench(ctx):
        for latencies in runs:
            assert not started(ctx)
            pulse, last = dut.start, order[-1]
            for stage, latency in zip(order, latencies, strict=True):
                # In the cycle of `start`, or of the `done` before it.
                ctx.set(pulse, 1)
                assert started(ctx) == [stage]
                expect(ctx, dut.done, 0)
                await ctx.tick()
                ctx.set(pulse, 0)
                ctx.set(dut.start, stage != last)  # ignored unless idle
                for _ in range(latency - 1):
                    assert not started(ctx)
                    expect(ctx, dut.done, 0)
                    await ctx.tick()
                pulse = getattr(dut, f"{stage[0]}_done")
            ctx.set(pulse, 1)
            expect(ctx, dut.done, 1)
            assert not started(ctx)
            await ctx.tick()
            ctx.set(pulse, 0)
            expect(ctx, dut.done, 0)
            assert not started(ctx)

    simulate(dut, testbench)


@st.composite
def texts(draw):
    config = draw(small_configs)
    vocab = config.shape.vocab
    token = st.fixed_dictionaries(
        dict(
            id=st.integers(0, vocab - 1),
            first=st.sampled_from([False, False, False, True]),
            sample=st.booleans(),
            best=st.sampled_from(sorted({0, *config.shape.end_ids, vocab - 1})),
            # When the embedding is through the array, by the run of the layers.
            embedded=st.sampled_from(["before", "with", "after"]),
            waits=st.lists(st.integers(0, 2), min_size=8, max_size=8),
        )
    )
    return config, draw(st.lists(token, min_size=1, max_size=config.shape.seq_len + 3))


class Token:
    """One token through a TokenSequencer, all waits as drawn."""

    def __init__(self, ctx, dut, config, token: dict):
        self.ctx, self.dut, self.config, self.token = ctx, dut, config, token
        self.waits = iter(token["waits"])

    def expect(self, **values) -> None:
        """Pulses are low and streams quiet unless named."""
        quiet = dict(
            embed_start=0, classify_start=0, layer_start=0, next_token=0, first_token=0, busy=1
        )
        found = {name: self.ctx.get(getattr(self.dut, name)) for name in quiet}
        streams = dict(o_fetch=0, o_token=0)
        found |= {name: self.ctx.get(getattr(self.dut, name).valid) for name in streams}
        assert found == quiet | streams | values

    async def pause(self, **values) -> None:
        for _ in range(next(self.waits, 0)):
            self.expect(**values)
            await self.ctx.tick()

    async def pulse(self, port, **values) -> None:
        self.ctx.set(port, 1)
        self.expect(**values)
        await self.ctx.tick()
        self.ctx.set(port, 0)

    async def take(self, first: bool) -> None:
        await self.pause(busy=0)
        names = ("id", "first", "sample")
        self.ctx.set(self.dut.i_token.payload, {name: self.token[name] for name in names})
        self.ctx.set(self.dut.i_token.valid, 1)
        assert self.ctx.get(self.dut.i_token.ready)
        self.expect(busy=0, next_token=1, first_token=first, embed_start=1)
        await self.ctx.tick()
        self.ctx.set(self.dut.i_token.valid, 0)
        assert not self.ctx.get(self.dut.i_token.ready)

    async def fetch(self) -> None:
        layout, dut = image(self.config), self.dut
        body = layout.body_beats + self.token["sample"] * layout.classifier_beats
        runs = [
            (self.token["id"] * layout.embedding_beats, layout.embedding_beats),
            (layout.body, body),
        ]
        for number, run in enumerate(runs):
            await self.pause(o_fetch=1)
            payload = dut.o_fetch.payload
            assert (self.ctx.get(payload.address), self.ctx.get(payload.beats)) == run
            embedded = number == 1 and self.token["embedded"]
            if embedded == "before":
                await self.pulse(dut.projection_done, o_fetch=1)
                await self.pause(o_fetch=1)
            self.ctx.set(dut.projection_done, embedded == "with")
            await self.pulse(dut.o_fetch.ready, o_fetch=1)
            self.ctx.set(dut.projection_done, 0)

    async def work(self, pos: int) -> None:
        dut, sample = self.dut, self.token["sample"]
        assert self.ctx.get(dut.pos) == pos
        for layer in range(self.config.shape.layers):
            if layer == 0 and self.token["embedded"] != "after":
                self.expect(layer_start=1)
                await self.ctx.tick()
            elif layer == 0:
                await self.pause()
                await self.pulse(dut.projection_done, layer_start=1)
            else:
                await self.pulse(dut.layer_done)
                # One cycle later, when `layer` is there.
                self.expect(layer_start=1)
                assert self.ctx.get(dut.layer) == layer
                await self.ctx.tick()
            assert self.ctx.get(dut.layer) == layer
            await self.pause()
        await self.pulse(dut.layer_done, classify_start=sample)
        # The other one of the two does not end it.
        await self.pulse(dut.normed if sample else dut.classified)
        await self.pause()
        self.ctx.set(dut.best, self.token["best"])
        await self.pulse(dut.classified if sample else dut.normed)

    async def answer(self, pos: int) -> bool:
        """Take the answer; whether the text ended."""
        await self.pause(o_token=1)
        token, payload = self.token, self.dut.o_token.payload
        full = pos == self.config.shape.seq_len - 1
        sampled = token["sample"]
        end = full or bool(sampled and token["best"] in self.config.shape.end_ids)
        names = ("id", "sampled", "end")
        assert {name: self.ctx.get(payload[name]) for name in names} == dict(
            id=token["best"] if sampled else token["id"],
            sampled=sampled,
            end=end,
        )
        await self.pulse(self.dut.o_token.ready, o_token=1)
        return end


@costly
@given(texts())
def test_tokens(case):
    config, tokens = case
    dut = TokenSequencer(config)

    async def testbench(ctx):
        pos, ended = 0, True
        for token in tokens:
            first = token["first"] or ended
            pos = 0 if first else pos + 1
            run = Token(ctx, dut, config, token)
            await run.take(first)
            await run.fetch()
            await run.work(pos)
            ended = await run.answer(pos)
            run.expect(busy=0)

    simulate(dut, testbench)
