"""Rounds each sum to the format of its tensor, times its factor, and hands it to the units."""

from typing import Any

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from design.arith import pick
from design.beat import Sink, beat_layout, bias_field, is_op
from design.biases import Biases
from design.drain import sum_layout
from design.memories import Ram
from design.pipeline import Pipeline, flow
from design.ports import trace_layout
from design.requantize import guard, round_saturated, shift_guarded
from design.scalar import ScalarMultiplier, ask, client_members
from design.tracing import record
from spec.config import SUM_HEADROOM, Config
from spec.derived import SCALAR_BITS, TABLE_FRACTION, derive
from spec.fixed import SQ, Rounding
from spec.schedule import Op
from spec.trace import Tensor

#: Sinks whose rows are in front of the factor of the norm.
NORMED = (Sink.QKV, Sink.W13, Sink.CLS)
#: Sinks whose sums are final as they are: they go to the residual, or are biases.
DIRECT = (Sink.EMBED, Sink.WO, Sink.W2)
#: Fields of a result beside its value.
_BESIDE = ("sink", "row", "slot", "layer")


def sum_bits(config: Config) -> int:
    """Bits of a rounded sum: an element that is added to the residual is as wide as that."""
    return max(SCALAR_BITS, config.numerics.residual.width)


def any_of(sink: Value, sinks: tuple[Any, ...]) -> Value:
    """Whether `sink` is one of `sinks`."""
    return Cat(sink == each for each in sinks).any()


def for_residual(element: Any) -> Value:
    """Whether an `element` with `sink` and `bias` goes to the residual."""
    if "bias" not in element.shape().members:
        return any_of(element.sink, DIRECT)
    return any_of(element.sink, (Sink.WO, Sink.W2)) | is_op(Op.EMBED, element)


def result_layout(config: Config, value_bits: int = SCALAR_BITS) -> data.StructLayout:
    """One element in the format of its tensor, right-aligned and sign-extended."""
    derived, beat = derive(config), beat_layout(config)
    return data.StructLayout(
        {
            "value": signed(value_bits),
            "sink": Sink,
            **bias_field(config),
            "row": beat["row"].shape,
            "slot": range(derived.slots),
            "layer": beat["layer"].shape,
        }
    )


