"""What one unit promises to another, broken."""

from formal.planted.bug import planted

LEMMAS = (
    planted("nano", "leaks.end_is_taken",
        "whether a text ended follows the choice while the classifier works",
        "design.sequencer", "TokenSequencer.elaborate",
        "m.d.comb += self.busy.eq(~self.fsm.ongoing(IDLE))",
        "m.d.comb += self.busy.eq(~self.fsm.ongoing(IDLE))\n"
        "m.d.sync += ended.eq(answer.end)"),
    planted("nano", "requests.silent.swiglu",
        "a silu stays on the port until it meets its up",
        "design.swiglu", "SwiGlu.elaborate", "with m.If(multiply): ...",
        "m.d.comb += silu_up.a.eq(silu)\nwith m.If(multiply): ..."),
    planted("nano", "softmax.sum_includes_the_maximum",
        "the first weight of a sum is left out",
        "design.softmax", "Softmax.elaborate",
        "Mux(adds.p.first, 0, totals.sums[slot]) + self.weights[slot]",
        "Mux(adds.p.first, 0, totals.sums[slot] + self.weights[slot])"),
    planted("nano", "softmax.sum_includes_the_maximum",
        "the maximum of the pass before stays",
        "design.softmax", "Softmax.elaborate", "empty | (score > maximum)", "score > maximum"),
    planted("nano", "softmax.below_maximum",
        "the score memory is read one position off",
        "design.softmax", "Softmax.elaborate", "self.rd_t", "self.rd_t + 1"),
    planted("nano", "arith.square_sum",
        "the residual is complete before its last square is added",
        "design.residual", "Residual.elaborate", "there & asked.last",
        "squared.valid[-2] & squared.steps[-2].last"),
)  # fmt: skip
