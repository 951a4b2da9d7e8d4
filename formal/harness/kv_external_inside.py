"""What is true inside the KV cache in an external memory: the invariants of its proofs."""

from collections.abc import Mapping

from amaranth import *
from amaranth.hdl import Fragment

from design.arith import times_constant
from design.external_cache import ExternalCache
from design.ports import KV_BURST
from formal.harness.stage import named_signals, state_exists
from properties.dialect import implies
from properties.kv_external import KvRow, entry, product
from spec.derived import derive
from spec.kv_layout import block_heads, kv_layout


class Inside:
    """An `ExternalCache` elaborated, its registers, and what is true of them."""

    def __init__(self, cache: ExternalCache):
        self.cache = cache
        self.config = cache.config
        self.fragment = Fragment.get(cache, None)
        self.block = named_signals(self.fragment)["block"]
        self.reader = named_signals(self.fragment.find_subfragment("reader"))
        self.writer = named_signals(self.fragment.find_subfragment("writer"))
        (self.arriving,) = cache.reader.buffer.write_ports
        # Ports that the harness added were there before.
        self.leaving = cache.reader.buffer.read_ports[-1]
        self.head_of_queue = cache.writer.queue.read_ports[-1]

    def invariants(self, row: KvRow) -> Mapping[str, Value]:
        """Writer and reader are where the row says they are."""
        return self.of_writer(row) | self.of_reader(row)

    def of_writer(self, row: KvRow) -> dict[str, Value]:
        """The writer alone."""
        shape, layout, inside = self.config.shape, kv_layout(self.config), self.writer
        base = times_constant(row.layer, layout.layer_beats)
        first_key = base + times_constant(row.passes.newest_word, shape.head_dim)
        bits = len(inside["first_key"])
        walks = [
            Cat(
                (count == row.elements)
                | (
                    count
                    == times_constant(inside[f"{name}_head"], shape.head_dim)
                    + inside[f"{name}_d"]
                    + Mux(inside[f"{name}_value"], shape.kv_dim, 0)
                ),
                inside[f"{name}_head"] < shape.kv_heads,
                inside[f"{name}_d"] < shape.head_dim,
            ).all()
            for name, count in (("comes", row.given), ("goes", row.accepted))
        ]
        return {
            "counts": Cat(
                inside["given"] == row.given,
                inside["sent"] == row.accepted,
                inside["stored"] == row.acknowledged,
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
                    inside["first_key"] == first_key[:bits],
                    inside["first_value"] == (base + layout.key_beats + row.pos)[:bits],
                    *(
                        [inside["key_place"] == row.pos[: row.passes.key_shift]]
                        if row.passes.key_shift
                        else []
                    ),
                ).all(),
            ),
        }

    def of_reader(self, row: KvRow) -> dict[str, Value]:
        """The reader, to which the writer tells what is stored."""
        derived, layout, inside = derive(self.config), kv_layout(self.config), self.reader
        shape, passes = self.config.shape, row.passes
        fsm = self.fragment.find_subfragment("reader").find_generated("fsm")
        idle, asking = (fsm.state == fsm.encoding[name] for name in ("Idle", "Ask"))
        block, values, word, left = (inside[name] for name in ("block", "values", "word", "left"))
        length = Mux(values, row.pos + 1, passes.keys)
        windows = [
            block_heads(self.config, n)[0] // layout.span for n in range(derived.head_blocks)
        ]
        bits = len(inside["base"])
        base = times_constant(row.layer, layout.layer_beats) + times_constant(
            entry(windows, block), layout.window_beats
        )
        run = inside["base"] + Mux(
            values, layout.key_beats + times_constant(word, shape.seq_len), 0
        )
        newest = Mux(values, 1, shape.head_dim)
        ready = row.acknowledged >= Mux(values, 2 * shape.kv_dim, shape.kv_dim)
        before = Mux(values, passes.keys + product(word, row.pos + 1), 0)
        at = product(block, passes.block) + before + length - left
        waiting = row.delivered - row.claimed
        kept = row.delivered - row.started
        return {
            "reader_state_exists": state_exists(self.fragment.find_subfragment("reader")),
            "walks_the_passes": Mux(
                idle,
                (row.requested == Mux(row.open, passes.all, 0))
                & implies(row.open, row.acknowledged == row.elements),
                row.open
                & Cat(
                    row.requested == at,
                    inside["pos"] == row.pos,
                    block < derived.head_blocks,
                    implies(values, word < derived.v_words),
                    left <= length,
                    ready | (left >= newest),
                ).all(),
            ),
            "places_the_passes": idle
            | Cat(
                inside["base"] == base[:bits],
                inside["run"] == run[:bits],
                inside["address"] == (inside["run"] + length - left)[:bits],
            ).all(),
            "asks_what_may_be": implies(
                asking,
                Cat(
                    inside["beats"] != 0,
                    inside["beats"] <= KV_BURST,
                    inside["beats"] <= Mux(ready, left, left - newest),
                    inside["beats"] <= inside["room"],
                ).all(),
            ),
            "room": Cat(
                inside["room"] + (row.requested - row.started) == self.cache.reader.buffer.depth,
                inside["waiting"] == waiting,
                (self.arriving.addr - self.leaving.addr)[: len(self.leaving.addr)]
                == kept[: len(self.leaving.addr)],
                row.started <= row.claimed,
                row.claimed <= row.delivered,
                row.delivered <= row.requested,
                row.requested <= passes.all,
            ).all(),
        }
