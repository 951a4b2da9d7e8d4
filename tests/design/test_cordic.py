"""The angles by CORDIC: golden's integers at every position of a text, and in their time."""

import dataclasses

import pytest

from design.cordic import CordicAngles
from spec import tables
from spec.config import Config, RopeBy, named
from tests.design.support import expect, simulate
from tests.strategies import NUMERICS

NANO = named("nano").with_rope(RopeBy.CORDIC)
LONG_HEADS = dataclasses.replace(NANO, shape=dataclasses.replace(NANO.shape, head_dim=8))
CASES = {
    "nano": NANO,
    "four pairs": LONG_HEADS,
    "narrow": LONG_HEADS.with_numerics(NUMERICS["narrow"]).with_rope(RopeBy.CORDIC),
    "wide": LONG_HEADS.with_numerics(NUMERICS["wide"]).with_rope(RopeBy.CORDIC),
    "one position": dataclasses.replace(NANO, shape=dataclasses.replace(NANO.shape, seq_len=1)),
}


@pytest.mark.parametrize("config", CASES.values(), ids=list(CASES))
def test_every_angle_of_a_text_and_of_the_next(config: Config):
    dut, table = CordicAngles(config), tables.rope(config)
    length = config.shape.seq_len

    async def pulse(ctx, *ports):
        for value in (1, 0):
            for port in ports:
                ctx.set(port, value)
            if value:
                await ctx.tick()

    async def testbench(ctx):
        for position in [*range(length), *range(min(length, 2))]:
            first = [dut.first_token] if position == 0 else []
            await pulse(ctx, dut.next_token, *first)
            for _ in range(dut.latency):
                expect(ctx, dut.ready, 0)
                await ctx.tick()
            expect(ctx, dut.ready, 1)
            await pulse(ctx, dut.clear)
            await ctx.tick()  # the first is read
            for _ in range(2):  # heads
                for pair in range(table.pairs):
                    await pulse(ctx, dut.next)
                    at = position * table.pairs + pair
                    expect(ctx, dut.o.cos, table.cos[at])
                    expect(ctx, dut.o.sin, table.sin[at])
                    await ctx.tick()
                    expect(ctx, dut.o.cos, table.cos[at])

    simulate(dut, testbench)
