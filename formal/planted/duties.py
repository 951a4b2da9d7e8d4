"""What theorems about units suppose of the rest of the decoder, broken once for each kind."""

from formal.planted.bug import planted

DUTIES = (
    # Random shapes found this one: a hidden vector of one element.
    planted(
        "thin", "composition.operands",
        "a token is answered when any norm is done",
        "design.decoder", "Decoder._connect_stages", "self.rmsnorm.done & self.rmsnorm.final",
        "self.rmsnorm.done",
    ),
    planted(
        "nano@16", "composition.operands",
        "a key does not wait for its queries",
        "design.decoder", "Decoder._connect_operands", "queries.full", "1",
    ),
    planted(
        "nano", "dataflow.results_in_time",
        "the residual's row is announced a cycle late",
        "design.writeback", "Writeback._round_sum", "self.coming.p.eq(element.row)",
        "self.coming.p.eq(self.o.p.row)",
    ),
    planted(
        "nano@16", "composition.duties",
        "a score pass has a position too many",
        "design.stages.score", "ScoreStage.elaborate",
        "Mux(newest, (pos & (derived.k_word - 1)) + 1, derived.k_word)",
        "Mux(newest, (pos & (derived.k_word - 1)) + 1, derived.k_word + 1)",
    ),
    planted(
        "nano@2", "composition.operands",
        "a value pass is of the block behind its own",
        "design.stages.value", "ValueStage.elaborate", "beat.block.eq(block)",
        "beat.block.eq(block + 1)",
    ),
    planted(
        "nano", "composition.duties",
        "RoPE never begins anew",
        "design.decoder", "Decoder._connect_stages", "self.rope.clear.eq(starts_qkv)",
        "self.rope.clear.eq(0)",
    ),
    planted(
        "nano", "composition.duties",
        "RoPE begins when its first row is there",
        "design.decoder", "Decoder._connect_stages", "self.rope.clear.eq(starts_qkv)",
        "self.rope.clear.eq(self.rope.i.valid & (self.rope.i.p.row == 0))",
    ),
    planted(
        "nano@2", "dataflow.drain_timing",
        "pairs come as fast as the drain can",
        "design.drain", "Drain._leaves.may_leave", "(in_phase | (turn == 1)) & self.norm_ready",
        "self.norm_ready",
    ),
    planted(
        "nano", "composition.duties",
        "RoPE is not told that a text begins",
        "design.decoder", "Decoder._connect_stages", "tokens.first_token", "0",
    ),
    planted(
        "nano", "composition.duties",
        "a logit leaves the drain though there is no room",
        "design.drain", "Drain._leaves.may_leave", "self.norm_ready & self.logits_ready",
        "self.norm_ready",
    ),
    planted(
        "nano", "composition.duties",
        "reciprocals are looked for at every position",
        "design.softmax", "Softmax.elaborate", "adds.valid & adds.p.last", "adds.valid",
    ),
    planted(
        "nano", "composition.duties",
        "a sum of weights never begins anew",
        "design.decoder", "Decoder._connect_sums_of_weights",
        "softmax.adds.p.eq(used.p.beat)",
        "softmax.adds.p.eq(used.p.beat), softmax.adds.p.first.eq(0)",
    ),
    planted(
        "nano", "arith.square_sum",
        "a sum of squares never begins anew",
        "design.residual", "Residual.elaborate", "new_row == 0", "C(0, 1)",
    ),
    planted(
        "nano", "dataflow.argmax",
        "the best changes while its answer waits",
        "design.argmax", "Argmax.elaborate",
        "take & ((self.i.p.row == 0) | (logit.value > greatest))",
        "(take | ~queue.r_rdy) & ((self.i.p.row == 0) | (logit.value > greatest))",
    ),
    planted(
        "nano", "composition.cache_kept_external",
        "a word of the external cache is claimed when it is read",
        "design.decoder", "Decoder._connect_operands", "cache.rd_claim.eq(issue.claims.valid)",
        "cache.rd_claim.eq(issue.read.valid)",
    ),
    planted(
        "nano", "composition.operands",
        "reciprocals are looked for at the first weight",
        "design.softmax", "Softmax.elaborate", "adds.p.last", "adds.p.first",
    ),
)  # fmt: skip
