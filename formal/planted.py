"""The registry of planted bugs beside those of the table: each with the property that catches it.

Every task plants one bug of its own (`Task.canary`). Those here once passed the whole suite, or
stand for a kind of mistake that one bug a task does not cover; each names a task and one of its
configurations, which must refuse it. `tests/formal/test_planted.py` plants them all.
"""

from dataclasses import dataclass

from formal.canary import Canary


@dataclass(frozen=True)
class Planted:
    """`bug` must be caught by the task `caught_by` at the configuration `config`."""

    bug: Canary
    caught_by: str
    config: str


def _leak(name: str, snippet: str, replacement: str, caught_by: str) -> Planted:
    return Planted(Canary(name, "design.decoder", snippet, replacement), caught_by, "nano")


#: The choice, and the end of an answer that nobody took yet, slow the decoder down.
_LEAKS = (
    _leak(
        "a logit waits while the choice so far would end the text",
        "drain.logits_ready.eq(argmax.ready)",
        "drain.logits_ready.eq(argmax.ready & ~tokens.o_token.payload.end)",
        "leaks.timing",
    ),
    _leak(
        "a logit waits while the first token of all is the best",
        "drain.logits_ready.eq(argmax.ready)",
        "drain.logits_ready.eq(argmax.ready & (argmax.best != 0))",
        "leaks.timing",
    ),
    # With this one the third token of nano takes 400, 402 or 403 cycles, as its weights will.
    _leak(
        "logits leave in one phase alone while the choice so far would end the text",
        "drain.logits_ready.eq(argmax.ready)",
        "drain.logits_ready.eq(\n                "
        "argmax.ready & ~(tokens.o_token.payload.end & drain.phase.any())\n            )",
        "leaks.timing",
    ),
    _leak(
        "cycles in which an answer that ends the text waits are not counted",
        "with m.If(tokens.busy):",
        "with m.If(tokens.busy & ~(tokens.o_token.valid & tokens.o_token.payload.end)):",
        "leaks.timing",
    ),
    _leak(
        "a row waits while the choice of the text before, kept over a reset, would end it",
        "drain.norm_ready.eq(rmsnorm.ready)",
        "drain.norm_ready.eq(rmsnorm.ready & ~tokens.o_token.payload.end)",
        "reset.forgets",
    ),
)


def _planted(config: str, caught_by: str, name: str, module: str, old: str, new: str) -> Planted:
    return Planted(Canary(name, module, old, new), caught_by, config)


