"""Mistakes about biases and the end of a text."""

from formal.planted.bug import planted

BIASES = (
    planted("nano_bias", "arith.writeback_scale",
        "a row gets the bias of the row behind it",
        "design.writeback", "Writeback._bias", "before.row", "before.row + 1"),
    planted("nano_bias", "arith.writeback_scale",
        "a bias is multiplied by the factor of the norm, too",
        "design.writeback", "Writeback._scale",
        "self._bias(m) << TABLE_FRACTION",
        "self._bias(m) * factor"),
    planted("nano_bias", "composition.operands",
        "every layer has the biases of the first",
        "design.writeback", "Writeback._bias", "self.o.valid & is_op(Op.BIAS, self.o.p)",
        "self.o.valid & is_op(Op.BIAS, self.o.p) & (self.o.p.layer == 0)"),
    planted("nano_bias", "schedule.layer",
        "a layer has no biases of its own",
        "design.sequencer", "LayerSequencer.elaborate",
        "start(plan.works[0])", "start(Op.QKV)"),
    planted("nano_bias", "schedule.projection",
        "biases are read as an embedding",
        "design.stages.projection", "ProjectionStage.elaborate", "m.If(self.bias)", "m.If(0)"),
    planted("nano_bias", "arith.square_sum",
        "biases go to the residual, too",
        "design.residual", "Residual.elaborate", "is_op(Op.EMBED, result)", "(sink == Sink.EMBED)"),
    planted("nano_bias", "schedule.token",
        "only the first of the end-of-text ids ends the text",
        "design.sequencer", "TokenSequencer.elaborate", "shape.end_ids", "shape.end_ids[:1]"),
)  # fmt: skip
