"""The KV caches of all layers in an external memory."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import connect, flipped

from design.cache import cache_members
from design.kv_reader import WordReader
from design.kv_writer import RowWriter
from design.memories import Ram
from spec.config import Config
from spec.derived import derive
from spec.kv_layout import kv_layout


class ExternalCache(wiring.Component):
    """One `RowWriter` and one `WordReader` for all layers; see `cache.cache_members`.

    Nothing is read that is not stored: what a row's passes read was stored before the row was
    announced (the row before it in the same layer was), or is the row itself, whose words are
    asked for once `k_ready` or `v_ready` says that it is stored.

    Latency: once `rd_ready` is high, reads take 2 cycles (`latency`): `WordReader.latency`, and 1
    with `rd_en` high. Throughput: one word a cycle.

    Contract of the caller: as `cache.CacheLayers`, and more strictly: the reads of a row are those
    of its passes, in order, each claimed; the next row is announced when all are done, and this one
    is stored; writes are to the row announced last, in the order of `RowWriter`.

    Inside (for proofs)
    -------------------
    writer, reader
    block
        That of the word that was read last.
    """

    early = False
    latency = WordReader.latency + 1

    def __init__(self, config: Config):
        self.config = config
        super().__init__(cache_members(config))
        self.writer = RowWriter(config)
        self.reader = WordReader(config)
        self.block = Signal.like(self.rd_block)

    @property
    def rams(self) -> list[Ram]:
        """The memories here."""
        queue = [ram.below("writer") for ram in self.writer.rams]
        return [*queue, *(ram.below("reader") for ram in self.reader.rams)]

    def elaborate(self, platform):
        m = Module()
        m.submodules.writer = writer = self.writer
        m.submodules.reader = reader = self.reader
        connect(m, writer.o_write, flipped(self.o_kv_write))
        connect(m, reader.o_read, flipped(self.o_kv_read))
        connect(m, flipped(self.i_kv_words), reader.i_words)
        m.d.comb += [
            writer.i_written.eq(self.i_kv_written),
            writer.wr_en_k.eq(self.wr_en_k),
            writer.wr_en_v.eq(self.wr_en_v),
            writer.wr_head_kv.eq(self.wr_head_kv),
            writer.wr_d.eq(self.wr_d),
            writer.wr_data.eq(self.wr_data),
            self.k_ready.eq(writer.k_ready),
            self.v_ready.eq(writer.v_ready),
            self.fault.eq(writer.fault),
            reader.k_ready.eq(writer.k_ready),
            reader.v_ready.eq(writer.v_ready),
            reader.rd_claim.eq(self.rd_claim),
            reader.rd_start.eq(self.rd_start_k | self.rd_start_v),
            self.rd_ready.eq(reader.rd_ready),
        ]
        for part in (writer, reader):
            m.d.comb += [
                part.row_start.eq(self.row_start),
                part.row_layer.eq(self.row_layer),
                part.row_pos.eq(self.row_pos),
            ]
        self._pick(m, reader.word)
        return m

    def _pick(self, m: Module, word: data.View) -> None:
        """For each slot the words of its query head's KV head, behind a register."""
        shape, derived, layout = self.config.shape, derive(self.config), kv_layout(self.config)
        block = self.block
        held_block = Signal.like(block)
        held = Signal.like(word)
        with m.If(self.rd_start_k | self.rd_start_v):
            m.d.sync += block.eq(self.rd_block)
        with m.If(self.rd_en):
            m.d.sync += [held.eq(word), held_block.eq(block)]
        lanes = data.ArrayLayout(signed(derived.kv_width), layout.word)
        for slot in range(derived.slots):
            picked = Signal(lanes, name=f"word_{slot}")
            with m.Switch(held_block):
                for number in range(derived.head_blocks):
                    head = (number * derived.slots + slot) // shape.group % layout.span
                    with m.Case(number):
                        m.d.comb += picked.eq(
                            Cat(held[head * layout.word + n] for n in range(layout.word))
                        )
            m.d.comb += [
                words[slot][n].eq(picked[n])
                for words, length in ((self.rd_k, derived.k_word), (self.rd_v, derived.v_word))
                for n in range(length)
            ]