_WIDTHS = (
    _planted(
        "nano", "kv.group.key",
        "query heads take turns on the KV heads",
        "design.cache", "of_head[head // shape.group]", "of_head[head % shape.kv_heads]",
    ),
    _planted(
        "nano", "kv.single_writer",
        "a write goes to every head's bank",
        "design.kv_cache", "write.en.eq(Mux(self.wr_head_kv == head, lane_en, 0))",
        "write.en.eq(lane_en)",
    ),
    _planted(
        "mha3", "kv.in_range",
        "keys are written a row too far",
        "design.kv_cache", "wr_address=self._key_address(self.wr_pos, self.wr_d)",
        "wr_address=self._key_address(self.wr_pos, self.wr_d) + self.head_dim",
    ),
    _planted(
        "nano", "schedule.projection",
        "a header comes before every pass",
        "design.stages.projection",
        "shift_index == derive(config).header_passes - 1", "shift_index == 0",
    ),
    _planted(
        "nano", "kv.last_write.key",
        "two key words share an address",
        "design.kv_cache", "times_constant(t[exact_log2(self.k_word) :], self.head_dim)",
        "times_constant(t[exact_log2(self.k_word) + 1 :], self.head_dim)",
    ),
    _planted(
        "nano", "arith.reciprocals",
        "a shift is that of the slot before",
        "design.reciprocals", "valid[-3] & (slots[-3] == number)",
        "valid[-3] & (slots[-2] == number)",
    ),
    _planted(
        "nano", "dataflow.activations.residual",
        "a column-split beat reads the left half twice",
        "design.activations", "Mux(in_right | folded, found[-1], found[0])",
        "Mux(in_right, found[-1], found[0])",
    ),
    _planted(
        "nano", "dataflow.drain_order",
        "the next pass is captured over the last two sums",
        "design.drain", "leaves & is_last", "leaves & (remaining <= 2)",
    ),
    _planted(
        "nano", "schedule.rows_left",
        "a pass is counted twice",
        "design.stages.projection", "rows_left.eq(rows_left - count)",
        "rows_left.eq(rows_left - (count << 1))",
    ),
    # Where a value word is a whole head, the decoder waits for ever for a word that never comes.
    _planted(
        "nano", "composition.cache_kept_external",
        "a value pass reads one position too many",
        "design.stages.value", "beat.last.eq(t == pos)", "beat.last.eq(t == pos + 1)",
    ),
    # Where one scalar multiplier does all, and blocks of heads take turns.
    _planted(
        "nano@2", "composition.no_clash",
        "silu * up is asked for in the phase of another product",
        "design.swiglu", "self.phase == 1", "self.phase == 0",
    ),
    # What one element a word and whole passes hide.
    _planted(
        "nano@16", "schedule.positions.score",
        "a score pass goes on by one position, not by a word",
        "design.stages.score", "t.eq(t + derived.k_word)", "t.eq(t + 1)",
    ),
    _planted(
        "nano@16", "kv.last_write.key",
        "a key goes to every lane of its word",
        "design.kv_cache", "lane_en.eq(wr_en << wr_lane)", "lane_en.eq(wr_en.replicate(lanes))",
    ),
    _planted(
        "nano@16", "kv.last_write.value",
        "a value goes to every lane of its word",
        "design.kv_cache", "lane_en.eq(wr_en << wr_lane)", "lane_en.eq(wr_en.replicate(lanes))",
    ),
    _planted(
        "nano@16", "schedule.projection",
        "a column-split pass has every column",
        "design.stages.projection",
        "Mux(beat.folded, last_column >> 1, last_column)", "last_column",
    ),
    _planted(
        "nano@16", "dataflow.drain_order",
        "the first row of a column-split pass loses its right half",
        "design.drain", "new_right = Mux(self.beat.folded, self.sums[middle], 0)",
        "new_right = C(0, 1)",
    ),
    _planted(
        "nano@16", "dataflow.drain_timing",
        "value sums do not wait for their reciprocal",
        "design.drain", "result.eq(self.reciprocals_ready)", "result.eq(1)",
    ),
)  # fmt: skip

#: Lane 0 and slot 0 are right, the others are not.
_SLOTS = (
    _planted(
        "nano@16", "arith.sum.qkv",
        "the accumulators of the other lanes are 8 bits too narrow",
        "design.array", "total = Signal(signed(derived.acc_width)",
        "total = Signal(signed(derived.acc_width - 8 * (lane > 0))",
    ),
    _planted(
        "nano@16", "arith.lanes",
        "every lane multiplies the operand of slot 0",
        "design.array", "slots[lane // derived.per_slot]", "slots[0]",
    ),
    _planted(
        "nano@16", "arith.array_sums",
        "every lane has the shifts of lane 0",
        "design.array", "header.eq(product)",
        "header.eq(first := product if lane == 0 else first)",
    ),
    _planted(
        "nano", "arith.sum.softmax",
        "every slot sums the weights of slot 0",
        "design.softmax", "self.sums[slot]) + self.weights[slot]",
        "self.sums[slot]) + self.weights[0]",
    ),
    _planted(
        "nano", "arith.maximum",
        "the other slots keep the first score as their maximum",
        "design.softmax", "empty | (score > maximum)", "empty | (score > maximum) & (slot == 0)",
    ),
    _planted(
        "nano", "arith.scores",
        "every slot keeps the scores of slot 0",
        "design.softmax", "requantize(self.scores.sums[slot],", "requantize(self.scores.sums[0],",
    ),
    _planted(
        "nano", "dataflow.drain_order",
        "every slot gets the score of slot 0",
        "design.drain", "column[n * per_slot].sum", "column[0].sum",
    ),
    _planted(
        "nano", "kv.queries",
        "every slot is given the query of slot 0, by their memories",
        "design.queries", "self.rd_data[slot].eq(read.data)",
        "self.rd_data[slot].eq((first := read if slot == 0 else first).data)",
    ),
    _planted(
        "nano", "dataflow.routing",
        "every slot multiplies the query of slot 0",
        "design.issue", "b.eq(self.queries[slot])", "b.eq(self.queries[0])",
    ),
    _planted(
        "nano", "dataflow.routing",
        "every slot multiplies the softmax weight of slot 0",
        "design.issue", "b.eq(self.weights[slot])", "b.eq(self.weights[0])",
    ),
    _planted(
        "nano@16", "dataflow.wiring",
        "every slot is given the query of slot 0, on the way to the array",
        "design.decoder", "issue.queries.eq(queries.rd_data)",
        "*(issue.queries[n].eq(queries.rd_data[0]) for n in range(len(issue.queries)))",
    ),
    _planted(
        "nano", "arith.reciprocals",
        "every slot has the reciprocal of the last",
        "design.reciprocals", "found & (found_slot == number)", "found",
    ),
    _planted(
        "nano@16", "dataflow.routing",
        "the upper half of the lanes multiplies the left half of a column-split row",
        "design.issue", "halves[2 * slot // derived.slots]", "halves[0]",
    ),
    _planted(
        "nano@16", "dataflow.routing",
        "lanes beyond the word get its elements once more",
        "design.issue", "words[slot][element] if element < length else 0",
        "words[slot][element % length]",
    ),
)  # fmt: skip

