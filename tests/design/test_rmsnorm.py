"""Residual and RmsNorm together: updates in, elements and the factor of the norm out."""

import numpy as np
from amaranth import *
from hypothesis import given
from hypothesis import strategies as st

from design.beat import Sink
from design.residual import Residual
from design.rmsnorm import RmsNorm
from golden import fixed_math
from spec import tables
from spec.config import Config
from spec.derived import derive
from spec.trace import Tensor
from tests.design.support import (
    SMALL,
    WithScalars,
    costly,
    expect,
    in_format,
    offer,
    operand_value,
    records,
    simulate,
    small_configs,
)


class NormPath(Elaboratable):
    """As in the decoder, on one multiplier."""

    def __init__(self, config: Config):
        self.residual = Residual(config)
        self.rmsnorm = RmsNorm(config)
        self.scalars = WithScalars(self.residual, self.rmsnorm, shared=True)

    def elaborate(self, platform):
        m = Module()
        residual, rmsnorm = self.residual, self.rmsnorm
        m.submodules.scalars = self.scalars
        m.d.comb += [
            rmsnorm.start.eq(residual.complete),
            rmsnorm.square_sum.eq(residual.square_sum),
            rmsnorm.source.eq(residual.source),
            rmsnorm.layer.eq(residual.layer),
        ]
        return m


def golden_norm(config: Config, x: list[int]) -> tuple[int, int, int]:
    """(square sum, mantissa, exponent) as the golden decoder computes them."""
    table = tables.rsqrt(config)
    n = config.numerics
    operands = [int(fixed_math.operand(np.int64(v), n.residual, n.rounding)) for v in x]
    square_sum = sum(value * value for value in operands) + derive(config).epsilon
    m, e = fixed_math.rsqrt_operand(*(np.int64(half) for half in fixed_math.halves(square_sum)))
    mantissa = fixed_math.interpolate(table, np.array(table.base), np.array(table.slope), m)
    return square_sum, int(mantissa), int(e)


#: Projection: what it updates.
UPDATED = {Sink.EMBED: Tensor.X_EMBED, Sink.WO: Tensor.X_ATT, Sink.W2: Tensor.X_FFN}


def norm_after(config: Config, sink: Sink, layer: int) -> tuple[Tensor, int]:
    """The norm that follows an update, and its layer."""
    if sink is Sink.EMBED:
        return Tensor.RSQRT_ATT, layer
    if sink is Sink.WO:
        return Tensor.RSQRT_FFN, layer
    if layer == config.shape.layers - 1:
        return Tensor.RSQRT_FINAL, 0
    return Tensor.RSQRT_ATT, layer + 1


@st.composite
def cases(draw):
    config = draw(small_configs)
    dim = config.shape.dim
    element = draw(st.sampled_from([in_format(config.numerics.residual), st.integers(-3, 3)]))
    vector = st.lists(element, min_size=dim, max_size=dim)
    bubbles = st.lists(st.integers(0, 2), min_size=dim, max_size=dim)
    update = st.tuples(vector, bubbles)
    tokens = draw(st.integers(1, 2))
    sinks = [(Sink.EMBED, 0)]
    sinks += [(s, n) for n in range(config.shape.layers) for s in (Sink.WO, Sink.W2)]
    return config, [(*each, *draw(update)) for _ in range(tokens) for each in sinks]


async def run_update(ctx, dut: NormPath, config: Config, x: list[int] | None, update) -> list[int]:
    """Drive one update of residual `x` (None: there is none yet) through both units.

    Returns the new residual.
    """
    sink, layer, vector, bubbles = update
    form, dim, floor = config.numerics.residual, config.shape.dim, derive(config).norm_floor
    base = [0] * dim if x is None or sink is Sink.EMBED else x
    new = [int(fixed_math.saturate(a + b, form)) for a, b in zip(base, vector, strict=True)]
    square_sum, mantissa, exponent = golden_norm(config, new)

    offered, written = {}, {}
    cycle = 0  # in which the first one is announced
    for row, (value, bubble) in enumerate(zip(vector, bubbles, strict=True)):
        cycle += 1 + bubble
        offered[cycle] = dict(value=value, sink=sink, row=row, layer=layer)
        written[cycle + Residual.latency] = row
    begins = min(offered)
    complete = cycle + Residual.complete_latency
    ready = complete + RmsNorm.ready_latency
    norm, norm_layer = norm_after(config, sink, layer)

    residual, rmsnorm = dut.residual, dut.rmsnorm
    for now in range(complete + RmsNorm.latency + 4):
        others = dict(value=1, sink=Sink.QKV, row=now % dim)
        offer(ctx, residual, offered.get(now, others))
        ctx.set(residual.coming.valid, now + 1 in offered)
        ctx.set(residual.coming.p, offered.get(now + 1, others)["row"])
        ctx.set(rmsnorm.clear, now + 1 == begins)
        expect(ctx, residual.o.valid, now in written)
        expected = []
        if now in written:
            row = written[now]
            form, rounding = config.numerics.residual, config.numerics.rounding
            operand = fixed_math.operand(np.int64(new[row]), form, rounding)
            assert operand_value(ctx, residual.o.p) == operand
            expected.append((UPDATED[sink], layer, row, new[row]))
        if now == complete + RmsNorm.latency + 1:
            expected += [(norm, norm_layer, 0, mantissa), (norm, norm_layer, 1, exponent)]
        assert records(ctx, [*residual.trace, *rmsnorm.trace]) == expected
        expect(ctx, residual.complete, now == complete)
        if now >= complete:
            expect(ctx, residual.square_sum, square_sum)
        # The factor of the residual before stays until this update begins.
        expect(ctx, rmsnorm.ready, now >= ready or (x is not None and now < begins))
        for port, latency, part, least in (
            (rmsnorm.exponent, RmsNorm.exponent_latency, 2, floor),
            (rmsnorm.factor, RmsNorm.latency, 1, 0),
        ):
            known = new if now >= complete + latency else x if now <= begins else None
            assert known is None or ctx.get(port) == golden_norm(config, known)[part] - least
        expect(ctx, dut.scalars.clash, 0)
        await ctx.tick()
    return new


@costly
@given(cases())
def test_equals_golden(case):
    config, updates = case
    dut = NormPath(config)

    async def testbench(ctx):
        x = None
        for update in updates:
            x = await run_update(ctx, dut, config, x, update)

    simulate(dut, testbench)


def test_extreme_residuals():
    for config in SMALL:
        form, dim = config.numerics.residual, config.shape.dim
        dut = NormPath(config)
        still = [0] * dim

        async def testbench(ctx, config=config, form=form, dut=dut, still=still):
            x = None
            for value in (0, 1, form.min, form.max):
                update = (Sink.EMBED, 0, [value] * len(still), still)
                x = await run_update(ctx, dut, config, x, update)

        simulate(dut, testbench)
