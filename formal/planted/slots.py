"""Lane 0 and slot 0 are right, the others not; registers move while the pipeline stands still."""

from formal.planted.bug import Planted, planted

SLOTS = (
    planted("nano@16", "arith.sum.qkv",
        "the accumulators of the other lanes are 8 bits too narrow",
        "design.array", "MultiplierArray.__init__",
        'Signal(signed(derived.acc_width), name=f"sum_{lane}")',
        'Signal(signed(derived.acc_width - 8 * (lane > 0)), name=f"sum_{lane}")'),
    planted("nano@16", "arith.lanes",
        "every lane multiplies the operand of slot 0",
        "design.array", "MultiplierArray.multiplied",
        "self.slot_b[lane // derive(self.config).per_slot]", "self.slot_b[0]"),
    planted("nano@16", "arith.array_sums",
        "every lane has the shifts of lane 0",
        "design.array", "MultiplierArray.elaborate", "header.eq(product)",
        "header.eq(first := product if lane == 0 else first)"),
    planted("nano", "arith.sum.softmax",
        "every slot sums the weights of slot 0",
        "design.softmax", "Softmax.elaborate",
        "Mux(adds.p.first, 0, totals.sums[slot]) + self.weights[slot]",
        "Mux(adds.p.first, 0, totals.sums[slot]) + self.weights[0]"),
    planted("nano", "arith.maximum",
        "the other slots keep the first score as their maximum",
        "design.softmax", "Softmax.elaborate", "empty | (score > maximum)",
        "empty | (score > maximum) & (slot == 0)"),
    planted("nano", "arith.scores",
        "every slot keeps the scores of slot 0",
        "design.softmax", "Softmax.elaborate", "scores.sums[slot]", "scores.sums[0]"),
    planted("nano", "dataflow.drain_order",
        "every slot gets the score of slot 0",
        "design.drain", "Drain.elaborate", "n * per_slot", "0"),
    planted("nano", "kv.queries",
        "every slot is given the query of slot 0, by their memories",
        "design.queries", "QueryBuffer.elaborate", "read.data",
        "(first := read if slot == 0 else first).data"),
    planted("nano", "dataflow.routing",
        "every slot multiplies the query of slot 0",
        "design.issue", "Issue._operands", "self.queries[slot]", "self.queries[0]"),
    planted("nano", "dataflow.routing",
        "every slot multiplies the softmax weight of slot 0",
        "design.issue", "Issue._operands", "self.weights[slot]", "self.weights[0]"),
    planted("nano@16", "dataflow.wiring",
        "every slot is given the query of slot 0, on the way to the array",
        "design.decoder", "Decoder._connect_operands", "issue.queries.eq(queries.rd_data)",
        "*(issue.queries[n].eq(queries.rd_data[0]) for n in range(len(issue.queries)))"),
    planted("nano", "arith.reciprocals",
        "every slot has the reciprocal of the last",
        "design.reciprocals", "Reciprocals.elaborate", "found & (found_slot == number)", "found"),
    planted("nano@16", "dataflow.routing",
        "the upper half of the lanes multiplies the left half of a column-split row",
        "design.issue", "Issue._operands", "halves[2 * slot // derived.slots]", "halves[0]"),
    planted("nano@16", "dataflow.routing",
        "lanes beyond the word get its elements once more",
        "design.issue", "Issue._operands", "words[slot][element] if element < length else 0",
        "words[slot][element % length]"),
)  # fmt: skip

#: The registers of the softmax pipeline, and what each gets.
_PIPELINE = {
    "held": "read.data",
    "octaves": "Mux(whole > n.weight.width, n.weight.width, whole)",
    "shifted": "shift_guarded(guard(lookup.data), Cat(C(0, 2), fours))",
    "rest": "octaves - Cat(C(0, 2), fours)",
}


def _moves_alone(register: str) -> Planted:
    """A register of the softmax pipeline moves while the pipeline stands still."""
    written = {name: f"{name}.eq({value})" for name, value in _PIPELINE.items()}
    others = ", ".join(text for name, text in written.items() if name != register)
    return planted(
        "nano", "arith.weights",
        f"{register} moves while the softmax pipeline stands still",
        "design.softmax", "Softmax.elaborate",
        f"with m.If(self.en): m.d.sync += [{', '.join(written.values())}]",
        f"m.d.sync += {written[register]}\nwith m.If(self.en): m.d.sync += [{others}]",
    )  # fmt: skip


CLOCK_ENABLES = (
    *(_moves_alone(register) for register in ("held", "octaves", "shifted", "rest")),
    planted("nano", "arith.weights",
        "the table of exp2 is read while the softmax pipeline stands still",
        "design.softmax", "Softmax.elaborate", "lookup.en.eq(self.en)", "lookup.en.eq(1)"),
)  # fmt: skip