_PIPELINE = """\
            with m.If(self.en):
                m.d.sync += [
                    held.eq(read.data),
                    octaves.eq(Mux(whole > n.weight.width, n.weight.width, whole)),
                    shifted.eq(shift_guarded(guard(lookup.data), Cat(C(0, 2), fours))),
                    rest.eq(octaves - Cat(C(0, 2), fours)),
                ]
"""


def _moves_alone(register: str) -> Planted:
    """A register of the softmax pipeline moves while the pipeline stands still."""
    (line,) = [each for each in _PIPELINE.splitlines(True) if f" {register}.eq" in each]
    outside = f"            m.d.sync += {line.strip().rstrip(',')}\n"
    bug = f"{register} moves while the softmax pipeline stands still"
    return _planted(
        "nano", "arith.weights", bug, "design.softmax", _PIPELINE,
        outside + _PIPELINE.replace(line, ""),
    )  # fmt: skip


_CLOCK_ENABLES = (
    *(_moves_alone(register) for register in ("held", "octaves", "shifted", "rest")),
    _planted(
        "nano", "arith.weights",
        "the table of exp2 is read while the softmax pipeline stands still",
        "design.softmax", "lookup.en.eq(self.en)", "lookup.en.eq(1)",
    ),
)  # fmt: skip

#: What one unit promises to another.
_LEMMAS = (
    _planted(
        "nano", "leaks.end_is_taken",
        "whether a text ended follows the choice while the classifier works",
        "design.sequencer", 'm.d.comb += self.busy.eq(~fsm.ongoing("Idle"))',
        'm.d.comb += self.busy.eq(~fsm.ongoing("Idle"))\n            '
        "m.d.sync += ended.eq(answer.end)",
    ),
    _planted(
        "nano", "requests.silent.swiglu",
        "a silu stays on the port until it meets its up",
        "design.swiglu", "with m.If(multiply):\n            m.d.comb += ask(",
        "m.d.comb += silu_up.a.eq(silu)\n        "
        "with m.If(multiply):\n            m.d.comb += ask(",
    ),
    _planted(
        "nano", "softmax.sum_includes_the_maximum",
        "the first weight of a sum is left out",
        "design.softmax", "Mux(self.add_first, 0, self.sums[slot]) + self.weights[slot]",
        "Mux(self.add_first, 0, self.sums[slot] + self.weights[slot])",
    ),
    _planted(
        "nano", "softmax.sum_includes_the_maximum",
        "the maximum of the pass before stays",
        "design.softmax", "stored & (empty | (score > maximum))", "stored & (score > maximum)",
    ),
    _planted(
        "nano", "softmax.below_maximum",
        "the score memory is read one position off",
        "design.softmax", "read.addr.eq(self.rd_t)", "read.addr.eq(self.rd_t + 1)",
    ),
    _planted(
        "nano", "arith.square_sum",
        "the residual is complete before its last square is added",
        "design.residual", "self.complete.eq(squared[-1] & squared_last[-1])",
        "self.complete.eq(squared[-2] & squared_last[-2])",
    ),
)  # fmt: skip

