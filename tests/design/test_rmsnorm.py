"""Residual and RmsNorm together: updates in, normed elements out, against golden."""

import numpy as np
from amaranth import *
from hypothesis import given
from hypothesis import strategies as st

from design import tables
from design.beat import Sink
from design.config import Config
from design.derived import TABLE_FRACTION, derive
from design.residual import Residual
from design.rmsnorm import RmsNorm
from design.scalar import ScalarMultiplier
from design.trace import Tensor
from golden import fixed_math
from tests.design.support import SMALL, costly, in_format, offer, records, simulate, small_configs

#: Cycles from the last element of an update to `complete`, and from there to the first normed one.
COMPLETE_LATENCY = 5
NORM_LATENCY = 11


class NormPath(Elaboratable):
    """As in the decoder: both units on the first multiplier, the table on the second."""

    def __init__(self, config: Config):
        self.residual = Residual(config)
        self.rmsnorm = RmsNorm(config)
        self.multipliers = [ScalarMultiplier(2), ScalarMultiplier(1)]

    def elaborate(self, platform):
        m = Module()
        m.submodules.residual = residual = self.residual
        m.submodules.rmsnorm = rmsnorm = self.rmsnorm
        m.submodules.scalar_0, m.submodules.scalar_1 = first, second = self.multipliers
        m.d.comb += [
            rmsnorm.start.eq(residual.complete),
            rmsnorm.square_sum.eq(residual.square_sum),
            rmsnorm.source.eq(residual.source),
            rmsnorm.layer.eq(residual.layer),
            residual.rd_en.eq(rmsnorm.rd_en),
            residual.rd_index.eq(rmsnorm.rd_index),
            rmsnorm.rd_data.eq(residual.rd_data),
            first.requests[0].eq(residual.request),
            first.requests[1].eq(rmsnorm.requests[0]),
            second.requests[0].eq(rmsnorm.requests[1]),
            residual.product.eq(first.product),
            rmsnorm.products[0].eq(first.product),
            rmsnorm.products[1].eq(second.product),
        ]
        return m


def golden_norm(config: Config, x: list[int]) -> tuple[int, list[int], list[int]]:
    """(square sum, [mantissa, exponent], normed) as the golden decoder computes them."""
    derived, n, rsqrt = derive(config), config.numerics, tables.rsqrt(config)
    square_sum = sum(value * value for value in x) + derived.epsilon
    m, e = fixed_math.rsqrt_operand(np.int64(square_sum))
    base, slope = np.array(rsqrt.table.base), np.array(rsqrt.table.slope)
    mantissa = fixed_math.interpolate(rsqrt.table, base, slope, m)
    shift = TABLE_FRACTION + e - rsqrt.growth - n.normed.f
    normed = fixed_math.requantize(np.array(x) * mantissa, shift, n.normed, n.rounding)
    return square_sum, [int(mantissa), int(e)], normed.tolist()


#: Projection: what it updates, and the norm that follows it (before the last layer's end).
TENSORS = {
    Sink.EMBED: (Tensor.X_EMBED, Tensor.XN_ATT, Tensor.RSQRT_ATT),
    Sink.WO: (Tensor.X_ATT, Tensor.XN_FFN, Tensor.RSQRT_FFN),
    Sink.W2: (Tensor.X_FFN, Tensor.XN_ATT, Tensor.RSQRT_ATT),
}


def after(config: Config, sink: Sink, layer: int) -> tuple[Tensor, Tensor, int]:
    """The norm that follows an update, and its layer."""
    _, normed, factor = TENSORS[sink]
    if sink is not Sink.W2:
        return normed, factor, layer
    if layer == config.shape.layers - 1:
        return Tensor.XN_FINAL, Tensor.RSQRT_FINAL, 0
    return normed, factor, layer + 1


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


async def run_update(ctx, dut: NormPath, config: Config, x: list[int], update) -> list[int]:
    """Drive one update of residual `x` through both units; returns the new residual."""
    sink, layer, vector, bubbles = update
    form, dim = config.numerics.residual, config.shape.dim
    base = [0] * dim if sink is Sink.EMBED else x
    new = [int(fixed_math.saturate(a + b, form)) for a, b in zip(base, vector, strict=True)]
    square_sum, factor, normed = golden_norm(config, new)

    offered = {}
    cycle = -1
    for row, (value, bubble) in enumerate(zip(vector, bubbles, strict=True)):
        cycle += 1 + bubble
        offered[cycle] = dict(value=value, sink=sink, row=row, layer=layer)
    complete = cycle + COMPLETE_LATENCY
    first = complete + NORM_LATENCY

    x_tensor = TENSORS[sink][0]
    xn_tensor, factor_tensor, xn_layer = after(config, sink, layer)
    expected = [(x_tensor, layer, n, value) for n, value in enumerate(new)]
    expected += [(factor_tensor, xn_layer, n, value) for n, value in enumerate(factor)]
    expected += [(xn_tensor, xn_layer, n, value) for n, value in enumerate(normed)]
    traced = []
    for now in range(first + dim + 1):
        others = dict(value=1, sink=Sink.QKV, row=now % dim)
        offer(ctx, dut.residual, offered.get(now, others))
        traced += records(ctx, [dut.residual.trace, *dut.rmsnorm.trace])
        assert ctx.get(dut.residual.complete) == (now == complete)
        if now >= complete:
            assert ctx.get(dut.residual.square_sum) == square_sum
        assert ctx.get(dut.rmsnorm.o_valid) == (first <= now < first + dim)
        if first <= now < first + dim:
            assert ctx.get(dut.rmsnorm.o) == normed[now - first]
        assert not ctx.get(dut.multipliers[0].fault)
        await ctx.tick()
    assert traced == expected
    return new


@costly
@given(cases())
def test_equals_golden(case):
    config, updates = case
    dut = NormPath(config)

    async def testbench(ctx):
        x = [0] * config.shape.dim
        for update in updates:
            x = await run_update(ctx, dut, config, x, update)

    simulate(dut, testbench)


def test_extreme_residuals():
    for config in SMALL:
        form, dim = config.numerics.residual, config.shape.dim
        dut = NormPath(config)
        still = [0] * dim

        async def testbench(ctx, config=config, form=form, dut=dut, still=still):
            for value in (0, 1, form.min, form.max):
                update = (Sink.EMBED, 0, [value] * len(still), still)
                await run_update(ctx, dut, config, still, update)

        simulate(dut, testbench)
