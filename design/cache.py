"""The KV caches of all layers on the chip, and the ports that every backing has."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Member, Out

from design.beat import beat_layout
from design.kv_cache import KVRamOwner
from design.memories import Ram
from design.ports import kv_members
from spec.config import Config
from spec.derived import derive


def kv_owner(config: Config) -> KVRamOwner:
    """The owner of one layer's cache."""
    shape, derived = config.shape, derive(config)
    return KVRamOwner(
        kv_heads=shape.kv_heads,
        seq_len=shape.seq_len,
        head_dim=shape.head_dim,
        width=derived.kv_width,
        k_word=derived.k_word,
        v_word=derived.v_word,
    )


def cache_members(config: Config) -> dict[str, Member]:
    """What both backings show to the decoder, and to the memory behind the cache port.

    Query head h reads KV head ``h // group``.

    `rd_start_k`, `rd_start_v`, `rd_layer`, `rd_block`, `rd_t`, `rd_d` : In
        Read, for the query heads of `rd_block`.
    `rd_en` : In(1)
        Clock enable of reads, high when they start.
    `rd_k`, `rd_v` : Out
        The word for the head in each slot, when the backing's latency is over.
    `rd_ready`, `rd_claim` : Out(1), In(1)
        The word of the next read is there; a beat that will read it was let in.
    `wr_en_k`, `wr_en_v`, `wr_layer`, `wr_head_kv`, `wr_pos`, `wr_d`, `wr_data` : In
        Write one element.
    `row_start`, `row_layer`, `row_pos` : In
        A new row of `row_layer` is about to be written; then its passes read.
    `k_ready`, `v_ready` : Out(1)
        All keys, all values, of the row announced last can be read.
    `fault` : Out(1)
        An element was written out of the order that the backing needs.
    `o_kv_read`, `i_kv_words`, `o_kv_write`, `i_kv_written`
        See `ports.kv_members`.
    """
    shape, derived, beat = config.shape, derive(config), beat_layout(config)
    element = signed(derived.kv_width)
    key_word = data.ArrayLayout(element, derived.k_word)
    value_word = data.ArrayLayout(element, derived.v_word)
    layer = beat["layer"].shape
    return {
        "rd_start_k": In(1),
        "rd_start_v": In(1),
        "rd_layer": In(layer),
        "rd_block": In(beat["block"].shape),
        "rd_t": In(range(shape.seq_len)),
        "rd_d": In(range(shape.head_dim)),
        "rd_en": In(1),
        "rd_k": Out(data.ArrayLayout(key_word, derived.slots)),
        "rd_v": Out(data.ArrayLayout(value_word, derived.slots)),
        "rd_ready": Out(1),
        "rd_claim": In(1),
        "wr_en_k": In(1),
        "wr_en_v": In(1),
        "wr_layer": In(layer),
        "wr_head_kv": In(range(shape.kv_heads)),
        "wr_pos": In(range(shape.seq_len)),
        "wr_d": In(range(shape.head_dim)),
        "wr_data": In(element),
        "row_start": In(1),
        "row_layer": In(layer),
        "row_pos": In(range(shape.seq_len)),
        "k_ready": Out(1),
        "v_ready": Out(1),
        "fault": Out(1),
        **kv_members(config),
    }