#: What theorems about units suppose of the rest of the decoder, broken once for each kind.
_DUTIES = (
    _planted(
        "nano@16", "composition.operands",
        "a key does not wait for its queries",
        "design.decoder", "issue.queries_full.eq(queries.full)", "issue.queries_full.eq(1)",
    ),
    _planted(
        "nano", "dataflow.results_in_time",
        "the residual's row is announced a cycle late",
        "design.writeback", "self.coming_row.eq(element.row)", "self.coming_row.eq(self.o.row)",
    ),
    _planted(
        "nano@16", "composition.duties",
        "a score pass has a position too many",
        "design.stages.score", "(pos & (derived.k_word - 1)) + 1, derived.k_word)",
        "(pos & (derived.k_word - 1)) + 1, derived.k_word + 1)",
    ),
    _planted(
        "nano@2", "composition.operands",
        "a value pass is of the block behind its own",
        "design.stages.value", "beat.block.eq(block)", "beat.block.eq(block + 1)",
    ),
    _planted(
        "nano", "composition.duties",
        "RoPE begins anew with every row",
        "design.decoder", "rope.clear.eq(starts_qkv)",
        "rope.clear.eq(starts_qkv | (drain.o_valid & (drain.o.row == 1)))",
    ),
    _planted(
        "nano", "composition.duties",
        "RoPE begins when its first row is there",
        "design.decoder", "rope.clear.eq(starts_qkv)",
        "rope.clear.eq(writeback.scaled_valid & (writeback.scaled.row == 0))",
    ),
    _planted(
        "nano@2", "composition.duties",
        "pairs come as fast as the drain can",
        "design.drain", "(in_phase | (turn == 1)) & self.norm_ready", "self.norm_ready",
    ),
    _planted(
        "nano", "composition.duties",
        "a text goes on behind the last position",
        "design.sequencer", " | (self.pos == shape.seq_len - 1)", "",
    ),
    _planted(
        "nano", "composition.duties",
        "a logit leaves the drain though there is no room",
        "design.drain", "result.eq(self.norm_ready & self.logits_ready)",
        "result.eq(self.norm_ready)",
    ),
    _planted(
        "nano", "composition.duties",
        "reciprocals are looked for at every position",
        "design.decoder", "sums_weights_final.eq(adds_weight & used.last)",
        "sums_weights_final.eq(adds_weight)",
    ),
    _planted(
        "nano", "composition.duties",
        "a sum of weights never begins anew",
        "design.decoder", "softmax.add_first.eq(used.first)", "softmax.add_first.eq(0)",
    ),
    _planted(
        "nano", "composition.duties",
        "a sum of squares never begins anew",
        "design.residual", "squared_first.eq(Cat(new_row == 0, squared_first))",
        "squared_first.eq(Cat(C(0, 1), squared_first))",
    ),
    _planted(
        "nano", "dataflow.argmax",
        "the best changes while its answer waits",
        "design.argmax", "with m.If(take & ((self.i.row == 0)",
        "with m.If((take | ~queue.r_rdy) & ((self.i.row == 0)",
    ),
    _planted(
        "nano", "composition.cache_kept_external",
        "a word of the external cache is claimed when it is read",
        "design.decoder", "cache.rd_claim.eq(issue.claims)", "cache.rd_claim.eq(issue.read)",
    ),
    _planted(
        "nano", "composition.operands",
        "the factor of the norm is that of the residual before",
        "design.decoder", "rmsnorm.clear.eq(x.coming)", "rmsnorm.clear.eq(0)",
    ),
    _planted(
        "nano", "composition.operands",
        "sums of values do not wait for the reciprocals of their block",
        "design.decoder", "drain.reciprocals_ready.eq(reciprocals.ready)",
        "drain.reciprocals_ready.eq(1)",
    ),
)  # fmt: skip


PLANTED: tuple[Planted, ...] = (
    *_LEAKS, *_WIDTHS, *_SLOTS, *_CLOCK_ENABLES, *_LEMMAS, *_DUTIES,
)  # fmt: skip
