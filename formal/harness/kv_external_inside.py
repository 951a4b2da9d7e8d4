"""What is true inside the KV cache in an external memory: the invariants of its proofs."""

from collections.abc import Mapping

from amaranth import *

from design.arith import times_constant
from design.external_cache import ExternalCache
from design.kv_reader import ReadState
from design.ports import KV_BURST
from formal.harness.inside import state_exists, states
from properties.dialect import implies
from properties.kv_external import KvRow, entry, product
from spec.derived import derive
from spec.kv_layout import block_heads, kv_layout


class Inside:
    """What is true of the registers of an `ExternalCache`, and the row that surrounds it."""

    def __init__(self, cache: ExternalCache):
        self.cache = cache
        self.config = cache.config
        self.row = KvRow(cache.config, cache)

    def invariants(self, row: KvRow) -> Mapping[str, Value]:
        """Writer and reader are where the row says they are."""
        return self.of_writer(row) | self.of_reader(row)

    def of_writer(self, row: KvRow) -> dict[str, Value]:
        """The writer alone."""
        shape, layout, writer = self.config.shape, kv_layout(self.config), self.cache.writer
        base = times_constant(row.layer, layout.layer_beats)
        first_key = base + times_constant(row.passes.newest_word, shape.head_dim)
        bits = len(writer.first_key)
        walks = [
            Cat(
                (count == row.elements)
                | (
                    count
                    == times_constant(walk.head, shape.head_dim)
                    + walk.d
                    + Mux(walk.value, shape.kv_dim, 0)
                ),
                walk.head < shape.kv_heads,
                walk.d < shape.head_dim,
            ).all()
            for walk, count in ((writer.comes, row.given), (writer.goes, row.accepted))
        ]
        return {
            "counts": Cat(
                writer.given == row.given,
                writer.sent == row.accepted,
                writer.stored == row.acknowledged,
                row.acknowledged <= row.accepted,
                row.accepted <= row.given,
                row.given <= row.elements,
                row.open | (row.given == 0),
                row.layer < shape.layers,
                row.pos < shape.seq_len,
            ).all(),
            "walks_the_row": Cat(walks).all(),
            "places_the_row": implies(
                row.open,
                Cat(
                    writer.first_key == first_key[:bits],
                    writer.first_value == (base + layout.key_beats + row.pos)[:bits],
                    *(
                        [writer.key_place == row.pos[: row.passes.key_shift]]
                        if row.passes.key_shift
                        else []
                    ),
                ).all(),
            ),
        }

    def of_reader(self, row: KvRow) -> dict[str, Value]:
        """The reader, to which the writer reports what is stored."""
        derived, layout, reader = derive(self.config), kv_layout(self.config), self.cache.reader
        shape, passes = self.config.shape, row.passes
        state = states(reader.fsm)
        idle, asking = state[ReadState.IDLE], state[ReadState.ASK]
        block, values, word, left = reader.block, reader.values, reader.value_word, reader.left
        length = Mux(values, row.pos + 1, passes.keys)
        windows = [
            block_heads(self.config, n)[0] // layout.span for n in range(derived.head_blocks)
        ]
        bits = len(reader.base)
        base = times_constant(row.layer, layout.layer_beats) + times_constant(
            entry(windows, block), layout.window_beats
        )
        run = reader.base + Mux(values, layout.key_beats + times_constant(word, shape.seq_len), 0)
        newest = Mux(values, 1, shape.head_dim)
        ready = row.acknowledged >= Mux(values, 2 * shape.kv_dim, shape.kv_dim)
        before = Mux(values, passes.keys + product(word, row.pos + 1), 0)
        at = product(block, passes.block) + before + length - left
        waiting = row.delivered - row.claimed
        kept = row.delivered - row.started
        arriving, leaving = reader.buffer_write.addr, reader.buffer_read.addr
        return {
            "reader_state_exists": state_exists(reader.fsm),
            "walks_the_passes": Mux(
                idle,
                (row.requested == Mux(row.open, passes.all, 0))
                & implies(row.open, row.acknowledged == row.elements),
                row.open
                & Cat(
                    row.requested == at,
                    reader.pos == row.pos,
                    block < derived.head_blocks,
                    implies(values, word < derived.v_words),
                    left <= length,
                    ready | (left >= newest),
                ).all(),
            ),
            "places_the_passes": idle
            | Cat(
                reader.base == base[:bits],
                reader.run == run[:bits],
                reader.address == (reader.run + length - left)[:bits],
            ).all(),
            "asks_what_may_be": implies(
                asking,
                Cat(
                    reader.beats != 0,
                    reader.beats <= KV_BURST,
                    reader.beats <= Mux(ready, left, left - newest),
                    reader.beats <= reader.room,
                ).all(),
            ),
            "room": Cat(
                reader.room + (row.requested - row.started) == reader.buffer.depth,
                reader.waiting == waiting,
                (arriving - leaving)[: len(leaving)] == kept[: len(leaving)],
                row.started <= row.claimed,
                row.claimed <= row.delivered,
                row.delivered <= row.requested,
                row.requested <= passes.all,
            ).all(),
        }
