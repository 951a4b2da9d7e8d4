"""Rounds each sum to the format of its tensor and hands it to the unit that wants it."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from design.beat import Sink, beat_layout
from design.config import Config
from design.derived import SHIFT_BITS, derive
from design.drain import sum_layout
from design.fixed import SQ
from design.ports import trace_layout
from design.requantize import saturate, shift_right
from design.trace import Tensor
from design.tracing import record


def result_layout(config: Config) -> data.StructLayout:
    """One element in the format of its tensor, right-aligned and sign-extended."""
    derived, n, beat = derive(config), config.numerics, beat_layout(config)
    widest = max(
        form.width for form in (n.residual, n.q, n.k, n.v, n.gate, n.up, n.unscaled, n.logits)
    )
    return data.StructLayout(
        {
            "value": signed(widest),
            "sink": Sink,
            "row": beat["row"].shape,
            "slot": range(derived.slots),
            "layer": beat["layer"].shape,
        }
    )


class Writeback(wiring.Component):
    """Requantises serial sums, one a cycle.

    Latency: 1 cycle. Stalls only while `o_stall` is high (a logit that nobody takes).

    Members
    -------
    i : In(stream)
        Raw sums, see `drain.sum_layout`.
    value_shifts : In
        Right shift of a value sum, per slot (its softmax sum's exponent, rebased).
    o_valid, o : Out
        Rounded elements, see `result_layout`.
    o_stall : In(1)
        Hold `o`.
    trace : Out
        QKV, WO, W13, W2.
    """

    def __init__(self, config: Config):
        self.config = config
        derived = derive(config)
        super().__init__(
            {
                "i": In(stream.Signature(sum_layout(config))),
                "value_shifts": In(data.ArrayLayout(SHIFT_BITS, derived.slots)),
                "o_valid": Out(1),
                "o": Out(result_layout(config)),
                "o_stall": In(1),
                "trace": Out(trace_layout(config)),
            }
        )

    def _formats(self, raw: data.View) -> list[tuple[SQ, Value]]:
        """(format, condition): exclusive conditions that cover every serial sink."""
        shape, n = self.config.shape, self.config.numerics
        sink = raw.sink
        qkv, w13 = sink == Sink.QKV, sink == Sink.W13
        is_q, is_v = raw.row < shape.dim, raw.row >= shape.dim + shape.kv_dim
        is_up = raw.row[0]
        return [
            (n.residual, (sink == Sink.EMBED) | (sink == Sink.WO) | (sink == Sink.W2)),
            (n.q, qkv & is_q),
            (n.k, qkv & ~is_q & ~is_v),
            (n.v, qkv & is_v),
            (n.gate, w13 & ~is_up),
            (n.up, w13 & is_up),
            (n.logits, sink == Sink.CLS),
            (n.unscaled, sink == Sink.VALUE),
        ]

    def elaborate(self, platform):
        m = Module()
        n = self.config.numerics
        raw = self.i.payload

        # Only the width matters for saturation: where the point lies is in the shift.
        by_width: dict[int, Value] = {}
        for form, condition in self._formats(raw):
            by_width[form.width] = by_width.get(form.width, C(0, 1)) | condition
        shift = Signal(SHIFT_BITS)
        m.d.comb += shift.eq(Mux(raw.sink == Sink.VALUE, self.value_shifts[raw.slot], raw.shift))
        rounded = shift_right(raw.sum, shift, n.rounding)
        value = Signal.like(self.o.value)
        for width, condition in by_width.items():
            with m.If(condition):
                m.d.comb += value.eq(saturate(rounded, SQ(width, 0)))

        m.d.comb += self.i.ready.eq(~self.o_stall)
        with m.If(~self.o_stall):
            m.d.sync += [
                self.o_valid.eq(self.i.valid),
                self.o.value.eq(value),
                self.o.sink.eq(raw.sink),
                self.o.row.eq(raw.row),
                self.o.slot.eq(raw.slot),
                self.o.layer.eq(raw.layer),
            ]

        tensors = {
            Sink.QKV: Tensor.QKV,
            Sink.WO: Tensor.WO,
            Sink.W13: Tensor.W13,
            Sink.W2: Tensor.W2,
        }
        with m.Switch(self.o.sink):
            for sink, tensor in tensors.items():
                with m.Case(sink):
                    m.d.comb += record(
                        self.trace,
                        valid=self.o_valid,
                        tensor=tensor,
                        layer=self.o.layer,
                        index=self.o.row,
                        value=self.o.value,
                    )
        return m
