"""What one element a word, whole passes and one block of heads hide."""

from formal.planted.bug import planted

WIDTHS = (
    planted(
        "nano", "kv.group.key",
        "query heads take turns on the KV heads",
        "design.cache", "of_head[head // shape.group]", "of_head[head % shape.kv_heads]",
    ),
    planted(
        "nano", "kv.single_writer",
        "a write goes to every head's bank",
        "design.kv_cache", "write.en.eq(Mux(self.wr_head_kv == head, lane_en, 0))",
        "write.en.eq(lane_en)",
    ),
    planted(
        "mha3", "kv.in_range",
        "keys are written a row too far",
        "design.kv_cache", "wr_address=self._key_address(self.wr_pos, self.wr_d)",
        "wr_address=self._key_address(self.wr_pos, self.wr_d) + self.head_dim",
    ),
    planted(
        "nano", "schedule.projection",
        "a header comes before every pass",
        "design.stages.projection",
        "shift_index == derive(config).header_passes - 1", "shift_index == 0",
    ),
    planted(
        "nano", "kv.last_write.key",
        "two key words share an address",
        "design.kv_cache", "times_constant(t[exact_log2(self.k_word) :], self.head_dim)",
        "times_constant(t[exact_log2(self.k_word) + 1 :], self.head_dim)",
    ),
    planted(
        "nano", "arith.reciprocals",
        "a shift is that of the slot before",
        "design.reciprocals", "valid[-3] & (slots[-3] == number)",
        "valid[-3] & (slots[-2] == number)",
    ),
    planted(
        "nano", "dataflow.activations.residual",
        "a column-split beat reads the left half twice",
        "design.activations", "Mux(in_right | folded, found[-1], found[0])",
        "Mux(in_right, found[-1], found[0])",
    ),
    planted(
        "nano", "dataflow.drain_order",
        "the next pass is captured over the last two sums",
        "design.drain", "leaves & is_last", "leaves & (remaining <= 2)",
    ),
    planted(
        "nano", "schedule.rows_left",
        "a pass is counted twice",
        "design.stages.projection", "rows_left.eq(rows_left - count)",
        "rows_left.eq(rows_left - (count << 1))",
    ),
    # Where a value word is a whole head, the decoder waits for ever for a word that never comes.
    planted(
        "nano", "composition.cache_kept_external",
        "a value pass reads one position too many",
        "design.stages.value", "beat.last.eq(t == pos)", "beat.last.eq(t == pos + 1)",
    ),
    # Where one scalar multiplier does all, and blocks of heads take turns.
    planted(
        "nano@2", "composition.no_clash",
        "silu * up is asked for in the phase of another product",
        "design.swiglu", "self.phase == 1", "self.phase == 0",
    ),
    # What one element a word and whole passes hide.
    planted(
        "nano@16", "schedule.positions.score",
        "a score pass goes on by one position, not by a word",
        "design.stages.score", "t.eq(t + derived.k_word)", "t.eq(t + 1)",
    ),
    planted(
        "nano@16", "kv.last_write.key",
        "a key goes to every lane of its word",
        "design.kv_cache", "lane_en.eq(wr_en << wr_lane)", "lane_en.eq(wr_en.replicate(lanes))",
    ),
    planted(
        "nano@16", "kv.last_write.value",
        "a value goes to every lane of its word",
        "design.kv_cache", "lane_en.eq(wr_en << wr_lane)", "lane_en.eq(wr_en.replicate(lanes))",
    ),
    planted(
        "nano@16", "schedule.projection",
        "a column-split pass has every column",
        "design.stages.projection",
        "Mux(beat.folded, last_column >> 1, last_column)", "last_column",
    ),
    planted(
        "nano@16", "dataflow.drain_order",
        "the first row of a column-split pass loses its right half",
        "design.drain", "new_right = Mux(self.beat.folded, self.sums[middle], 0)",
        "new_right = C(0, 1)",
    ),
    planted(
        "nano@16", "dataflow.drain_timing",
        "value sums do not wait for their reciprocal",
        "design.drain", "result.eq(self.reciprocals_ready)", "result.eq(1)",
    ),
)  # fmt: skip