class CacheLayers(wiring.Component):
    """The cache on the chip: one owner per layer; ports in `cache_members`.

    Reads and writes name their layer. Every word is there at once: `rd_ready` is always high, and
    the cache port never moves.

    Latency: the words of a read are there 3 enabled cycles behind it (`latency`). Block RAMs are
    slow, and far from each other and from the array, so every owner has registers in front and
    behind: it starts the read in the next enabled cycle, and its words are registered in the one
    after. It sees writes 1 cycle late (`write_latency`).

    Inside (for proofs)
    -------------------
    owners : list of KVRamOwner, one for each layer
    starts_k, starts_v : lists, of each layer
        It starts a read in the next enabled cycle.
    layers, blocks : lists
        Of a read at the owners, out of their RAMs, and in the registers behind.
    """

    #: It has registers in front, and takes reads and writes a cycle before others do.
    early = True
    #: A register, `KVRamOwner`, a register.
    latency = 1 + KVRamOwner.latency + 1
    write_latency = 1

    def __init__(self, config: Config):
        self.config = config
        super().__init__(cache_members(config))
        layers = range(config.shape.layers)
        self.owners = [kv_owner(config) for _ in layers]
        self.starts_k = [Signal() for _ in layers]
        self.starts_v = [Signal(name="starts_v") for _ in layers]
        self.layers = [Signal.like(self.rd_layer, name=f"layer_{n}") for n in range(3)]
        self.blocks = [Signal.like(self.rd_block, name=f"block_{n}") for n in range(3)]

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        return [
            ram.below(f"layer_{layer}")
            for layer, owner in enumerate(self.owners)
            for ram in owner.rams
        ]

    def elaborate(self, platform):
        m = Module()
        layers, blocks, owners = self.layers, self.blocks, self.owners
        m.d.comb += [
            self.rd_ready.eq(1),
            self.o_kv_read.valid.eq(0),
            self.o_kv_write.valid.eq(0),
            self.i_kv_words.ready.eq(0),
        ]

        row_layer = Signal.like(self.row_layer)
        with m.If(self.row_start):
            m.d.sync += row_layer.eq(self.row_layer)

        for layer, owner in enumerate(owners):
            m.submodules[f"layer_{layer}"] = owner
            m.d.comb += owner.row_start.eq(self.row_start & (self.row_layer == layer))
            with m.If(row_layer == layer):
                m.d.comb += [self.k_ready.eq(owner.k_ready), self.v_ready.eq(owner.v_ready)]
            self._register_reads(m, layer, self.rd_layer == layer)
            self._register_writes(m, owner, self.wr_layer == layer)

        with m.If(self.rd_en):
            m.d.sync += [
                Cat(layers).eq(Cat(self.rd_layer, layers)),
                Cat(blocks).eq(Cat(self.rd_block, blocks)),
            ]
        for words, of_layer in (
            (self.rd_k, [owner.rd_k for owner in owners]),
            (self.rd_v, [owner.rd_v for owner in owners]),
        ):
            held = [Signal.like(view) for view in of_layer]
            with m.If(self.rd_en):
                m.d.sync += [here.eq(view) for here, view in zip(held, of_layer, strict=True)]
            self._pick(m, words, held, layers[-1], blocks[-1])
        return m

    def _register_reads(self, m: Module, layer: int, is_layer: Value) -> None:
        owner, starts_k, starts_v = self.owners[layer], self.starts_k[layer], self.starts_v[layer]
        with m.If(self.rd_en):
            m.d.sync += [
                starts_k.eq(self.rd_start_k & is_layer),
                starts_v.eq(self.rd_start_v & is_layer),
            ]
        with m.If(self.rd_en & is_layer):
            m.d.sync += [owner.rd_t.eq(self.rd_t), owner.rd_d.eq(self.rd_d)]
        m.d.comb += [
            owner.rd_start_k.eq(starts_k & self.rd_en),
            owner.rd_start_v.eq(starts_v & self.rd_en),
        ]

    def _register_writes(self, m: Module, owner: KVRamOwner, is_layer: Value) -> None:
        m.d.sync += [
            owner.wr_en_k.eq(self.wr_en_k & is_layer),
            owner.wr_en_v.eq(self.wr_en_v & is_layer),
        ]
        with m.If(is_layer):
            m.d.sync += [
                owner.wr_head_kv.eq(self.wr_head_kv),
                owner.wr_pos.eq(self.wr_pos),
                owner.wr_d.eq(self.wr_d),
                owner.wr_data.eq(self.wr_data),
            ]

    def _pick(
        self, m: Module, words: data.View, of_layer: list[data.View], layer: Value, block: Value
    ) -> None:
        """The layer's word of every KV head, then for each slot the one of its query head."""
        shape, derived = self.config.shape, derive(self.config)
        of_head = []
        for head in range(shape.kv_heads):
            word = Signal(words.shape().elem_shape)
            m.d.comb += word.eq(of_layer[0][head])
            for number, view in enumerate(of_layer[1:], 1):
                with m.If(layer == number):
                    m.d.comb += word.eq(view[head])
            of_head.append(word)
        with m.Switch(block):
            for number in range(derived.head_blocks):
                with m.Case(number):
                    for slot in range(derived.slots):
                        head = min(number * derived.slots + slot, shape.heads - 1)
                        m.d.comb += words[slot].eq(of_head[head // shape.group])
