"""Which KV head a query head reads."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from amaranth import *
from amaranth.utils import exact_log2

from properties.dialect import Theorem, implies
from properties.kv_contract import Owner
from properties.kv_element import Tensor
from spec.config import Config
from spec.derived import derive


@dataclass(eq=False)
class KvGroup(Theorem):
    """Query head h gets the word of KV head h // group, of the layer that its read named, 3 enabled
    cycles behind it.

    `cache` has the ports of `design.cache.CacheLayers`, `owners` one owner for each layer; `layers`
    and `blocks` are what it remembers of the two reads on their way. About any query head.
    """

    config: Config
    cache: Any
    owners: Sequence[Owner]
    tensor: Tensor
    _: KW_ONLY
    layers: Sequence[Value]
    blocks: Sequence[Value]

    def describe(self, m: Module) -> None:
        cache, shape = self.cache, self.config.shape
        slot_bits = exact_log2(derive(self.config).slots)
        name = self.tensor.value
        start, words = getattr(cache, f"rd_start_{name}"), getattr(cache, f"rd_{name}")
        head = Signal(range(shape.heads))
        self.choose(head, shape.heads)
        in_slots = [Value.cast(words[n]) for n in range(1 << slot_bits)]
        slot, block = Array(in_slots)[head[:slot_bits]], head >> slot_bits
        starts = cache.rd_start_k | cache.rd_start_v
        self.suppose(
            "start_enabled", implies(starts, cache.rd_en), "Reads start in enabled cycles."
        )
        in_range = implies(starts, cache.rd_layer < shape.layers)
        self.suppose("layer_in_range", in_range, "They are of a layer that there is.")

        # The read in front of the owners, and out of their RAMs.
        mine = start & (cache.rd_block == block)
        asked, found = Signal(2), Signal()
        layer = [Signal.like(cache.rd_layer, name=f"layer_{n}") for n in range(2)]
        with m.If(cache.rd_en):
            m.d.sync += [asked.eq(Cat(mine, asked)), Cat(layer).eq(Cat(cache.rd_layer, layer))]

        group = Signal(range(shape.kv_heads))
        # Compared, not looked up: yosys makes a ROM of a table, and an induction forgets its words.
        m.d.comb += group.eq(sum(head >= n * shape.group for n in range(1, shape.kv_heads)))
        of_layer = [
            Array(Value.cast(getattr(owner, f"rd_{name}")[n]) for n in range(shape.kv_heads))[group]
            for owner in self.owners
        ]
        expected = Signal.like(slot)
        with m.If(cache.rd_en):
            m.d.sync += [expected.eq(Array(of_layer)[layer[1]]), found.eq(asked[1])]

        for n, late in enumerate(layer):
            same = (self.layers[n] == late) & (self.blocks[n] == block) & (late < shape.layers)
            self.claim(
                f"remembered_{n}",
                implies(asked[n], same),
                "The cache remembers of a read what it was.",
            )
        self.claim(
            "word_of_its_group",
            implies(found, slot == expected),
            "The word is that of the group, and holds until the next enabled cycle.",
        )

        last = (head == shape.heads - 1) & (expected != 0)
        self.witness("read", found & last)
