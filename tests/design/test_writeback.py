"""Writeback rounds every sum, multiplies it by the factor of its row, and rounds it again."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from design.beat import Sink, to_sink
from design.writeback import DIRECT, NORMED, Writeback
from golden.fixed_math import requantize
from golden.quantise import row_formats
from spec.config import Config, sum_format
from spec.derived import MAX_SHIFT, TABLE_FRACTION, derive
from spec.fixed import SQ
from spec.schedule import Op, ops
from spec.trace import Tensor
from tests.design.support import (
    SMALL,
    WithScalars,
    costly,
    expect,
    records,
    signed_bits,
    simulate,
    small_configs,
)

#: What the trace calls the sums, and their products.
SUMS = {
    Sink.QKV: Tensor.QKV_SUM,
    Sink.VALUE: Tensor.ATTENTION_SUM,
    Sink.WO: Tensor.WO,
    Sink.W13: Tensor.W13_SUM,
    Sink.W2: Tensor.W2,
    Sink.CLS: Tensor.LOGITS_SUM,
}
PRODUCTS = {Sink.QKV: Tensor.QKV, Sink.VALUE: Tensor.ATTENTION, Sink.W13: Tensor.W13}
#: Factors are above 1/4 and at most 1.
factors = st.sampled_from([(1 << 14) + 1, 1 << 16]) | st.integers((1 << 14) + 1, 1 << 16)


def is_bias(raw: dict) -> bool:
    return bool(raw.get("bias"))


def form_of(config: Config, raw: dict) -> SQ:
    if raw["sink"] is Sink.VALUE:
        return config.numerics.attention
    op = Op.BIAS if is_bias(raw) else Op(raw["sink"].value)
    return row_formats(config, op)[raw["row"]]


def most_exponent(config: Config) -> int:
    """Of a norm, less the least there is."""
    derived = derive(config)
    return derived.square_sum_width // 2 - 1 - derived.norm_floor


@st.composite
def sums(draw, config: Config):
    """A raw sum by the fields of its layout, and exponent and factor of a norm for it alone."""
    shape, derived = config.shape, derive(config)
    op = draw(st.sampled_from([*ops(config), None]))
    rows = len(row_formats(config, op)) if op else 1
    # Where queries end, and keys.
    first_key, first_value = shape.q_dim, shape.q_dim + shape.kv_dim
    borders = st.sampled_from([first_key - 1, first_key, first_value - 1, first_value])
    raw = dict(
        sum=draw(signed_bits(derived.acc_width) | st.integers(-70000, 70000)),
        shift=draw(st.integers(0, MAX_SHIFT) | st.integers(0, 20)),
        sink=to_sink(op) if op else Sink.VALUE,
        row=min(rows - 1, draw(borders | st.integers(0, rows - 1))),
        slot=draw(st.integers(0, derived.slots - 1)),
        layer=draw(st.integers(0, config.shape.layers - 1)),
    )
    if shape.qkv_bias:
        raw["bias"] = op is Op.BIAS
    return raw, draw(st.integers(0, most_exponent(config))), draw(factors)


def golden(config: Config, element: tuple, per_slot: list[tuple], bias: int) -> tuple[int, int]:
    """(sum, product) in their formats; of one for the residual, or a bias, only the sum counts."""
    raw, exponent, factor = element
    derived, rounding = derive(config), config.numerics.rounding
    form = form_of(config, raw)
    shift = raw["shift"]
    if raw["sink"] is Sink.VALUE:
        shift, factor = per_slot[raw["slot"]]
    elif raw["sink"] in NORMED:
        shift += exponent
    first = form if raw["sink"] in DIRECT else sum_format(form)
    total = int(requantize(raw["sum"] << derived.lead, shift, first, rounding))
    product = total * factor + (bias << TABLE_FRACTION)
    return total, int(requantize(product, TABLE_FRACTION, form, rounding))


def goldens(config: Config, layers: list[tuple[list, list]]) -> Iterator[list]:
    """Of each layer, that of each element. A row of QKV gets the last bias of its row; one that is
    written as it is read, which it is an element later, counts as written."""
    biases: dict[int, int] = {}
    for elements, per_slot in layers:
        found = []
        for number, element in enumerate(elements):
            for new in elements[number : number + 2]:
                if new is not None and is_bias(new[0]):
                    biases[new[0]["row"]] = golden(config, new, per_slot, 0)[0]
            if element is not None:
                mine = element[0]["sink"] is Sink.QKV
                bias = biases.get(element[0]["row"], 0) if mine else 0
                element = golden(config, element, per_slot, bias)
            found.append(element)
        yield found


def check(config: Config, layers: list[tuple[list, list]]) -> None:
    """Sums, or None, of some layers, each with (shift, factor) of every slot."""
    dut = Writeback(config)
    fields = ("sink", "row", "slot", "layer") + ("bias",) * config.shape.qkv_bias

    counts = [0, 0]  # of attention outputs so far

    def shown(ctx, valid, result) -> tuple | None:
        """Value and fields of an output."""
        names = ("value", *fields)
        return tuple(ctx.get(result[name]) for name in names) if ctx.get(valid) else None

    def expected(elements: list, values: list, half: int) -> Iterator[tuple]:
        """What an output shows for each element: (result, trace record)."""
        tensors = (SUMS, PRODUCTS)[half]
        for element, both in zip(elements, values, strict=True):
            if element is None or (half and element[0]["sink"] in DIRECT):
                yield None, []
                continue
            raw, value = element[0], both[half]
            found = tuple(raw[name] for name in fields)
            sink, row, _, layer = found[:4]
            is_value = sink is Sink.VALUE
            index = counts[half] % config.shape.q_dim if is_value else row
            counts[half] += is_value
            layer *= sink is not Sink.CLS
            tensor = Tensor.BIAS if is_bias(raw) else tensors.get(sink)
            traced = [(tensor, layer, index, value)] if tensor else []
            yield (value, *found), traced

    async def testbench(ctx):
        ports = ((dut.o.valid, dut.o.p), (dut.scaled.valid, dut.scaled.p))
        for (elements, per_slot), values in zip(layers, goldens(config, layers), strict=True):
            ctx.set(dut.value_shifts, [shift for shift, _ in per_slot])
            ctx.set(dut.value_factors, [factor for _, factor in per_slot])
            nothing = (None, [])
            to_come = [
                [*[nothing] * latency, *expected(elements, values, half)]
                for half, latency in enumerate((Writeback.latency, Writeback.scaled_latency))
            ]
            for cycle in range(len(elements) + Writeback.scaled_latency):
                now, before, left = (
                    elements[cycle - n] if 0 <= cycle - n < len(elements) else None
                    for n in (0, Writeback.latency - Writeback.lead_time, Writeback.latency)
                )
                ctx.set(dut.i.valid, now is not None)
                if now is not None:
                    ctx.set(dut.i.p, now[0])
                    ctx.set(dut.norm_exponent, now[1])
                if left is not None:
                    ctx.set(dut.norm_factor, left[2])
                coming = before is not None and before[0]["sink"] in DIRECT
                coming = coming and not is_bias(before[0])
                expect(ctx, dut.coming.valid, coming)
                if coming:
                    expect(ctx, dut.coming.p, before[0]["row"])
                for half, (valid, result) in enumerate(ports):
                    then = to_come[half][cycle] if cycle < len(to_come[half]) else nothing
                    assert (shown(ctx, valid, result), records(ctx, [dut.trace[half]])) == then
                asks = left is not None and left[0]["sink"] not in DIRECT
                expect(ctx, dut.requests[0].en, asks)
                assert asks or ctx.get(dut.requests[0].as_value()) == 0
                await ctx.tick()

    simulate(WithScalars(dut), testbench)


@costly
@given(st.data())
def test_rounds_scales_and_rounds_as_golden(data):
    config = data.draw(small_configs)
    derived = derive(config)
    elements = st.lists(st.none() | sums(config), min_size=1, max_size=30).filter(
        # A layer has no more value sums than this.
        lambda each: (
            sum(bool(one) and one[0]["sink"] is Sink.VALUE for one in each) <= config.shape.q_dim
        )
    )
    slot = st.tuples(st.integers(0, (1 << derived.shift_width) - 1) | st.integers(0, 20), factors)
    per_slot = st.lists(slot, min_size=derived.slots, max_size=derived.slots)
    check(config, data.draw(st.lists(st.tuples(elements, per_slot), min_size=1, max_size=2)))


def test_every_row_saturates_to_its_own_formats():
    # Number systems in which neighbours among the rows differ in width.
    for config in SMALL:
        most, one = 1 << (derive(config).acc_width - 1), 1 << TABLE_FRACTION
        per_slot = [(0, one)] * derive(config).slots
        elements, extremes = [], []
        for op in (None, *ops(config)):
            forms = row_formats(config, op) if op else [config.numerics.attention]
            sink = to_sink(op) if op else Sink.VALUE
            marks = dict(bias=op is Op.BIAS) if config.shape.qkv_bias else {}
            for row, form in enumerate(forms):
                for total, extreme in ((most - 1, form.max), (-most, form.min)):
                    raw = dict(sum=total, shift=0, sink=sink, row=row, slot=0, layer=0)
                    elements.append((raw | marks, 0, one))
                    extremes.append(extreme)
        (found,) = goldens(config, [(elements, per_slot)])
        final = [element[0]["sink"] not in DIRECT for element in elements]
        assert [both[last] for both, last in zip(found, final, strict=True)] == extremes
        check(config, [(elements, per_slot)])


def test_every_sink_but_the_scores_is_normed_or_direct_or_a_value():
    assert {*NORMED, *DIRECT, Sink.SCORE, Sink.VALUE} == set(Sink)
