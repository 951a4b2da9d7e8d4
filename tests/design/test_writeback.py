"""Writeback rounds every sum to the format of its tensor and hands it on a cycle later."""

from hypothesis import given
from hypothesis import strategies as st

from design.beat import Sink
from design.config import Config
from design.derived import MAX_SHIFT, derive
from design.fixed import SQ
from design.schedule import Op
from design.trace import Tensor
from design.writeback import Writeback
from golden.fixed_math import requantize
from golden.quantise import row_formats
from tests.design.support import (
    SMALL,
    column,
    costly,
    records,
    signed_bits,
    simulate,
    small_configs,
)

TRACED = {
    Sink.QKV: Tensor.QKV,
    Sink.WO: Tensor.WO,
    Sink.W13: Tensor.W13,
    Sink.W2: Tensor.W2,
}


def form_of(config: Config, sink: Sink, row: int) -> SQ:
    if sink is Sink.VALUE:
        return config.numerics.unscaled
    return row_formats(config, Op(sink.value))[row]


@st.composite
def sums(draw, config: Config):
    """A raw sum by the fields of its layout."""
    shape, derived = config.shape, derive(config)
    sink = draw(st.sampled_from([*(Sink(op.value) for op in Op), Sink.VALUE]))
    rows = 1 if sink is Sink.VALUE else len(row_formats(config, Op(sink.value)))
    # Where queries end, and keys.
    first_key, first_value = shape.dim, shape.dim + shape.kv_dim
    borders = st.sampled_from([first_key - 1, first_key, first_value - 1, first_value])
    return dict(
        sum=draw(signed_bits(derived.acc_width) | st.integers(-70000, 70000)),
        shift=draw(st.integers(0, MAX_SHIFT)),
        sink=sink,
        row=min(rows - 1, draw(borders | st.integers(0, rows - 1))),
        slot=draw(st.integers(0, derived.slots - 1)),
        layer=draw(st.integers(0, config.shape.layers - 1)),
    )


@costly
@given(st.data())
def test_rounds_as_golden(data):
    config = data.draw(small_configs)
    slots = derive(config).slots
    inputs = data.draw(st.lists(st.none() | sums(config), min_size=1, max_size=40))
    stalls = iter(data.draw(st.lists(st.booleans(), max_size=40)))
    value_shifts = data.draw(st.lists(st.integers(0, 40), min_size=slots, max_size=slots))
    dut = Writeback(config)

    async def testbench(ctx):
        ctx.set(dut.value_shifts, value_shifts)
        left, shown = [*inputs, None], None
        while left:
            stall = next(stalls, False)
            ctx.set(dut.o_stall, stall)
            ctx.set(dut.i.valid, left[0] is not None)
            ctx.set(dut.i.payload, left[0] or {})
            assert ctx.get(dut.i.ready) == (not stall)
            await ctx.tick()
            if not stall:
                shown = left.pop(0)
            assert ctx.get(dut.o_valid) == (shown is not None)
            if shown is None:
                assert not records(ctx, [dut.trace])
                continue
            sink, row, layer = shown["sink"], shown["row"], shown["layer"]
            is_value = sink is Sink.VALUE
            shift = value_shifts[shown["slot"]] if is_value else shown["shift"]
            form, rounding = form_of(config, sink, row), config.numerics.rounding
            (value,) = requantize(column([shown["sum"]]), column([shift]), form, rounding).tolist()
            assert ctx.get(dut.o.value) == value
            assert ctx.get(dut.o.sink) == sink
            assert ctx.get(dut.o.row) == row
            assert ctx.get(dut.o.slot) == shown["slot"]
            traced = [(TRACED[sink], layer, row, value)] if sink in TRACED else []
            assert records(ctx, [dut.trace]) == traced

    simulate(dut, testbench)


def test_every_row_saturates_to_its_own_format():
    # Number systems in which neighbours among the rows differ in width.
    for config in SMALL:
        dut = Writeback(config)
        n = config.numerics
        rows: list[tuple] = [
            (Sink(op.value), row, form)
            for op in Op
            for row, form in enumerate(row_formats(config, op))
        ]
        rows.append((Sink.VALUE, 0, n.unscaled))
        most = 1 << (derive(config).acc_width - 1)

        async def testbench(ctx, dut=dut, rows=rows, most=most):
            ctx.set(dut.i.valid, 1)
            for sink, row, form in rows:
                for total, expected in ((most - 1, form.max), (-most, form.min)):
                    ctx.set(dut.i.payload, dict(sum=total, sink=sink, row=row))
                    await ctx.tick()
                    assert ctx.get(dut.o.value) == expected, (sink, row)

        simulate(dut, testbench)