class Writeback(wiring.Component):
    """Requantises serial sums, one a cycle.

    Sums for the residual are rounded to its format and leave by `o`. All others are rounded to
    `config.sum_format` on their way past `o`, multiplied by a factor (1 / rms of the residual, or
    the reciprocal of the softmax sum of their slot), rounded again, and leave by `scaled`. Where
    the shape has biases, these are rounded to the format of their query, key or value, kept, and
    added to the product of their row before it is rounded.

    Latency: 2 cycles to `o` (`latency`: shift by eights; shift and round), and to `scaled`
    ``latency + ScalarMultiplier.latency + 1`` = 5 (`scaled_latency`: product; round).

    Members
    -------
    i : In(flow(sum_layout))
        Raw sums.
    norm_exponent, norm_factor : In
        Of the residual, see `RmsNorm`: the right shift that adds to the header's, and the factor.
    value_shifts, value_factors : In
        Right shift and factor of a value sum, per slot, see `Reciprocals`.
    coming : Out(flow(row))
        The sum of this row of the residual will be on `o` in `lead_time` cycles: 1.
    o : Out(flow(result_layout))
        Rounded sums, `sum_bits` wide.
    scaled : Out(flow(result_layout))
        Rounded products.
    requests, products
        One scalar multiplier, see `client_members`.
    trace : Out(ArrayLayout(record, 2))
        The sums (QKV_SUM, ATTENTION_SUM, W13_SUM, LOGITS_SUM, and WO and W2, which are final), and
        their products (QKV, ATTENTION, W13); BIAS.

    Inside (for proofs)
    -------------------
    half_valid, element
        A sum is half way to `o`, and which.
    multiplied : Pipeline
        What the scalar multiplier was asked for, until `scaled`.
    biases : Biases, where the shape has any
    """

    latency = 2
    scaled_latency = latency + ScalarMultiplier.latency + 1
    multipliers = (0,)
    #: Of `coming`.
    lead_time = 1

    def __init__(self, config: Config):
        self.config = config
        derived = derive(config)
        shift, factor = derived.shift_width, TABLE_FRACTION + 1
        super().__init__(
            {
                "i": In(flow(sum_layout(config))),
                "norm_exponent": In(shift),
                "norm_factor": In(factor),
                "value_shifts": In(data.ArrayLayout(shift, derived.slots)),
                "value_factors": In(data.ArrayLayout(factor, derived.slots)),
                "coming": Out(flow(beat_layout(config)["row"].shape)),
                "o": Out(flow(result_layout(config, sum_bits(config)))),
                "scaled": Out(flow(result_layout(config))),
                **client_members(1),
                "trace": Out(data.ArrayLayout(trace_layout(config), 2)),
            }
        )
        self.half_valid = Signal()
        self.element = Signal.like(self.o.p, name="element")
        self.multiplied = Pipeline(self.o.p.shape(), ScalarMultiplier.latency, name="multiplied")
        if config.shape.qkv_bias:
            self.biases = Biases(config)

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        if not self.config.shape.qkv_bias:
            return []
        return [ram.below("biases") for ram in self.biases.rams]

    def _qkv_formats(self, element: data.View, qkv: Value) -> list[tuple[SQ, Value]]:
        """(format, condition) of queries, keys and values, if it is one of them: `qkv`."""
        shape, n = self.config.shape, self.config.numerics
        is_q, is_v = element.row < shape.q_dim, element.row >= shape.q_dim + shape.kv_dim
        return [(n.q, qkv & is_q), (n.k, qkv & ~is_q & ~is_v), (n.v, qkv & is_v)]

    def _formats(self, element: data.View) -> list[tuple[SQ, Value]]:
        """(format, condition): exclusive conditions that cover every scaled element."""
        n, sink = self.config.numerics, element.sink
        w13, is_up = sink == Sink.W13, element.row[0]
        return [
            *self._qkv_formats(element, sink == Sink.QKV),
            (n.gate, w13 & ~is_up),
            (n.up, w13 & is_up),
            (n.logits, sink == Sink.CLS),
            (n.attention, sink == Sink.VALUE),
        ]

    def elaborate(self, platform):
        m = Module()
        self._round_sum(m)
        self._scale(m)
        self._trace(m)
        return m

    def _round_sum(self, m: Module) -> None:
        n, derived = self.config.numerics, derive(self.config)
        raw = self.i.p
        shift = Signal(derived.shift_width)
        with m.If(raw.sink == Sink.VALUE):
            m.d.comb += shift.eq(pick(self.value_shifts, raw.slot))
        with m.Elif(any_of(raw.sink, DIRECT)):
            m.d.comb += shift.eq(raw.shift)
        with m.Else():
            m.d.comb += shift.eq(raw.shift + self.norm_exponent)

        # A long shift and its rounding are too much for one cycle: first by eights, then the rest.
        led = guard(raw.sum << derived.lead)
        half_valid, element = self.half_valid, self.element
        half_way = Signal(signed(len(led)))
        rest = Signal(3)
        m.d.sync += [
            half_valid.eq(self.i.valid),
            half_way.eq(shift_guarded(led, Cat(C(0, 3), shift[3:]))),
            rest.eq(shift),
            element.sink.eq(raw.sink),
            element.row.eq(raw.row),
            element.slot.eq(raw.slot),
            element.layer.eq(raw.layer),
        ]

        if self.config.shape.qkv_bias:
            m.d.sync += element.bias.eq(raw.bias)

        to_residual = for_residual(element)
        guarded = shift_guarded(half_way, rest)
        widths = [(n.residual.width, to_residual)]
        widths += [(form.width + SUM_HEADROOM, each) for form, each in self._formats(element)]
        if self.config.shape.qkv_bias:
            biases = self._qkv_formats(element, is_op(Op.BIAS, element))
            widths += [(form.width, each) for form, each in biases]
        m.d.comb += [
            self.coming.valid.eq(half_valid & to_residual),
            self.coming.p.eq(element.row),
        ]
        m.d.sync += self.o.valid.eq(half_valid)
        rounded = Signal.like(self.o.p.value, name="sum_value")
        _round(m, guarded, n.rounding, widths, rounded)
        with m.If(half_valid):
            m.d.sync += [self.o.p.eq(element), self.o.p.value.eq(rounded)]

    def _scale(self, m: Module) -> None:
        n, asked = self.config.numerics, self.o.p
        valid = self.o.valid & ~any_of(asked.sink, DIRECT)
        factor = Signal.like(self.norm_factor)
        is_value = asked.sink == Sink.VALUE
        of_slot = pick(self.value_factors, asked.slot)
        m.d.comb += factor.eq(Mux(is_value, of_slot, self.norm_factor))
        with m.If(valid):
            m.d.comb += ask(self.requests[0], asked.value, factor)
        self.multiplied.follow(m, valid, asked)
        there, element = self.multiplied.valid[-1], self.multiplied.steps[-1]
        m.d.sync += self.scaled.valid.eq(there)
        total = self.products[0]
        if self.config.shape.qkv_bias:
            total = total + (self._bias(m) << TABLE_FRACTION)
        guarded = shift_guarded(guard(total), TABLE_FRACTION)
        widths = [(form.width, condition) for form, condition in self._formats(element)]
        rounded = Signal.like(self.scaled.p.value, name="scaled_value")
        _round(m, guarded, n.rounding, widths, rounded)
        with m.If(there):
            m.d.sync += self.scaled.p.value.eq(rounded)
            m.d.sync += [self.scaled.p[field].eq(element[field]) for field in _BESIDE]

    def _bias(self, m: Module) -> Value:
        """What is added to the product that is there; it is read in the cycle before."""
        before, element = self.multiplied.steps[-2:]
        m.submodules.biases = biases = self.biases
        m.d.comb += [
            biases.wr_en.eq(self.o.valid & is_op(Op.BIAS, self.o.p)),
            biases.wr_row.eq(self.o.p.row),
            biases.wr_data.eq(self.o.p.value),
            biases.rd_en.eq(self.multiplied.valid[-2] & (before.sink == Sink.QKV)),
            biases.rd_row.eq(before.row),
        ]
        return Mux(element.sink == Sink.QKV, biases.rd_data, 0)

    def _trace(self, m: Module) -> None:
        sums = {
            Sink.QKV: Tensor.QKV_SUM,
            Sink.VALUE: Tensor.ATTENTION_SUM,
            Sink.WO: Tensor.WO,
            Sink.W13: Tensor.W13_SUM,
            Sink.W2: Tensor.W2,
            Sink.CLS: Tensor.LOGITS_SUM,
        }
        products = {
            Sink.QKV: Tensor.QKV,
            Sink.VALUE: Tensor.ATTENTION,
            Sink.W13: Tensor.W13,
        }
        for target, out, tensors in zip(
            self.trace, (self.o, self.scaled), (sums, products), strict=True
        ):
            valid, element = out.valid, out.p
            # Attention outputs come in an order of their own, and are counted.
            q_dim = self.config.shape.q_dim
            count = Signal(range(q_dim))
            is_value = element.sink == Sink.VALUE
            with m.If(valid & is_value):
                m.d.sync += count.eq(Mux(count == q_dim - 1, 0, count + 1))
            if self.config.shape.qkv_bias and out is self.o:
                m.d.comb += record(
                    target,
                    valid=valid & is_op(Op.BIAS, element),
                    tensor=Tensor.BIAS,
                    layer=element.layer,
                    index=element.row,
                    value=element.value,
                )
            with m.Switch(element.sink):
                for sink, tensor in tensors.items():
                    with m.Case(sink):
                        m.d.comb += record(
                            target,
                            valid=valid,
                            tensor=tensor,
                            layer=0 if sink is Sink.CLS else element.layer,
                            index=Mux(is_value, count, element.row),
                            value=element.value,
                        )


def _round(
    m: Module, guarded: Value, rounding: Rounding, widths: list[tuple[int, Value]], result: Value
) -> None:
    """Drive `result` with `guarded` rounded, and saturated to the width whose condition holds.

    Where the point is, the shift before has settled.
    """
    by_width: dict[int, Value] = {}
    for width, condition in widths:
        by_width[width] = by_width.get(width, C(0, 1)) | condition
    values = round_saturated(guarded, [SQ(width, 0) for width in by_width], rounding)
    for value, condition in zip(values, by_width.values(), strict=True):
        with m.If(condition):
            m.d.comb += result.eq(value)
