"""Bugs that the comparison of golden and RTL finds as well, and which tensor or fault shows each.

`tests/sim/test_planted.py` compares under all of them. The counters are for whoever measures: what
they count is compared with golden and with the driver's clock, and no theorem speaks of it.
"""

from formal.planted.bug import planted
from tools.planting import PlantedBug

SILU_TRUNCATED = planted("nano", "arith.swiglu",
    "silu is truncated",
    "design.swiglu", "SwiGlu.elaborate",
    "requantize(self.products[1], silu_shift, n.silu, n.rounding)",
    "requantize(self.products[1], silu_shift, n.silu, type(n.rounding).TRUNCATE)")  # fmt: skip
ROTATION_TRUNCATED = planted("nano", "arith.rope",
    "rotated elements are truncated",
    "design.rope", "Rope.elaborate",
    "requantize(total, n.rope.f, form, n.rounding)",
    "requantize(total, n.rope.f, form, type(n.rounding).TRUNCATE)")  # fmt: skip
KV_HEAD_0 = planted("nano", "kv.group.key",
    "every query head reads KV head 0",
    "design.cache", "CacheLayers._pick", "head // shape.group", "head // shape.heads")  # fmt: skip
STORED_TOO_EARLY = planted("nano", "kv.external.row_done",
    "a write is taken for stored when it is on its way",
    "design.kv_writer", "RowWriter.elaborate", "self.i_written", "taken")  # fmt: skip
NORM_SHIFTED = planted("nano", "arith.norm",
    "rows are shifted a bit too far for their norm",
    "design.rmsnorm", "RmsNorm.elaborate",
    "self.exponent.eq(e - derived.norm_floor)",
    "self.exponent.eq(e - derived.norm_floor + 1)")  # fmt: skip
SUMS_TWICE = planted("nano", "arith.array_order",
    "the array gives its sums away twice when the weight stream pauses behind them",
    "design.array", "MultiplierArray.elaborate", "self.o.ready", "0")  # fmt: skip
COUNTED_TOO_EARLY = planted("nano", "dataflow.activations.residual",
    "the residual counts elements long before they are written",
    "design.activations", "ActivationBuffer.elaborate",
    "self.filled.eq(0)", "self.filled.eq(self.depth)")  # fmt: skip
NORM_ASKS_ON = planted("nano", "arith.norm",
    "a norm never stops asking for a product",
    "design.rmsnorm", "RmsNorm.elaborate",
    "self.requests[0].eq(interpolator.request)",
    "self.requests[0].as_value().eq(-1)")  # fmt: skip

COMPARED = (
    SILU_TRUNCATED, ROTATION_TRUNCATED, KV_HEAD_0, STORED_TOO_EARLY, NORM_SHIFTED, SUMS_TWICE,
    COUNTED_TOO_EARLY, NORM_ASKS_ON,
)  # fmt: skip

SUMS_COUNTED = PlantedBug(
    "cycles in which sums are complete count as products, too",
    "design.decoder", "Decoder._observe",
    "self.macs + self.array.macs", "self.macs + self.array.macs + self.array.o.valid",
)  # fmt: skip
PADDING_COUNTED = PlantedBug(
    "a weight beat counts for every lane, padding or not",
    "design.decoder", "Decoder._connect_stages",
    "m.d.comb += issue.i.p.layer.eq(tokens.layer)",
    "m.d.comb += issue.i.p.layer.eq(tokens.layer)\n"
    "with m.If(projection.o.p.macs != 0):\n"
    "    m.d.comb += issue.i.p.macs.eq(self.config.geometry.lanes)",
)  # fmt: skip
CLOCK_EARLY = PlantedBug(
    "the clock runs as soon as a token is offered", "design.decoder", "Decoder._observe",
    "self.token_sequencer.busy", "self.token_sequencer.busy | self.i_token.valid",
)  # fmt: skip
CLOCK_STANDS = PlantedBug(
    "the clock stands still while an answer waits", "design.decoder", "Decoder._observe",
    "self.token_sequencer.busy",
    "self.token_sequencer.busy & ~(self.o_token.valid & ~self.o_token.ready)",
)  # fmt: skip

#: Bugs that no proof can find.
COUNTERS = (SUMS_COUNTED, PADDING_COUNTED, CLOCK_EARLY, CLOCK_STANDS)
