"""What theorems about units suppose of the rest of the decoder, broken once for each kind."""

from formal.planted.bug import planted

DUTIES = (
    # Random shapes found this one: a hidden vector of one element.
    planted(
        "thin", "composition.operands",
        "a token is answered when any norm is done",
        "design.decoder", "tokens.normed.eq(rmsnorm.done & rmsnorm.final)",
        "tokens.normed.eq(rmsnorm.done)",
    ),
    planted(
        "nano@16", "composition.operands",
        "a key does not wait for its queries",
        "design.decoder", "issue.queries_full.eq(queries.full)", "issue.queries_full.eq(1)",
    ),
    planted(
        "nano", "dataflow.results_in_time",
        "the residual's row is announced a cycle late",
        "design.writeback", "self.coming_row.eq(element.row)", "self.coming_row.eq(self.o.row)",
    ),
    planted(
        "nano@16", "composition.duties",
        "a score pass has a position too many",
        "design.stages.score", "(pos & (derived.k_word - 1)) + 1, derived.k_word)",
        "(pos & (derived.k_word - 1)) + 1, derived.k_word + 1)",
    ),
    planted(
        "nano@2", "composition.operands",
        "a value pass is of the block behind its own",
        "design.stages.value", "beat.block.eq(block)", "beat.block.eq(block + 1)",
    ),
    planted(
        "nano", "composition.duties",
        "RoPE never begins anew",
        "design.decoder", "rope.clear.eq(starts_qkv)", "rope.clear.eq(0)",
    ),
    planted(
        "nano", "composition.duties",
        "RoPE begins when its first row is there",
        "design.decoder", "rope.clear.eq(starts_qkv)",
        "rope.clear.eq(writeback.scaled_valid & (writeback.scaled.row == 0))",
    ),
    planted(
        "nano@2", "dataflow.drain_timing",
        "pairs come as fast as the drain can",
        "design.drain", "(in_phase | (turn == 1)) & self.norm_ready", "self.norm_ready",
    ),
    planted(
        "nano", "composition.duties",
        "RoPE is not told that a text begins",
        "design.decoder", "rope.first_token.eq(tokens.first_token)", "rope.first_token.eq(0)",
    ),
    planted(
        "nano", "composition.duties",
        "a logit leaves the drain though there is no room",
        "design.drain", "result.eq(self.norm_ready & self.logits_ready)",
        "result.eq(self.norm_ready)",
    ),
    planted(
        "nano", "composition.duties",
        "reciprocals are looked for at every position",
        "design.decoder", "sums_weights_final.eq(adds_weight & used.last)",
        "sums_weights_final.eq(adds_weight)",
    ),
    planted(
        "nano", "composition.duties",
        "a sum of weights never begins anew",
        "design.decoder", "softmax.add_first.eq(used.first)", "softmax.add_first.eq(0)",
    ),
    planted(
        "nano", "arith.square_sum",
        "a sum of squares never begins anew",
        "design.residual", "squared_first.eq(Cat(new_row == 0, squared_first))",
        "squared_first.eq(Cat(C(0, 1), squared_first))",
    ),
    planted(
        "nano", "dataflow.argmax",
        "the best changes while its answer waits",
        "design.argmax", "with m.If(take & ((self.i.row == 0)",
        "with m.If((take | ~queue.r_rdy) & ((self.i.row == 0)",
    ),
    planted(
        "nano", "composition.cache_kept_external",
        "a word of the external cache is claimed when it is read",
        "design.decoder", "cache.rd_claim.eq(issue.claims)", "cache.rd_claim.eq(issue.read)",
    ),
    planted(
        "nano", "composition.operands",
        "reciprocals are looked for at the first weight",
        "design.decoder", "sums_weights_final.eq(adds_weight & used.last)",
        "sums_weights_final.eq(adds_weight & used.first)",
    ),
)  # fmt: skip
