"""What one element a word, whole passes and one block of heads hide."""

from formal.planted.bug import planted

WIDTHS = (
    planted(
        "nano", "kv.group.key",
        "query heads take turns on the KV heads",
        "design.cache", "CacheLayers._pick", "head // shape.group", "head % shape.kv_heads",
    ),
    planted(
        "nano", "kv.single_writer",
        "a write goes to every head's bank",
        "design.kv_cache", "KVRamOwner._connect_banks", "Mux(self.wr_head_kv == head, lane_en, 0)",
        "lane_en",
    ),
    planted(
        "mha3", "kv.in_range",
        "keys are written a row too far",
        "design.kv_cache", "KVRamOwner.elaborate", "self._key_address(self.wr_pos, self.wr_d)",
        "self._key_address(self.wr_pos, self.wr_d) + self.head_dim",
    ),
    planted(
        "nano", "schedule.projection",
        "a header comes before every pass",
        "design.stages.projection", "ProjectionStage.elaborate", "derive(config).header_passes - 1",
        "0",
    ),
    planted(
        "nano", "kv.last_write.key",
        "two key words share an address",
        "design.kv_cache", "KVRamOwner._key_address", "t[exact_log2(self.k_word) :]",
        "t[exact_log2(self.k_word) + 1 :]",
    ),
    planted(
        "nano", "arith.reciprocals",
        "a shift is that of the slot before",
        "design.reciprocals", "Reciprocals.elaborate", "taken[known].slot", "taken[known + 1].slot",
    ),
    planted(
        "nano", "dataflow.activations.residual",
        "a column-split beat reads the left half twice",
        "design.activations", "ActivationBuffer.elaborate", "in_right | folded", "in_right",
    ),
    planted(
        "nano", "dataflow.drain_order",
        "the next pass is captured over the last two sums",
        "design.drain", "Drain.elaborate", "leaves & is_last", "leaves & (remaining <= 2)",
    ),
    planted(
        "nano", "schedule.rows_left",
        "a pass is counted twice",
        "design.stages.projection", "ProjectionStage.elaborate", "rows_left - count",
        "rows_left - (count << 1)",
    ),
    # Where a value word is a whole head, the decoder waits for ever for a word that never comes.
    planted(
        "nano", "composition.cache_kept_external",
        "a value pass reads one position too many",
        "design.stages.value", "ValueStage.elaborate", "beat.last.eq(t == pos)",
        "beat.last.eq(t == pos + 1)",
    ),
    # Where one scalar multiplier does all, and blocks of heads take turns.
    planted(
        "nano@2", "composition.no_clash",
        "silu * up is asked for in the phase of another product",
        "design.swiglu", "SwiGlu.elaborate", "self.phase == self.product_phase", "self.phase == 0",
    ),
    # What one element a word and whole passes hide.
    planted(
        "nano@16", "schedule.positions.score",
        "a score pass goes on by one position, not by a word",
        "design.stages.score", "ScoreStage.elaborate", "t + derived.k_word", "t + 1",
    ),
    planted(
        "nano@16", "kv.last_write.key",
        "a key goes to every lane of its word",
        "design.kv_cache", "KVRamOwner._connect_banks", "wr_en << wr_lane",
        "wr_en.replicate(lanes)",
    ),
    planted(
        "nano@16", "kv.last_write.value",
        "a value goes to every lane of its word",
        "design.kv_cache", "KVRamOwner._connect_banks", "wr_en << wr_lane",
        "wr_en.replicate(lanes)",
    ),
    planted(
        "nano@16", "schedule.projection",
        "a column-split pass has every column",
        "design.stages.projection", "ProjectionStage.elaborate",
        "Mux(beat.folded, last_column >> 1, last_column)",
        "last_column",
    ),
    planted(
        "nano@16", "dataflow.drain_order",
        "the first row of a column-split pass loses its right half",
        "design.drain", "Drain.elaborate", "Mux(passed.beat.folded, passed.sums[middle], 0)",
        "C(0, 1)",
    ),
    planted(
        "nano@16", "dataflow.drain_timing",
        "value sums do not wait for their reciprocal",
        "design.drain", "Drain._leaves.may_leave", "self.reciprocals_ready", "1",
    ),
)  # fmt: skip
